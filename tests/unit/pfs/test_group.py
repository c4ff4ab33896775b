"""Group commit: many writers, one transaction, and to each its own result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from pfs import Entry, GuardRefused, NoSuchBranch, Put, Store, StoreClosed, StoreConfig, inline, open_store
from pfs.commits.transaction import Transaction
from pfs.meta import contents
from tests.stores import AUTHOR, Checkout


class Unexpected(Exception):
    """No StoreError: a bug in an operation."""


class Taken(GuardRefused):
    pass


def absent(entry: Entry | None) -> None:
    if entry is not None:
        raise Taken


def bug(entry: Entry | None) -> None:
    raise Unexpected


@contextmanager
def held(store: Store) -> Iterator[None]:
    """Keeps the writer busy; what is submitted meanwhile makes one group afterwards."""
    begun, release = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        begun.set()
        release.wait()

    future = store._committer.submit(hold)
    begun.wait()
    try:
        yield
    finally:
        release.set()
    future.result()


def put(checkout: Checkout, key: str, data: bytes = b"") -> Future[Entry]:
    """The entry's future, without waiting for it."""
    entry: Future[Entry] = Future()
    future = checkout.store.commit(checkout.branch, [Put(key, inline(data))], author=AUTHOR)
    future.add_done_callback(lambda done: entry.set_result(done.result().results[0]))  # type: ignore[arg-type]
    return entry


def test_a_group_is_one_transaction_of_many_commits(config: StoreConfig) -> None:
    groups: list[tuple[int, int]] = []
    store = open_store(config, lambda operations, commits: groups.append((operations, commits)))
    main = Checkout.create(store, "images")
    groups.clear()
    with held(store):
        futures = [put(main, f"k{number}") for number in range(20)]
    entries = [future.result() for future in futures]
    store.close()
    assert groups == [(1, 0), (20, 20)]
    assert len({entry.commit_id for entry in entries}) == 20
    assert [entry.seq for entry in entries] == list(range(1, 21))


def test_commits_of_a_group_build_on_each_other(main: Checkout) -> None:
    with held(main.store):
        futures = [put(main, "key", str(number).encode()) for number in range(5)]
    wait(futures)
    assert [main.get("key", f"HEAD~{age}") for age in range(5)] == [b"4", b"3", b"2", b"1", b"0"]
    assert main.store.fsck().problems == []


def test_guards_see_their_neighbours_in_the_group(main: Checkout) -> None:
    change = Put("key", inline(b"v"), guard=absent)
    with held(main.store):
        futures = [main.store.commit(main.branch, [change], author=AUTHOR) for _ in range(5)]
    assert [future.result().commit is not None for future in futures] == [True] + [False] * 4


def test_a_group_spans_branches_that_it_makes_and_deletes(main: Checkout) -> None:
    store = main.store
    with held(store):
        first = put(main, "a")
        forked = store.fork_branch(main.branch, "HEAD", "dev", label="dev")
        second = put(main, "b")
        pinned = store.fork_branch(main.branch, "HEAD^", "old", label="old")
        gone = store.delete_branch(main.branch)
        late = store.commit(main.branch, [Put("c", inline(b""))], author=AUTHOR)
    assert (first.result().seq, second.result().seq, gone.result()) == (1, 2, None)
    assert Checkout(store, forked.result()).keys() == ["a"]
    assert Checkout(store, pinned.result()).keys() == ["a"]
    with pytest.raises(NoSuchBranch):
        late.result()
    assert store.fsck().problems == []


def test_an_unexpected_failure_hits_its_own_operation_only(main: Checkout) -> None:
    store = main.store
    before = main.put("before")
    with held(store):
        good = [put(main, f"good{number}") for number in range(3)]
        bad = store.commit(main.branch, [Put("bad", inline(b"bad"), guard=bug)], author=AUTHOR)
        more = [put(main, f"more{number}") for number in range(3)]
    with pytest.raises(Unexpected):
        bad.result()
    assert [future.result().seq for future in good + more] == [before.seq + number for number in range(1, 7)]
    assert main.keys() == ["before", "good0", "good1", "good2", "more0", "more1", "more2"]
    assert store.fsck(verify_data=True).problems == []


def test_nothing_remains_of_an_operation_that_broke_half_way(main: Checkout) -> None:
    def half(tx: Transaction) -> None:
        tx.commit(main.branch.id, [Put("half", inline(b"half"))], author=AUTHOR, message="")
        raise Unexpected

    before = main.head()
    with held(main.store):
        future = main.store._committer.submit(half)
        other = put(main, "other")
    with pytest.raises(Unexpected):
        future.result()
    assert other.result().seq == 1
    assert main.keys() == ["other"]
    assert main.store.resolve(main.branch, "HEAD^").id == before
    with main.store._database.connection() as conn:
        assert contents.find_blob(conn, inline(b"half").digest) is None


def test_a_timeline_that_was_rolled_back_is_forgotten(main: Checkout) -> None:
    """Its number is given out again, to a timeline of another place."""

    def fork_then_break(tx: Transaction) -> None:
        from pfs.meta import refs

        number = refs.insert_timeline(tx.conn, uid=b"x" * 16, repo_id=1, parent_id=main.branch.timeline_id, fork_seq=0)
        tx.timelines.get(tx.conn, number)
        raise Unexpected

    main.put_all("a")
    main.put_all("b")
    with pytest.raises(Unexpected):
        main.store._committer.submit(fork_then_break).result()
    assert main.fork("dev", "HEAD^").keys() == ["a"]


def test_a_cancelled_operation_is_dropped(main: Checkout) -> None:
    with held(main.store):
        futures = [
            main.store.commit(main.branch, [Put(key, inline(b""))], author=AUTHOR) for key in ("kept", "cancelled")
        ]
        assert futures[1].cancel()
    assert futures[0].result().commit is not None
    with pytest.raises(CancelledError):
        futures[1].result()
    assert main.keys() == ["kept"]


def test_a_group_of_cancelled_operations_is_nothing(main: Checkout) -> None:
    with held(main.store):
        assert put_cancelled(main)
    assert main.put("next").seq == 1


def put_cancelled(checkout: Checkout) -> bool:
    return checkout.store.commit(checkout.branch, [Put("k", inline(b""))], author=AUTHOR).cancel()


def test_many_threads_write_at_once(main: Checkout) -> None:
    def work(name: int) -> list[str]:
        return [main.put(f"{name}/{number}", b"x" * number).commit_id for number in range(20)]

    with ThreadPoolExecutor(8) as pool:
        acknowledged = {commit_id for found in pool.map(work, range(8)) for commit_id in found}
    assert len(acknowledged) == 160
    assert len(main.keys()) == 160
    assert main.store.resolve(main.branch, "HEAD").seq == 160
    assert main.store.fsck().problems == []


def test_one_of_eight_threads_wins_an_absent_key(config: StoreConfig) -> None:
    """Through two stores, which stand for two processes."""
    stores, barrier = [open_store(config), open_store(config)], threading.Barrier(8)
    branch = Checkout.create(stores[0], "images").branch

    def claim(number: int, key: str) -> bool:
        barrier.wait()
        change = Put(key, inline(b"%d" % number), guard=absent)
        return stores[number % 2].commit(branch, [change], author=AUTHOR).result().commit is not None

    with ThreadPoolExecutor(8) as pool:
        for attempt in range(5):
            assert sum(pool.map(claim, range(8), [f"k{attempt}"] * 8)) == 1
    for store in stores:
        store.close()


def test_close_carries_out_what_is_queued(tmp_path: Path) -> None:
    config = StoreConfig(tmp_path)
    store = open_store(config)
    main = Checkout.create(store, "images")
    futures = [put(main, f"k{number}") for number in range(50)]
    store.close()
    assert [future.result().seq for future in futures] == list(range(1, 51))
    again = open_store(config)
    assert len(Checkout(again, again.branch("default", "images")).keys()) == 50
    again.close()


def test_a_closed_store_says_so(config: StoreConfig) -> None:
    store = open_store(config)
    main = Checkout.create(store, "images")
    view = main.view()
    store.close()
    store.close()
    with pytest.raises(StoreClosed):
        main.put("key")
    with pytest.raises(StoreClosed):
        store.read(view, "key")
    with pytest.raises(StoreClosed):
        store.list(view)
    with pytest.raises(StoreClosed):
        store.ping()
