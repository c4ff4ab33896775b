"""Conflicts of merges, reverts and cherry-picks: how a form decides them, key by key or all that are left at once.

A key travels in a field's name, percent-encoded: browsers alter the ends of lines in what they send.

    side:cats%2Ftom.txt=theirs    rest=ours
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import msgspec

from gateway.api import model
from gateway.client import Refusal

MOST = 200
"""So many are decided one by one on a page; the others by `rest`."""
_FIELD = "side:"
_SIDES: Mapping[object, model.Side] = {"ours": "ours", "theirs": "theirs"}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was chosen for some keys, and for all others that are in conflict."""

    sides: Mapping[str, model.Side] = field(default_factory=dict)
    rest: model.Side | None = None

    @classmethod
    def of(cls, form: Mapping[str, object]) -> Decisions:
        sides = {
            unquote(name.removeprefix(_FIELD)): _SIDES[value]
            for name, value in form.items()
            if name.startswith(_FIELD) and value in _SIDES
        }
        return cls(sides, _SIDES.get(form.get("rest")))

    def carried_out(self, attempt: Callable[[model.Strategy], model.Merged]) -> model.Merged:
        """What the attempt makes. It must be bound to one head: the conflicts that `rest` decides are those of a first
        attempt, which changed nothing. Raises Refusal, MergeConflict where some are left undecided."""
        if self.rest is not None and not self.sides:
            return attempt(self.rest)
        try:
            return attempt(dict(self.sides) or None)
        except Refusal as exc:
            if self.rest is None or exc.code != "MergeConflict":
                raise
            others = {conflict.key: self.rest for conflict in conflicts_of(exc)}
        return attempt({**others, **self.sides})


def conflicts_of(refused: object) -> Sequence[model.Conflict]:
    """Those that a refusal tells of: none where it is about something else."""
    if not isinstance(refused, Refusal) or refused.code != "MergeConflict":
        return []
    return msgspec.convert(refused.details["conflicts"], list[model.Conflict])


def rows(conflicts: Sequence[model.Conflict], decisions: Decisions) -> Sequence[Mapping[str, object]]:
    """The first ones as a template shows them: the conflict, its field's name, the side that was chosen."""
    return [
        {"conflict": one, "field": _FIELD + quote(one.key, safe=""), "side": decisions.sides.get(one.key, "")}
        for one in conflicts[:MOST]
    ]
