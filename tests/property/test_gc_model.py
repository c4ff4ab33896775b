"""Random histories with deletions and collections of garbage, against a graph of plain values.

After each collection the store is sound, and whatever a branch, a tag or a branch that can be restored leads to reads
as the model says; bytes that nothing holds are gone once their grace is over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pfs import Conflicted, NoSuchBranch, NoSuchCommit, Put, StoreConfig, flatten, open_store
from pfs.commits.transaction import now_us
from tests.stores import AUTHOR, PROJECT, Checkout

KEYS = ("a", "b", "c")
DAY_US = 86_400 * 1_000_000
RETENTION, GRACE = 7, 1
picks = st.integers(0, 10_000)

Tree = Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Node:
    id: str
    tree: Tree
    parents: tuple[Node, ...] = ()


@dataclass
class Line:
    checkout: Checkout
    head: Node
    deleted: bool = False


def reached(heads: Iterable[Node]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    waiting = list(heads)
    while waiting:
        node = waiting.pop()
        if node.id not in found:
            found[node.id] = node
            waiting += node.parents
    return found


def tree_of(checkout: Checkout, rev: str | None = None) -> Tree:
    return {key: checkout.get(key, rev) for key in checkout.keys(rev)}


class Collections(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(
            StoreConfig(
                Path(self.folder.name),
                inline_threshold=1,
                flatten_depth=2,
                retention_s=RETENTION * 86_400,
                gc_grace_s=GRACE * 86_400,
            )
        )
        self.lines: list[Line] = []
        self.nodes: dict[str, Node] = {}
        self.tags: dict[str, Node] = {}
        self.days = 0.0
        self.made = 0

    def teardown(self) -> None:
        for days in (RETENTION + 1, GRACE + 1, GRACE + 1, GRACE + 1):
            self.collect(days)
        reachable = reached(self.kept())
        contents = {value for node in reachable.values() for value in node.tree.values()}
        with self.store._database.connection() as conn:
            held = {row[0] for row in conn.raw.execute("SELECT digest FROM blobs").fetchall()}
            used = {row[0] for row in conn.raw.execute("SELECT digest FROM entries WHERE kind = 0").fetchall()}
        assert held == used
        assert set(self.store._blobs.digests()) <= held
        assert len(contents) <= len(held)
        self.store.close()
        self.folder.cleanup()

    # ---------------------------------------------------------------- rules

    @initialize()
    def make_repo(self) -> None:
        main = Checkout.create(self.store, "images")
        root = self.nodes[main.head()] = Node(main.head(), {})
        self.lines.append(Line(main, root))

    @rule(pick=picks, key=st.sampled_from(KEYS), data=st.sampled_from([None, b"1", b"22", b"333", b"4444"]))
    def write(self, pick: int, key: str, data: bytes | None) -> None:
        line = self.line(pick)
        entry = line.checkout.delete(key) if data is None else line.checkout.put(key, data)
        tree = {name: held for name, held in {**line.head.tree, key: data}.items() if held is not None}
        self.move(line, Node(entry.commit_id, tree, (line.head,)))

    @precondition(lambda self: len(self.live()) < 5)
    @rule(age=picks)
    def fork(self, age: int) -> None:
        self.made += 1
        start = self.chosen(age)
        self.lines.append(Line(self.line(0).checkout.fork(f"b{self.made}", start.id), start))

    @rule(pick=picks, age=picks)
    def reset(self, pick: int, age: int) -> None:
        line, to = self.line(pick), self.chosen(age)
        line.checkout.branch = self.store.reset_branch(line.checkout.branch, to.id).result()
        line.head = to

    @rule(pick=picks, age=picks, fast_forward=st.booleans())
    def merge(self, pick: int, age: int, fast_forward: bool) -> None:
        line, other = self.line(pick), self.chosen(age)
        try:
            merged = self.store.merge(
                line.checkout.branch, other.id, author=AUTHOR, strategy="theirs", fast_forward=fast_forward
            ).result()
        except Conflicted:
            return
        line.checkout.branch = merged.branch
        if merged.merge.kind == "fast-forward":
            line.head = other
        elif merged.merge.kind == "commit":
            tree = tree_of(line.checkout)
            self.move(line, Node(merged.head.id, tree, (line.head, other)))

    @rule(age=picks)
    def tag(self, age: int) -> None:
        self.made += 1
        node = self.tags[f"v{self.made}"] = self.chosen(age)
        self.store.create_tag(self.line(0).checkout.branch, f"v{self.made}", node.id, author=AUTHOR).result()

    @precondition(lambda self: self.tags)
    @rule(pick=picks)
    def delete_tag(self, pick: int) -> None:
        name = sorted(self.tags)[pick % len(self.tags)]
        del self.tags[name]
        self.store.delete_tag(PROJECT, "images", name).result()

    @precondition(lambda self: len(self.live()) > 1)
    @rule(pick=picks)
    def delete_branch(self, pick: int) -> None:
        line = self.line(pick)
        self.store.delete_branch(line.checkout.branch).result()
        line.deleted = True

    @rule(pick=picks)
    def restore_branch(self, pick: int) -> None:
        deleted = [line for line in self.lines if line.deleted]
        if deleted:
            line = deleted[pick % len(deleted)]
            line.checkout.branch = self.store.restore_branch(PROJECT, "images", line.checkout.branch.name).result()
            line.deleted = False

    @rule(pick=picks)
    def flatten(self, pick: int) -> None:
        self.store.flatten(self.line(pick).checkout.branch)

    @rule(pick=picks, key=st.sampled_from(KEYS), age=picks)
    def copy(self, pick: int, key: str, age: int) -> None:
        line, source = self.line(pick), self.chosen(age)
        if key in source.tree:
            held = self.store.entry(line.checkout.view(source.id), key).content
            committed = line.checkout.commit(Put(key, held)).commit
            assert committed is not None
            self.move(line, Node(committed.id, {**line.head.tree, key: source.tree[key]}, (line.head,)))

    @rule(days=st.sampled_from([0, 1.5, 3, 8]))
    def collect(self, days: float) -> None:
        """Time goes by for the collector; real clocks stand still. So what is deleted now may be over at once."""
        self.days += days
        at = now_us() + round(self.days * DAY_US)
        foretold = self.store.collect_garbage(dry_run=True, now_us=at)
        assert replace(foretold, dry_run=False) == self.store.collect_garbage(now_us=at)
        assert self.store.fsck(verify_data=True).problems == []
        if self.days > RETENTION:
            over = [line for line in self.lines if line.deleted]
            self.lines = self.live()
            for line in over:
                with pytest.raises(NoSuchBranch):
                    self.store.restore_branch(PROJECT, "images", line.checkout.branch.name).result()
        self.compare()

    # ---------------------------------------------------------------- helpers

    def compare(self) -> None:
        checkout = self.line(0).checkout
        for line in self.live():
            assert line.checkout.head() == line.head.id
            assert tree_of(line.checkout) == line.head.tree
        for name, node in self.tags.items():
            assert self.store.resolve(checkout.branch, name).id == node.id
        for node in reached(self.kept()).values():
            assert tree_of(checkout, node.id) == node.tree
            commit = self.store.resolve(checkout.branch, node.id)
            assert list(self.store.parents(commit)) == [parent.id for parent in node.parents]
            for entry in self.store.list(checkout.view(node.id)).entries:
                assert self.store.resolve(checkout.branch, entry.commit_id).id == entry.commit_id
        self.forget_what_went(checkout)

    def forget_what_went(self, checkout: Checkout) -> None:
        """What nothing leads to may be gone, or be kept for a reset's sake: then it reads as it did."""
        kept = reached(self.kept())
        for node in list(self.nodes.values()):
            try:
                self.store.resolve(checkout.branch, node.id)
            except NoSuchCommit:
                assert node.id not in kept
                del self.nodes[node.id]
            else:
                assert tree_of(checkout, node.id) == node.tree

    def kept(self) -> list[Node]:
        root = next(iter(self.nodes.values()))
        return [root, *(line.head for line in self.lines), *self.tags.values()]

    def live(self) -> list[Line]:
        return [line for line in self.lines if not line.deleted]

    def line(self, pick: int) -> Line:
        live = self.live()
        return live[pick % len(live)]

    def chosen(self, age: int) -> Node:
        return list(self.nodes.values())[age % len(self.nodes)]

    def move(self, line: Line, node: Node) -> None:
        line.head = self.nodes[node.id] = node


TestCollections = Collections.TestCase
TestCollections.settings = settings(max_examples=25, stateful_step_count=30)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for batch in ("pfs.gc.BATCH", "pfs.gc._PAGE", "pfs.gc._WINDOW"):
        monkeypatch.setattr(batch, 2)
    monkeypatch.setattr(flatten, "BATCH", 2)
