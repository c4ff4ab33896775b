"""The revision grammar: text to a value. Pure; `pfs.history` resolves the value to a commit.

    revision = base step*
    base     = "HEAD" | "@" | name | id | "@{" time "}" | "@" time
    name     = a branch or a tag; `name@{time}` is that branch at that instant
    id       = 4 to 64 lower-case hex digits: a commit id or a prefix of one
    step     = "^" | "^" N | "~" | "~" N | "@{" time "}"   (the last only right after a name or HEAD)
    time     = ISO 8601 with an offset or Z; without one it is UTC; a bare date is its midnight

Meanings are git's: `^` is `^1`, the first parent; `^2` the second; `^0` the commit itself; `~` is
`~1`, `~3` the first parent's first parent's first parent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from pfs.errors import InvalidRevision
from pfs.names import is_name

MAX_LENGTH = 256
ID_LENGTH = 64
_HEX = re.compile(r"[0-9a-f]{4,64}")
_STEP = re.compile(r"([~^])([0-9]{0,9})")
_BASE = re.compile(r"(HEAD|[a-z0-9-]*)(?:@\{([^{}]*)\})?")
_AT_TIME = re.compile(r"@([0-9][0-9T:.,+Z-]*?)(?=[~^]|$)")


@dataclass(frozen=True, slots=True)
class Parent:
    """`^N`: the N-th parent, N ≥ 1; 0 is the commit itself."""

    number: int


@dataclass(frozen=True, slots=True)
class Ancestor:
    """`~N`: N first parents up, N ≥ 0."""

    generations: int


@dataclass(frozen=True, slots=True)
class Revision:
    """`name` is None for HEAD; `at` turns it into the state at that instant."""

    name: str | None = None
    at: datetime | None = None
    steps: tuple[Parent | Ancestor, ...] = ()

    @property
    def id_prefix(self) -> str | None:
        """The name read as a commit id or a prefix of one, None where it can not be."""
        if self.name is not None and self.at is None and _HEX.fullmatch(self.name):
            return self.name
        return None


HEAD = Revision()


def parse_revision(text: str) -> Revision:
    """Raises InvalidRevision for text outside the grammar."""
    if not text or len(text) > MAX_LENGTH:
        raise InvalidRevision(text)
    timed = _AT_TIME.match(text)
    if timed:
        return Revision(at=_time(timed[1], text), steps=_steps(text, timed.end()))
    if text[0] == "@" and (len(text) == 1 or text[1] in "~^"):
        return Revision(steps=_steps(text, 1))
    base = _BASE.match(text)
    if base is None or base.end() == 0:
        raise InvalidRevision(text)
    name, at = base[1], base[2]
    if name and name != "HEAD" and not (is_name(name) or _HEX.fullmatch(name)):
        raise InvalidRevision(text)
    return Revision(
        name=None if name in ("", "HEAD") else name,
        at=None if at is None else _time(at, text),
        steps=_steps(text, base.end()),
    )


def format_revision(revision: Revision) -> str:
    """The shortest common spelling; `parse_revision` gives the same value back."""
    base = revision.name or "HEAD"
    if revision.at is not None:
        base += "@{" + revision.at.astimezone(UTC).isoformat().replace("+00:00", "Z") + "}"
    return base + "".join(
        f"~{step.generations}" if isinstance(step, Ancestor) else f"^{step.number}" for step in revision.steps
    )


def _steps(text: str, start: int) -> tuple[Parent | Ancestor, ...]:
    steps: list[Parent | Ancestor] = []
    while start < len(text):
        step = _STEP.match(text, start)
        if step is None:
            raise InvalidRevision(text)
        number = int(step[2]) if step[2] else 1
        steps.append(Ancestor(number) if step[1] == "~" else Parent(number))
        start = step.end()
    return tuple(steps)


def _time(text: str, whole: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidRevision(whole) from exc
