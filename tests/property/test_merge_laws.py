"""Random histories with forks, merges, resets, picks and reverts, against a graph of plain dicts.

The model walks its graph commit by commit, the slow way: parents, ancestors, merge bases, three-way merges.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pfs import (
    Change,
    CommitId,
    Conflicted,
    Delete,
    Entry,
    Merge,
    Merged,
    Put,
    StoreConfig,
    flatten,
    inline,
    open_store,
)
from tests.stores import AUTHOR, Checkout

KEYS = ("a", "b", "c", "d")
keys = st.sampled_from(KEYS)
held = st.sampled_from([None, b"1", b"2"])
"""Few values, so that both sides often come to the same; None is a deletion."""

picks = st.integers(0, 10_000)
sides = st.sampled_from(["ours", "theirs"])
strategies = st.none() | st.none() | sides | st.dictionaries(keys, sides)

Tree = Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Node:
    """A commit. Its parents are nodes, the first one first."""

    id: str
    tree: Tree
    parents: tuple[Node, ...] = ()

    def ancestors(self) -> dict[str, Node]:
        """Itself included."""
        found: dict[str, Node] = {}
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if node.id not in found:
                found[node.id] = node
                waiting += node.parents
        return found

    def line(self) -> Sequence[Node]:
        """Itself and its first parents."""
        line = [self]
        while line[-1].parents:
            line.append(line[-1].parents[0])
        return line


def _told(merge: Merge) -> tuple[object, ...]:
    """All that a merge tells, but for its entries' seq: a flattening in the background may renumber these meanwhile."""

    def same(entry: Entry | None) -> Entry | None:
        return None if entry is None else entry._replace(seq=0)

    changes = [(change.key, same(change.before), same(change.after)) for change in merge.changes]
    conflicts = [(one.key, same(one.base), same(one.ours), same(one.theirs)) for one in merge.conflicts]
    return merge.kind, merge.base, changes, conflicts


def bases_of(one: Node, other: Node) -> list[Node]:
    of_other = other.ancestors()
    shared = [node for node in one.ancestors().values() if node.id in of_other]
    below = {id_ for node in shared for parent in node.parents for id_ in parent.ancestors()}
    return [node for node in shared if node.id not in below]


def difference(before: Tree, after: Tree) -> dict[str, bytes | None]:
    return {key: after.get(key) for key in KEYS if before.get(key) != after.get(key)}


def applied(tree: Tree, changes: Mapping[str, bytes | None]) -> Tree:
    return {key: value for key, value in {**tree, **changes}.items() if value is not None}


def three_way(bases: Sequence[Tree], ours: Tree, theirs: Tree, strategy: Any) -> tuple[Tree, list[str]]:
    """The tree, and the keys that remain in conflict."""
    taken: dict[str, bytes | None] = {}
    conflicts: list[str] = []
    for key in KEYS:
        our, their, known = ours.get(key), theirs.get(key), {base.get(key) for base in bases}
        if our == their or known == {their}:
            continue
        if known == {our}:
            taken[key] = their
            continue
        side = strategy.get(key) if isinstance(strategy, dict) else strategy
        if side is None:
            conflicts.append(key)
        elif side == "theirs":
            taken[key] = their
    return applied(ours, taken), conflicts


@dataclass
class Line:
    checkout: Checkout
    head: Node


class MergeLaws(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(StoreConfig(Path(self.folder.name), blob_url="memory:", flatten_depth=2))
        self.lines: list[Line] = []
        self.nodes: dict[str, Node] = {}
        self.tags: dict[str, Node] = {}
        self.names = 0

    def teardown(self) -> None:
        if self.lines:
            checkout = self.lines[0].checkout
            for node in self.nodes.values():
                assert self.tree(checkout, node.id) == node.tree
                commit = self.store.resolve(checkout.branch, node.id)
                assert list(self.store.parents(commit)) == [parent.id for parent in node.parents]
                self.compare_logs(checkout, node)
            for name, node in self.tags.items():
                assert self.store.resolve(checkout.branch, name).id == node.id
            for one in list(self.nodes.values())[-6:]:
                for other in list(self.nodes.values())[::3]:
                    self.compare_diff(checkout, one, other)
        assert self.store.fsck(verify_data=True).problems == []
        self.store.close()
        self.folder.cleanup()

    # ---------------------------------------------------------------- rules

    @initialize()
    def make_repo(self) -> None:
        main = Checkout.create(self.store, "images")
        root = Node(main.head(), {})
        self.nodes[root.id] = root
        self.lines.append(Line(main, root))

    @rule(pick=picks, changes=st.dictionaries(keys, held, min_size=1, max_size=3))
    def commit(self, pick: int, changes: dict[str, bytes | None]) -> None:
        self.commit_to(self.line(pick), changes)

    @precondition(lambda self: len(self.lines) < 5)
    @rule(pick=picks, age=picks)
    def fork(self, pick: int, age: int) -> None:
        line = self.line(pick)
        start = self.chosen(age)
        fork = line.checkout.fork(f"b{len(self.lines)}", start.id)
        self.lines.append(Line(fork, start))

    @rule(pick=picks, age=picks)
    def reset(self, pick: int, age: int) -> None:
        line, to = self.line(pick), self.chosen(age)
        line.checkout.branch = self.store.reset_branch(line.checkout.branch, to.id).result()
        line.head = to

    @rule(age=picks)
    def tag(self, age: int) -> None:
        name, node = f"v{len(self.tags)}", self.chosen(age)
        self.store.create_tag(self.lines[0].checkout.branch, name, node.id, author=AUTHOR).result()
        self.tags[name] = node

    @rule(pick=picks, other=picks, strategy=strategies, fast_forward=st.booleans(), squash=st.booleans())
    def merge(self, pick: int, other: int, strategy: Any, fast_forward: bool, squash: bool) -> None:
        self.merge_with(self.line(pick), self.line(other).head, strategy, fast_forward, squash)

    @rule(pick=picks, age=picks)
    def merge_any_commit(self, pick: int, age: int) -> None:
        self.merge_with(self.line(pick), self.chosen(age), None, True, False)

    @rule(pick=picks, changes=st.dictionaries(keys, held, min_size=2, max_size=2), back=keys)
    def merge_criss_cross(self, pick: int, changes: dict[str, bytes | None], back: str) -> None:
        """Two branches merge a commit of each other; one takes something back; the next merge has two bases."""
        one = self.line(pick)
        start, (key, other_key) = one.head, changes
        self.names += 1
        two = Line(one.checkout.fork(f"x{self.names}"), start)
        for line, changed in ((one, key), (two, other_key)):
            self.commit_to(line, {changed: changes[changed]})
        heads = one.head, two.head
        self.merge_with(one, heads[1], None, True, False)
        self.merge_with(two, heads[0], None, True, False)
        self.commit_to(one, {back: start.tree.get(back)})
        self.merge_with(one, two.head, None, True, False)

    @rule(pick=picks, age=picks, backwards=st.booleans(), strategy=strategies)
    def pick_or_revert(self, pick: int, age: int, backwards: bool, strategy: Any) -> None:
        line, node = self.line(pick), self.chosen(age)
        if not node.parents:
            return
        base, theirs = (node, node.parents[0]) if backwards else (node.parents[0], node)
        expected, conflicts = three_way([base.tree], line.head.tree, theirs.tree, strategy)
        verb = self.store.revert if backwards else self.store.cherry_pick
        future = verb(line.checkout.branch, node.id, author=AUTHOR, strategy=strategy)
        if conflicts:
            with pytest.raises(Conflicted) as refused:
                future.result()
            assert [conflict.key for conflict in refused.value.conflicts] == conflicts
            return
        done = future.result()
        assert done.merge.kind == ("nothing" if expected == line.head.tree else "commit")
        if done.merge.kind == "commit":
            self.made(line, done.head.id, expected, line.head)

    # ---------------------------------------------------------------- invariants

    @invariant()
    def heads_agree(self) -> None:
        for line in self.lines:
            assert line.checkout.head() == line.head.id
            assert self.tree(line.checkout) == line.head.tree
            for age, node in enumerate(line.head.line()):
                assert self.store.resolve(line.checkout.branch, f"HEAD~{age}").id == node.id

    # ---------------------------------------------------------------- helpers

    def commit_to(self, line: Line, changes: Mapping[str, bytes | None]) -> None:
        wanted: list[Change] = [Delete(k) if v is None else Put(k, inline(v)) for k, v in changes.items()]
        commit = line.checkout.commit(*wanted).commit
        assert commit is not None
        self.made(line, commit.id, applied(line.head.tree, changes), line.head)

    def merge_with(self, line: Line, theirs: Node, strategy: Any, fast_forward: bool, squash: bool) -> None:
        ours, options = line.head, {"strategy": strategy, "fast_forward": fast_forward, "squash": squash}
        planned = self.store.plan_merge(line.checkout.branch, theirs.id, **options)
        future = self.store.merge(line.checkout.branch, theirs.id, author=AUTHOR, **options)
        bases = bases_of(ours, theirs)
        expected, conflicts = three_way([base.tree for base in bases], ours.tree, theirs.tree, strategy)
        if bases == [theirs]:
            self.follow(line, future.result(), "nothing", ours)
            return
        if bases == [ours] and fast_forward and not squash:
            self.follow(line, future.result(), "fast-forward", theirs)
            return
        assert [conflict.key for conflict in planned.conflicts] == conflicts
        if conflicts:
            with pytest.raises(Conflicted) as refused:
                future.result()
            assert refused.value.conflicts == tuple(planned.conflicts)
            return
        merged = future.result()
        assert _told(merged.merge) == _told(planned)
        if squash and expected == ours.tree:
            self.follow(line, merged, "nothing", ours)
            return
        line.checkout.branch = merged.branch
        self.made(line, merged.head.id, expected, ours, *([] if squash else [theirs]))
        if strategy is None and len(bases) == 1:
            both = {**difference(bases[0].tree, ours.tree), **difference(bases[0].tree, theirs.tree)}
            assert line.head.tree == applied(bases[0].tree, both)
        again = self.store.merge(line.checkout.branch, theirs.id, author=AUTHOR, **options)
        if not squash:
            self.follow(line, again.result(), "nothing", line.head)

    def follow(self, line: Line, merged: Merged, kind: str, head: Node) -> None:
        assert (merged.merge.kind, merged.head.id) == (kind, head.id)
        line.checkout.branch, line.head = merged.branch, head

    def line(self, pick: int) -> Line:
        return self.lines[pick % len(self.lines)]

    def chosen(self, age: int) -> Node:
        return list(self.nodes.values())[age % len(self.nodes)]

    def made(self, line: Line, commit_id: str, tree: Tree, *parents: Node) -> None:
        line.head = self.nodes[commit_id] = Node(commit_id, tree, parents)

    def tree(self, checkout: Checkout, rev: str | None = None) -> Tree:
        return {key: checkout.get(key, rev) for key in checkout.keys(rev)}

    def compare_diff(self, checkout: Checkout, one: Node, other: Node) -> None:
        found = self.store.diff(checkout.branch, one.id, other.id).changes
        kinds = {
            key: "removed" if value is None else "changed" if key in one.tree else "added"
            for key, value in difference(one.tree, other.tree).items()
        }
        assert {change.key: change.kind for change in found} == kinds

    def compare_logs(self, checkout: Checkout, node: Node) -> None:
        line = [logged.commit.id for logged in self.store.log(checkout.branch, node.id, limit=1000)]
        assert line == [ancestor.id for ancestor in node.line()]
        whole: list[str] = []
        while page := self.store.log(
            checkout.branch, node.id, all_parents=True, limit=7, after=CommitId(whole[-1]) if whole else None
        ):
            for logged in page:
                assert not set(logged.parents) & set(whole)
                whole.append(logged.commit.id)
        assert sorted(whole) == sorted(node.ancestors())


TestMergeLaws = MergeLaws.TestCase
TestMergeLaws.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "BATCH", 2)
    monkeypatch.setattr("pfs.log._BATCH", 2)
