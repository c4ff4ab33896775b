"""Random histories there and back, and bundles that were damaged on their way."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfs import BadRecord, Branch, Delete, InvalidName, Put, Store, StoreConfig, inline, open_store, verify_bundle
from pfs.manifest import compose
from pfs.model import Extent, Part
from tests.stores import AUTHOR, PROJECT, Checkout, content

KEYS = ("a", "a/", "b", "\0", "é", "\U0001f600")
picks = st.integers(0, 1000)
held = st.binary(max_size=12)
steps = st.one_of(
    st.tuples(st.just("change"), picks, st.lists(st.tuples(st.sampled_from(KEYS), st.none() | held), min_size=1)),
    st.tuples(st.just("compose"), picks, st.lists(held.filter(len), min_size=1, max_size=3)),
    st.tuples(st.just("fork"), picks, picks),
    st.tuples(st.just("reset"), picks, picks),
    st.tuples(st.just("merge"), picks, picks),
    st.tuples(st.just("flatten"), picks, picks),
    st.tuples(st.just("delete"), picks, picks),
    st.tuples(st.just("tag"), picks, picks),
    st.tuples(st.just("tell"), picks, st.sampled_from(KEYS)),
)


@contextlib.contextmanager
def opened() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        config = StoreConfig(Path(folder), blob_url="memory:", inline_threshold=4, flatten_depth=3)
        with contextlib.closing(open_store(config)) as store:
            yield store


class History:
    """A repo that is grown step by step; a step that makes no sense where it stands does nothing."""

    def __init__(self, store: Store) -> None:
        self.store = store
        Checkout.create(store, "images")
        self.names = 0

    def step(self, kind: str, pick: int, what: Any) -> None:
        branches = self.branches()
        branch = branches[pick % len(branches)]
        getattr(self, kind)(Checkout(self.store, branch), what)

    def branches(self) -> Sequence[Branch]:
        return self.store.repo_branches(self.store.repo(PROJECT, "images"))

    def rev(self, here: Checkout, pick: int) -> str:
        seq = self.store.resolve(here.branch, "HEAD").seq
        return f"HEAD~{pick % (seq + 1)}"

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def change(self, here: Checkout, wanted: list[tuple[str, bytes | None]]) -> None:
        changes = []
        for key, data in wanted:
            if data is None:
                changes.append(Delete(key))
                continue
            stage = self.store.stage()
            stage.write(data)
            changes.append(Put(key, stage.finish()))  # type: ignore[arg-type]
        here.commit(*changes, message="\N{GREEK SMALL LETTER ALPHA}")

    def compose(self, here: Checkout, pieces: list[bytes]) -> None:
        parts = []
        for number, data in enumerate(pieces, start=1):
            blob = inline(data)
            here.commit(Put("part", blob))
            extent = Extent(blob.digest, len(data) - 1, 1)
            parts.append(Part(number, 1, blob.digest, (extent,)))
        here.commit(Put("whole", compose(parts)))

    def fork(self, here: Checkout, pick: int) -> None:
        here.fork(self.name(), self.rev(here, pick))

    def reset(self, here: Checkout, pick: int) -> None:
        self.store.reset_branch(here.branch, self.rev(here, pick)).result()

    def merge(self, here: Checkout, pick: int) -> None:
        other = self.branches()[pick % len(self.branches())]
        fast_forward = pick % 2 == 0
        self.store.merge(here.branch, other.name, author=AUTHOR, strategy="theirs", fast_forward=fast_forward).result()

    def flatten(self, here: Checkout, _: int) -> None:
        self.store.flatten(here.branch)

    def delete(self, here: Checkout, _: int) -> None:
        if len(self.branches()) > 1:
            self.store.delete_branch(here.branch).result()

    def tag(self, here: Checkout, pick: int) -> None:
        self.store.create_tag(here.branch, self.name(), self.rev(here, pick), author=AUTHOR).result()

    def tell(self, here: Checkout, key: str) -> None:
        self.store.set_branch_setting(here.branch, "owner", key.replace("\0", "0")).result()
        for entry in self.store.list(here.view()).entries:
            if entry.key == key:
                self.store.set_entry_setting(here.branch, entry, "tags", "{}").result()


def told(store: Store) -> object:
    """What every branch and tag shows, at every commit that leads to it."""
    found: list[object] = []
    for branch in store.repo_branches(store.repo(PROJECT, "images")):
        here = Checkout(store, branch)
        revs = [logged.commit.id for logged in store.log(branch, all_parents=True, limit=1000)]
        revs += [tag.commit_id for tag in store.tags(PROJECT, "images")]
        for rev in (None, *revs):
            tree = []
            for key in here.keys(rev):
                entry, data = store.read(here.view(rev), key)
                tree.append((entry._replace(seq=0), dict(entry.settings), content(store, entry, data)))
            found.append((branch.name, branch.label, dict(branch.settings), rev, tree))
        found.append([(entry._replace(seq=0), latest) for entry, latest in here.versions()])
    return found, store.tags(PROJECT, "images")


def exported(store: Store) -> bytes:
    file = io.BytesIO()
    store.export_repo(PROJECT, "images", file)
    return file.getvalue()


def imported(store: Store, bundle: bytes) -> None:
    store.import_repo(io.BytesIO(bundle), PROJECT, relabel=lambda branch: branch.label)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=25))
def test_any_history_comes_back(wanted: list[tuple[str, int, Any]]) -> None:
    with opened() as source, opened() as target:
        history = History(source)
        for step in wanted:
            history.step(*step)
        bundle = exported(source)
        imported(target, bundle)
        assert told(target) == told(source)
        assert exported(target) == bundle
        assert target.fsck(verify_data=True).problems == []
        assert verify_bundle(io.BytesIO(bundle)).problems == []


@functools.cache
def sample() -> bytes:
    with opened() as store:
        history = History(store)
        for step in (
            ("change", 0, [("a", b"some bytes"), ("b", b"")]),
            ("tell", 0, "a"),
            ("compose", 0, [b"part", b"of it"]),
            ("fork", 0, 1),
            ("change", 1, [("a", None), ("é", b"x")]),
            ("merge", 0, 1),
            ("tag", 0, 1),
        ):
            history.step(*step)
        return exported(store)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    bundle = bytearray(sample())
    at = draw(st.integers(0, len(bundle) - 1))
    match draw(st.sampled_from(["flip", "cut", "cut out", "insert"])):
        case "flip":
            bundle[at] ^= draw(st.integers(1, 255))
        case "cut":
            del bundle[at:]
        case "cut out":
            del bundle[at : at + draw(st.integers(1, 64))]
        case _:
            bundle[at:at] = draw(st.binary(min_size=1, max_size=64))
    return bytes(bundle)


@pytest.fixture(scope="module")
def target() -> Iterator[Store]:
    with opened() as store:
        yield store


@settings(max_examples=300, deadline=None)
@given(bundle=damaged())
def test_damage_is_always_refused_and_nothing_is_left(target: Store, bundle: bytes) -> None:
    if bundle == sample():
        return  # what was cut out or put in can be what was there
    assert verify_bundle(io.BytesIO(bundle)).problems
    with pytest.raises((BadRecord, InvalidName)):
        imported(target, bundle)
    assert not target.repos(PROJECT)
    assert not target.branches(PROJECT)
    with target._database.connection() as conn:
        for table in ("repos", "timelines", "commits", "entries", "branches", "tags", "entry_settings"):
            assert conn.raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_what_was_not_damaged_is_accepted() -> None:
    with opened() as store:
        imported(store, sample())
        assert exported(store) == sample()
