"""Two texts line by line: what stayed, what went, what came. Pure, and bounded in time and in what it gives back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, SupportsIndex, overload

LARGEST_BYTES = 1024 * 1024
"""Of either text."""
_LONGEST_S = 2.0
_MOST_ROWS = 5000
_LONGEST_LINE = 2000  # characters; the rest of a longer one is not shown
_CONTEXT = 3

Kind = Literal["same", "removed", "added"]


@dataclass(frozen=True, slots=True)
class Line:
    """`number` counts from 1. `ends`: False for a last line without its end."""

    number: int
    text: str
    ends: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lines side by side; None where the other text has none. They are alike, or one took the other's place."""

    before: Line | None
    after: Line | None
    same: bool = False


@dataclass(frozen=True, slots=True)
class TextDiff:
    """Hunks of pairs, with some lines around each change. `is_cut`: there would be more."""

    hunks: Sequence[Sequence[Pair]]
    is_cut: bool


class TooLong(Exception):
    """To compare these texts takes too long."""


def text_of(content: bytes) -> str | None:
    """None for what is no text in UTF-8."""
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def compare(before: str, after: str, *, longest_s: float = _LONGEST_S) -> TextDiff:
    """Raises TooLong."""
    old, new = _lines(before), _lines(after)
    matcher = SequenceMatcher(None, _Timed(old, time.monotonic() + longest_s), new)
    hunks: list[Sequence[Pair]] = []
    rows = 0
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        hunk = [pair for opcode in group for pair in _pairs(old, new, *opcode)]
        if rows + len(hunk) > _MOST_ROWS:
            return TextDiff([*hunks, hunk[: _MOST_ROWS - rows]], is_cut=True)
        hunks.append(hunk)
        rows += len(hunk)
    return TextDiff(hunks, is_cut=False)


def unified(hunk: Sequence[Pair]) -> Iterator[tuple[Kind, Line | None, Line | None]]:
    """The same in one column: of each run of changes first what went, then what came."""
    came: list[Line] = []
    for pair in hunk:
        if pair.same:
            yield from (("added", None, line) for line in came)
            came = []
            yield "same", pair.before, pair.after
            continue
        if pair.before is not None:
            yield "removed", pair.before, None
        if pair.after is not None:
            came.append(pair.after)
    yield from (("added", None, line) for line in came)


class _Timed(list[str]):
    """Lines that can be read until a moment: difflib looks at one of them in each of its steps, and else knows no end
    (texts of few different lines take it the cube of their length)."""

    def __init__(self, lines: Sequence[str], end_s: float) -> None:
        super().__init__(lines)
        self._end_s = end_s

    @overload
    def __getitem__(self, at: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> str | list[str]:
        if time.monotonic() > self._end_s:
            raise TooLong
        return super().__getitem__(at)


def _lines(text: str) -> Sequence[str]:
    """With their ends, as U+000A alone makes them."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _pairs(
    old: Sequence[str], new: Sequence[str], kind: str, old_from: int, old_to: int, new_from: int, new_to: int
) -> Iterator[Pair]:
    for offset in range(max(old_to - old_from, new_to - new_from)):
        yield Pair(
            _line(old, old_from + offset) if old_from + offset < old_to else None,
            _line(new, new_from + offset) if new_from + offset < new_to else None,
            same=kind == "equal",
        )


def _line(lines: Sequence[str], at: int) -> Line:
    text = lines[at].removesuffix("\n")
    shown = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
    # A carriage return would not show, though it may be all that has changed.
    return Line(at + 1, shown.replace("\r", "␍"), lines[at].endswith("\n"))
