"""Two manifests and what is to be done, so that the second becomes as the first. Pure: no files, no network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.sync.manifest import Item
from gateway.sync.model import Action, ActionKind, Plan

IsSame = Callable[[Item, Item], bool]
"""Whether the source's item and the destination's have the same content."""


@dataclass(frozen=True, slots=True)
class Work:
    """A plan, and the source's items that it transfers, in its order."""

    plan: Plan
    transfers: Sequence[Item]

    @property
    def deletions(self) -> Sequence[Action]:
        return self.plan.actions[len(self.transfers) :]

    def sparing(self, lost: Collection[str]) -> Work:
        """Without the deletions at or below paths of which it is not known what the source has there."""
        if not lost:
            return self
        kept = [action for action in self.deletions if not any(path in lost for path in _upwards(action.path))]
        actions = [*self.plan.actions[: len(self.transfers)], *kept]
        return replace(self, plan=replace(self.plan, actions=actions))


def make_plan(source: Iterable[Item], destination: Iterable[Item], is_same: IsSame, *, delete: bool) -> Work:
    """Both in the order of their paths, each path once. Without `delete` what only the destination has stays."""
    transfers: list[Item] = []
    actions: list[Action] = []
    deletions: list[Action] = []
    unchanged = 0
    for wanted, present in paired(source, destination):
        if wanted is None:
            if delete and present is not None:
                deletions.append(Action(ActionKind.DELETE, present.path, max(present.size, 0)))
        elif present is None or wanted.size != present.size or not is_same(wanted, present):
            kind = ActionKind.ADD if present is None else ActionKind.CHANGE
            actions.append(Action(kind, wanted.path, wanted.size))
            transfers.append(wanted)
        else:
            unchanged += 1
    return Work(Plan(actions + deletions, unchanged), transfers)


def paired(source: Iterable[Item], destination: Iterable[Item]) -> Iterator[tuple[Item | None, Item | None]]:
    """By path, in order; None where a side has nothing there."""
    left, right = iter(source), iter(destination)
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and ours.path < theirs.path):
            yield ours, None
            ours = next(left, None)
        elif ours is None or theirs.path < ours.path:
            yield None, theirs
            theirs = next(right, None)
        else:
            yield ours, theirs
            ours, theirs = next(left, None), next(right, None)


def _upwards(path: str) -> Iterator[str]:
    """The path and all folders above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]
