"""Random histories of a store, against plain dicts: one per commit, with what it changed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pfs import (
    Change,
    Delete,
    Entry,
    HistoryIsImmutable,
    NoSuchKey,
    Put,
    Restore,
    Store,
    StoreConfig,
    flatten,
    open_store,
)
from tests.stores import Checkout, content

KEYS = ("a", "a/", "a/b", "a/b/c", "a0", "b", "\0", "é", "\U0001f600")
keys = st.sampled_from(KEYS)
data = st.binary(max_size=8)
picks = st.integers(0, 10_000)
"""Numbers that choose one of what there is, by remainder."""


@dataclass(frozen=True)
class State:
    """What a commit shows, and what it changed: each key with its new content, None for a marker."""

    commit_id: str
    tree: Mapping[str, bytes]
    changed: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass
class Line:
    """A branch beside its model: its states from the root commit to the head."""

    checkout: Checkout
    states: list[State]

    @property
    def head(self) -> State:
        return self.states[-1]

    def versions(self, upto: int) -> list[tuple[str, str, bool, bool]]:
        """(key, commit id, whether a marker, whether the latest) of all versions, in listing order."""
        found = []
        for key in sorted(KEYS, key=str.encode):
            of_key = [state for state in reversed(self.states[: upto + 1]) if key in state.changed]
            found += [(key, s.commit_id, s.changed[key] is None, s is of_key[0]) for s in of_key]
        return found

    def content_before_markers(self, key: str) -> bytes | None:
        held = [state.changed[key] for state in self.states if state.changed.get(key) is not None]
        return held[-1] if held else None


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        config = StoreConfig(Path(self.folder.name), blob_url="memory:", inline_threshold=4, flatten_depth=2)
        self.store: Store = open_store(config)
        self.lines: list[Line] = []
        self.names = 0

    def teardown(self) -> None:
        for line in self.lines:
            for number in range(len(line.states)):
                self.compare(line, number)
        assert self.store.fsck(verify_data=True).problems == []
        self.store.close()
        self.folder.cleanup()

    # ---------------------------------------------------------------- rules

    @initialize()
    def make_repo(self) -> None:
        main = Checkout.create(self.store, "images")
        self.lines.append(Line(main, [State(main.head(), {})]))

    @rule(pick=picks, key=keys, held=data)
    def put(self, pick: int, key: str, held: bytes) -> None:
        self.apply(self.line(pick), [self.put_of(key, held)], {key: held})

    @rule(pick=picks, key=keys)
    def delete(self, pick: int, key: str) -> None:
        self.apply(self.line(pick), [Delete(key)], {key: None})

    @rule(pick=picks, wanted=st.lists(st.tuples(keys, st.none() | data), min_size=1, max_size=6))
    def change_many(self, pick: int, wanted: list[tuple[str, bytes | None]]) -> None:
        """Puts and deletions in one commit; a key may come twice."""
        changes = [Delete(key) if held is None else self.put_of(key, held) for key, held in wanted]
        self.apply(self.line(pick), changes, dict(wanted))

    @rule(pick=picks, key=keys)
    def restore(self, pick: int, key: str) -> None:
        line = self.line(pick)
        try:
            self.store.entry(line.checkout.view(), key)
        except NoSuchKey as absent:
            if absent.marker is not None:
                change = Restore(key, absent.marker.commit_id)
                self.apply(line, [change], {key: line.content_before_markers(key)})

    @rule(pick=picks, key=keys, age=picks)
    def restore_what_is_no_current_marker(self, pick: int, key: str, age: int) -> None:
        line = self.line(pick)
        state = line.states[age % len(line.states)]
        latest = next((state for state in reversed(line.states) if key in state.changed), None)
        if latest is None or latest is not state or latest.changed[key] is not None:
            (result,) = line.checkout.commit(Restore(key, line.checkout.view(state.commit_id).commit.id)).results  # type: ignore[union-attr]
            assert isinstance(result, HistoryIsImmutable)

    @precondition(lambda self: len(self.lines) < 8)
    @rule(pick=picks, age=picks)
    def fork(self, pick: int, age: int) -> None:
        line = self.line(pick)
        number = age % len(line.states)
        self.names += 1
        fork = line.checkout.fork(f"b{self.names}", f"HEAD~{len(line.states) - 1 - number}")
        self.lines.append(Line(fork, line.states[: number + 1]))

    @precondition(lambda self: len(self.lines) < 8)
    @rule()
    def make_branch(self) -> None:
        self.names += 1
        new = Checkout.create(self.store, "images", f"b{self.names}")
        self.lines.append(Line(new, self.lines[0].states[:1]))

    @precondition(lambda self: len(self.lines) > 1)
    @rule(pick=picks)
    def delete_branch(self, pick: int) -> None:
        line = self.line(pick)
        self.store.delete_branch(line.checkout.branch).result()
        self.lines.remove(line)

    @rule(pick=picks)
    def flatten(self, pick: int) -> None:
        self.store.flatten(self.line(pick).checkout.branch)

    @rule(pick=picks)
    def flatten_one_batch(self, pick: int) -> None:
        timeline_id = self.line(pick).checkout.branch.timeline_id
        self.store._committer.submit(
            lambda tx: flatten.copy_batch(tx, self.store._timelines, timeline_id, None)
        ).result()

    @rule(pick=picks, age=picks, limit=st.integers(1, 6), delimiter=st.sampled_from(["", "/", "b"]))
    def page_through(self, pick: int, age: int, limit: int, delimiter: str) -> None:
        line = self.line(pick)
        number = age % len(line.states)
        view = line.checkout.view(line.states[number].commit_id)
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = self.store.list(view, delimiter=delimiter, after=after, limit=limit)
            found += sorted([*(entry.key for entry in page.entries), *page.prefixes], key=str.encode)
            after = page.last
        assert found == folded(line.states[number].tree, delimiter)
        versions: list[tuple[str, str, bool, bool]] = []
        position: tuple[str, str | None] | None = ("", None)
        while position is not None:
            batch = self.store.list_versions(view, after=position, limit=limit)
            versions += rows(batch.versions)
            position = batch.last
        assert versions == line.versions(number)

    # ---------------------------------------------------------------- invariants

    @invariant()
    def heads_agree(self) -> None:
        for line in self.lines:
            head = self.store.head(line.checkout.branch)
            listed = self.store.list(head).entries
            assert [entry.key for entry in listed] == sorted(line.head.tree, key=str.encode)
            for key in KEYS:
                self.compare_key(line.checkout, head, key, line.head.tree.get(key))

    # ---------------------------------------------------------------- helpers

    def line(self, pick: int) -> Line:
        return self.lines[pick % len(self.lines)]

    def put_of(self, key: str, held: bytes) -> Put:
        stage = self.store.stage()
        stage.write(held)
        return Put(key, stage.finish())

    def apply(self, line: Line, changes: Sequence[Change], changed: Mapping[str, bytes | None]) -> None:
        committed = line.checkout.commit(*changes)
        assert committed.commit is not None
        assert committed.commit.seq == len(line.states)
        assert committed.commit.change_count == len(changed)
        assert {result.key for result in committed.results if isinstance(result, Entry)} == set(changed)
        tree = {**line.head.tree, **changed}
        kept = {key: held for key, held in tree.items() if held is not None}
        line.states.append(State(committed.commit.id, kept, changed))

    def compare(self, line: Line, number: int) -> None:
        state, checkout = line.states[number], line.checkout
        view = checkout.view(state.commit_id)
        age = len(line.states) - 1 - number
        assert self.store.resolve(checkout.branch, f"HEAD~{age}").id == state.commit_id
        assert [entry.key for entry in self.store.list(view).entries] == sorted(state.tree, key=str.encode)
        assert rows(self.store.list_versions(view).versions) == line.versions(number)
        for key in KEYS:
            self.compare_key(checkout, view, key, state.tree.get(key))

    def compare_key(self, checkout: Checkout, view: object, key: str, expected: bytes | None) -> None:
        try:
            entry, held = self.store.read(view, key)  # type: ignore[arg-type]
        except NoSuchKey:
            assert expected is None
        else:
            assert content(self.store, entry, held) == expected


def rows(versions: Sequence[tuple[Entry, bool]]) -> list[tuple[str, str, bool, bool]]:
    return [(entry.key, entry.commit_id, entry.is_marker, latest) for entry, latest in versions]


def folded(tree: Mapping[str, bytes], delimiter: str) -> list[str]:
    names = set()
    for key in tree:
        at = key.find(delimiter) if delimiter else -1
        names.add(key if at < 0 else key[: at + len(delimiter)])
    return sorted(names, key=str.encode)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=30, stateful_step_count=25)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "BATCH", 2)
    monkeypatch.setattr("pfs.listing._SMALL_BATCH", 2)
    monkeypatch.setattr("pfs.listing._LARGE_BATCH", 2)
