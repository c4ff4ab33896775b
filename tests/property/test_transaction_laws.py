"""Random writes on a target and in its transactions, against dictionaries of versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfs import Delete, Put, Store, StoreConfig, TransactionConflict, TransactionInfo, inline, open_store
from tests.stores import AUTHOR, PROJECT, Checkout

KEYS = ("a", "b", "c", "d")
values = st.sampled_from([None, b"1", b"2"])
"""Few, so that keys often come back to what they held; None is a deletion."""

writes = st.tuples(st.integers(0, 2), st.dictionaries(st.sampled_from(KEYS), values, min_size=1, max_size=2))
"""To whom (0: the target, else a transaction), and what."""

steps = st.lists(writes | st.sampled_from(["back", "forward"]), max_size=12)

Version = tuple[str, bytes]
Tree = dict[str, Version]
"""Key → (the commit that wrote it, what it holds)."""


@dataclass
class Side:
    checkout: Checkout
    tree: Tree
    touched: set[str] = field(default_factory=set)

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        made = [Delete(key) if value is None else Put(key, inline(value)) for key, value in changes.items()]
        commit = self.checkout.commit(*made).commit
        assert commit is not None
        self.touched |= changes.keys()
        for key, value in changes.items():
            if value is None:
                self.tree.pop(key, None)
            else:
                self.tree[key] = (commit.id, value)


def held(tree: Mapping[str, Version]) -> dict[str, bytes]:
    return {key: value for key, (_, value) in tree.items()}


def contents(checkout: Checkout) -> dict[str, bytes]:
    return {key: checkout.get(key, "HEAD") for key in checkout.keys("HEAD")}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        opened = open_store(StoreConfig(Path(folder)))
        yield opened
        opened.close()


class World:
    """A target and two transactions upon it, which begin after its first writes."""

    def __init__(self, store: Store, number: int, first: Mapping[str, bytes | None]) -> None:
        self.store = store
        self.target = Side(Checkout.create(store, f"repo{number}"), {})
        self.target.write(first)
        self.base = dict(self.target.tree)
        self.infos = [self._begin() for _ in range(2)]
        self.sides = [self.target, *(Side(self._inside(info), dict(self.base)) for info in self.infos)]
        self.snapshots = [(self.target.checkout.head(), dict(self.base))]

    def _begin(self) -> TransactionInfo:
        branch = self.target.checkout.branch
        return self.store.begin_transaction(branch, author=AUTHOR, expires_in_s=3600, label=lambda name: name).result()

    def _inside(self, info: TransactionInfo) -> Checkout:
        return Checkout(self.store, self.store.branch(PROJECT, info.repo, info.id))

    def step(self, step: object) -> None:
        if isinstance(step, tuple):
            self.sides[step[0]].write(step[1])
        else:  # the target is reset to where it began, or to where it was last
            head, tree = self.snapshots[0 if step == "back" else -1]
            self.store.reset_branch(self.target.checkout.branch, head).result()
            self.target.tree = dict(tree)
        self.snapshots.append((self.target.checkout.head(), dict(self.target.tree)))

    def commit(self, number: int) -> None:
        side, target = self.sides[number + 1], self.target
        moved = {key for key in side.touched if target.tree.get(key) != self.base.get(key)}
        before = self.store.resolve(target.checkout.branch, "HEAD")
        attempt = self.store.commit_transaction(self.infos[number], author=AUTHOR)
        if moved:
            with pytest.raises(TransactionConflict) as refused:
                attempt.result()
            assert refused.value.keys == tuple(sorted(moved))
            assert self.store.resolve(target.checkout.branch, "HEAD") == before
            assert contents(side.checkout) == held(side.tree)
            return
        ended = attempt.result()
        after = self.store.resolve(target.checkout.branch, "HEAD")
        changed = {key for key in side.touched if held(side.tree).get(key) != held(self.base).get(key)}
        assert after.seq - before.seq == (1 if changed else 0)
        assert ended.commit_id == (after.id if changed else None)
        assert after.change_count == len(changed) or not changed
        for key in changed:
            target.tree.pop(key, None)
            if key in side.tree:
                target.tree[key] = (after.id, side.tree[key][1])


numbers = iter(range(1_000_000))


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYS), values, min_size=1), steps, steps)
def test_a_commit_is_refused_where_a_touched_key_moved_else_it_is_one_commit_of_the_final_states(
    store: Store, first: Mapping[str, bytes | None], before: list[object], between: list[object]
) -> None:
    world = World(store, next(numbers), first)
    for step in before:
        world.step(step)
    world.commit(0)
    assert contents(world.target.checkout) == held(world.target.tree)
    for step in between:
        if not isinstance(step, tuple) or step[0] != 1:
            world.step(step)
    world.commit(1)
    assert contents(world.target.checkout) == held(world.target.tree)


def test_a_store_full_of_transactions_is_sound(store: Store) -> None:
    assert store.fsck().problems == []
