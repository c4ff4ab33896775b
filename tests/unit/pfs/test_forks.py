"""Forks, forks of forks, and the cutting short of their chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pfs import (
    BranchExists,
    Delete,
    Entry,
    InvalidName,
    InvalidRevision,
    NoSuchBranch,
    NoSuchCommit,
    NoSuchKey,
    Put,
    Store,
    StoreConfig,
    flatten,
    inline,
    open_store,
)
from tests.stores import AUTHOR, Checkout


def test_a_fork_shows_what_its_start_held_and_goes_its_own_way(main: Checkout) -> None:
    main.put_all("a", "b")
    main.put("a", b"2")
    dev = main.fork("dev")
    assert dev.head() == main.head()
    dev.put("a", b"dev")
    main.put("b", b"main")
    dev.delete("b")
    assert (dev.get("a"), dev.keys()) == (b"dev", ["a"])
    assert (main.get("a"), main.get("b"), main.keys()) == (b"2", b"main", ["a", "b"])
    assert dev.get("a", "HEAD~2") == b"2"
    assert dev.get("b", "HEAD~3") == b"b"


@pytest.mark.parametrize(("rev", "keys"), [("HEAD", "abc"), ("HEAD^", "ab"), ("HEAD~2", "a"), ("HEAD~3", "")])
def test_a_fork_starts_anywhere(main: Checkout, rev: str, keys: str) -> None:
    for key in "abc":
        main.put(key)
    dev = main.fork("dev", rev)
    dev.put("x")
    assert dev.keys() == [*keys, "x"]
    assert dev.keys("HEAD^") == list(keys)


def test_a_fork_of_a_fork_at_what_that_inherited(main: Checkout) -> None:
    """Its parent is the timeline that owns the commit, whatever branch it was named from."""
    for key in "abc":
        main.put(key)
    dev = main.fork("dev")
    dev.put("d")
    third = dev.fork("third", "HEAD~2")
    third.put("t")
    assert third.keys() == ["a", "b", "t"]
    assert third.fork("fourth").keys() == ["a", "b", "t"]
    assert third.fork("fifth", "main").keys() == ["a", "b", "c"]


def test_what_is_deleted_on_one_level_stays_hidden_above(main: Checkout) -> None:
    main.put_all("a", "b", "c")
    one = main.fork("one")
    marker = one.delete("a")
    two = one.fork("two")
    two.delete("b")
    three = two.fork("three")
    assert (one.keys(), two.keys(), three.keys()) == (["b", "c"], ["c"], ["c"])
    with pytest.raises(NoSuchKey) as absent:
        three.get("a")
    assert absent.value.marker == marker
    three.put("a", b"again")
    three.delete("c")
    assert (three.keys(), three.keys("HEAD~2")) == (["a"], ["c"])
    three.delete("a")
    assert three.keys() == []


def test_a_new_branch_shares_nothing_but_the_root(main: Checkout) -> None:
    main.put("a")
    new = Checkout.create(main.store, "images", "new")
    assert new.keys() == []
    assert new.head() == main.store.resolve(main.branch, "HEAD^").id
    new.put("b")
    assert (main.keys(), new.keys()) == (["a"], ["b"])
    assert len(new.view().levels) == 1


def test_a_fork_is_refused_where_it_can_not_start(main: Checkout) -> None:
    dev = main.fork("dev")
    with pytest.raises(BranchExists):
        main.fork("dev")
    with pytest.raises(BranchExists):
        main.fork("main")
    with pytest.raises(InvalidName):
        main.fork("Dev")
    with pytest.raises(NoSuchCommit):
        main.fork("other", "HEAD^")
    with pytest.raises(InvalidRevision):
        main.fork("other", "?")
    dev.store.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchBranch):
        dev.fork("other")


# ---------------------------------------------------------------- flattening


def timeless(entry: Entry) -> tuple[object, ...]:
    """An entry but for its seq, which is the place of its row."""
    return entry.key, entry.kind, entry.digest, entry.etag, entry.attrs, entry.commit_id, entry.time_us


def tree(checkout: Checkout) -> Mapping[str, Any]:
    """All that a branch shows, now and at every commit."""
    head = checkout.store.resolve(checkout.branch, "HEAD")
    seen: dict[str, Any] = {}
    for rev in (None, *(f"HEAD~{age}" for age in range(head.seq + 1))):
        view = checkout.view(rev)
        found = [checkout.store.entry(view, key) for key in checkout.keys(rev)]
        seen[str(rev)] = [timeless(entry) for entry in found]
        assert [timeless(entry) for entry in checkout.store.list(view, limit=100_000).entries] == seen[str(rev)]
        seen[f"{rev} versions"] = [(timeless(entry), latest) for entry, latest in checkout.versions(rev)]
    return seen


def deep(main: Checkout, depth: int) -> Sequence[Checkout]:
    """Branches, each a fork of the one before with changes of its own, `main` first."""
    line = [main]
    main.put_all(*(f"k{number}" for number in range(10)))
    for level in range(1, depth):
        fork = line[-1].fork(f"l{level}")
        fork.commit(Put(f"k{level}", inline(b"%d" % level)), Delete(f"k{level + 1}"), Put(f"own{level}", inline(b"")))
        fork.delete("never")
        line.append(fork)
    return line


def batches(checkout: Checkout) -> Callable[[bytes | None], bytes | None]:
    """Copies one batch behind a key, as `Store.flatten` does."""
    store, timeline_id = checkout.store, checkout.branch.timeline_id
    return lambda after: store._committer.submit(
        lambda tx: flatten.copy_batch(tx, store._timelines, timeline_id, after)
    ).result()


def test_a_flat_branch_reads_as_it_did(main: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "BATCH", 3)
    line = deep(main, 5)
    top = line[-1].fork("top", "HEAD^")
    middle = line[2]
    before = {checkout.branch.name: tree(checkout) for checkout in (*line, top)}
    for checkout in (middle, top):
        copy, after = batches(checkout), None
        while True:
            after = copy(after)
            assert {other.branch.name: tree(other) for other in (*line, top)} == before
            assert main.store.fsck().problems == []
            if after is None:
                break
        main.store._timelines.forget()
        assert {other.branch.name: tree(other) for other in (*line, top)} == before
        assert len(main.store.head(checkout.branch).levels) == 1


def test_writes_go_on_between_batches(main: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "BATCH", 2)
    top = deep(main, 3)[-1]
    plain, flattened = top.fork("plain"), top.fork("flat")
    copy, after = batches(flattened), None
    done = False
    for change in ("+k0", "-k9", "-k5", "+k5", "-k0", "+zz", "-zz", "-k2", "+k9", "-k9", "-k9"):
        for checkout in (plain, flattened):
            checkout.put(change[1:], b"new") if change[0] == "+" else checkout.delete(change[1:])
        if not done:
            after = copy(after)
            done = after is None
        assert plain.keys() == flattened.keys()
    assert done
    main.store._timelines.forget()
    for age in range(12):
        view, other = plain.view(f"HEAD~{age}"), flattened.view(f"HEAD~{age}")
        contents = [(key, plain.store.read(view, key)[1]) for key in plain.keys(f"HEAD~{age}")]
        assert contents == [(key, plain.store.read(other, key)[1]) for key in flattened.keys(f"HEAD~{age}")]
    assert [(e.key, e.kind, latest) for e, latest in plain.versions()] == [
        (e.key, e.kind, latest) for e, latest in flattened.versions()
    ]
    assert main.store.fsck().problems == []


def test_deletions_and_restores_on_a_flat_branch(main: Checkout) -> None:
    main.put_all("a", "b", "c")
    dev = main.fork("dev")
    dev.delete("a")
    main.store.flatten(dev.branch)
    dev.restore("b", dev.delete("b"))
    dev.delete("c")
    marker = dev.delete("c")
    dev.delete("new")
    assert (dev.keys(), dev.keys("HEAD~5")) == (["b"], ["b", "c"])
    top = dev.fork("top")
    top.restore("c", marker)
    assert (top.keys(), top.get("c"), dev.keys()) == (["b", "c"], b"c", ["b"])
    assert main.store.fsck().problems == []


def settle(store: Store) -> None:
    """Waits for the flattening that goes on in the background."""
    store._committer.submit(lambda tx: None).result()
    while store._flattening:
        store._committer.submit(lambda tx: None).result()


def depth(checkout: Checkout) -> int:
    return len(checkout.view().levels)


def test_a_deep_chain_is_flattened_in_the_background(main: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "BATCH", 3)
    line = deep(main, 8)
    before = tree(line[-1])
    settle(main.store)
    assert (depth(line[-1]), main.store.needs_flattening(line[-1].branch)) == (8, False)
    top, beside = line[-1].fork("top"), line[-1].fork("beside")
    assert tree(top) == tree(beside) == before
    settle(main.store)
    assert [depth(checkout) for checkout in (line[-2], line[-1], top, beside)] == [7, 1, 2, 2]
    assert tree(top) == tree(beside) == tree(line[-1]) == before
    assert main.store.fsck().problems == []


def test_a_reset_and_a_fast_forward_flatten_too(main: Checkout) -> None:
    line = list(deep(main, 8))
    reset = Checkout(main.store, main.store.reset_branch(main.branch, "l7").result())
    settle(main.store)
    assert (depth(line[-1]), depth(reset)) == (1, 2)
    for level in range(8, 14):
        line.append(line[-1].fork(f"l{level}"))
        line[-1].put("own")
    merged = main.store.merge(reset.branch, "l13", author=AUTHOR).result()
    assert merged.merge.kind == "fast-forward"
    reset = Checkout(main.store, merged.branch)
    assert depth(reset) == 8
    assert tree(reset) == tree(line[-1])


def test_closing_ends_it_quietly_and_the_next_fork_takes_it_up(
    config: StoreConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flatten, "BATCH", 1)
    store = open_store(config)
    line = deep(Checkout.create(store, "images"), 8)
    before = tree(line[-1])
    top = line[-1].fork("top")
    store.close()
    assert caplog.records == []
    again = Checkout(open_store(config), top.branch)
    assert tree(again) == before
    again.put("own")
    fork = again.fork("fork")
    settle(again.store)
    assert depth(fork) <= 3
    assert again.store.fsck().problems == []
    again.store.close()


def test_flattening_again_changes_nothing(main: Checkout) -> None:
    line = deep(main, 4)
    main.store.flatten(line[-1].branch)
    before = tree(line[-1])
    main.store.flatten(line[-1].branch)
    assert tree(line[-1]) == before
    assert depth(line[-1]) == 1
    assert main.store.fsck().problems == []


def test_a_branch_that_inherits_nothing_can_be_flattened(main: Checkout) -> None:
    main.put("a")
    new = Checkout.create(main.store, "images", "new")
    for checkout in (main, new):
        main.store.flatten(checkout.branch)
    assert (main.keys(), new.keys()) == (["a"], [])
    new.put("b")
    assert new.keys() == ["b"]


def test_a_process_that_has_not_heard_of_the_flattening_reads_and_writes_alike(
    main: Checkout, config: StoreConfig
) -> None:
    dev = deep(main, 4)[-1]
    other = Checkout(open_store(config), dev.branch)
    before = tree(other)
    main.store.flatten(dev.branch)
    assert tree(other) == tree(dev) == before
    for key in ("k0", "k1", "own1", "never"):
        other.delete(key)
        dev.delete(key)
    other.put("k0")
    assert tree(other) == tree(dev)
    assert main.store.fsck().problems == []
    other.store.close()


def test_a_very_long_chain_of_forks(main: Checkout) -> None:
    main.put("bottom", b"v")
    line = main
    for level in range(60):
        line = line.fork(f"l{level}")
        line.put(f"k{level:02}")
    assert line.get("bottom") == b"v"
    assert line.keys() == ["bottom", *(f"k{level:02}" for level in range(60))]
    assert line.get("bottom", "HEAD~60") == b"v"
