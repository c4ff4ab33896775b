"""What the store needs of a database, asked of each: one writer, snapshots, order, durability of bytes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pfs import (
    NoSuchBranch,
    StoreBusy,
    StoreClosed,
    StoreConfig,
    open_store,
)
from pfs.meta import contents, refs
from pfs.meta.database import Database
from pfs.meta.migrate import upgrade
from pfs.model import Digest
from tests.stores import PROJECT, Checkout, PostgreSQL

LAST = 2**63 - 1


@pytest.fixture
def database(config: StoreConfig, tmp_path: Path) -> Iterator[Database]:
    opened = another(config, tmp_path)
    upgrade(opened)
    yield opened
    opened.close()


def another(config: StoreConfig, tmp_path: Path) -> Database:
    return Database(config.database_url or f"sqlite:///{tmp_path}/caret.db", tmp_path / "write.lock")


def blob(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


def found(database: Database, number: int) -> bool:
    with database.connection() as conn:
        return contents.find_blob(conn, blob(number)) is not None


def test_a_transaction_is_seen_when_it_is_done_and_whole(database: Database) -> None:
    with database.transaction() as conn:
        contents.insert_blob(conn, blob(1), b"1")
        contents.insert_blob(conn, blob(2), b"2")
        assert not found(database, 1)
        assert contents.find_blob(conn, blob(1)) is not None
    assert found(database, 1)
    assert found(database, 2)


def test_a_broken_transaction_leaves_nothing(database: Database) -> None:
    def break_with(error: Exception, number: int) -> None:
        with database.transaction() as conn:
            contents.insert_blob(conn, blob(number), b"")
            raise error

    with pytest.raises(ZeroDivisionError):
        break_with(ZeroDivisionError(), 1)
    with pytest.raises(NoSuchBranch):
        break_with(NoSuchBranch("", ""), 2)
    assert not found(database, 1)
    assert not found(database, 2)
    with database.transaction() as conn:
        contents.insert_blob(conn, blob(3), b"3")
    assert found(database, 3)


def test_a_snapshot_stays_while_others_write(database: Database) -> None:
    with database.snapshot() as conn:
        assert contents.find_blob(conn, blob(1)) is None
        with database.transaction() as writer:
            contents.insert_blob(writer, blob(1), b"1")
        assert contents.find_blob(conn, blob(1)) is None
    assert found(database, 1)


def test_a_snapshot_can_not_write(postgresql: PostgreSQL) -> None:
    """On SQLite nothing would stop it: its transactions know no such mode."""
    database = Database(postgresql.emptied_database(), None)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), database.snapshot() as conn:
        contents.insert_blob(conn, blob(1), b"1")
    database.close()


def test_writers_exclude_each_other_across_opened_databases(
    database: Database, config: StoreConfig, tmp_path: Path
) -> None:
    """Two of them stand for two processes: nothing but the database and its lock is shared."""
    other = another(config, tmp_path)
    inside, worst = 0, 0
    lock = threading.Lock()

    def write(through: Database, number: int) -> None:
        nonlocal inside, worst
        for step in range(5):
            with through.transaction() as conn:
                with lock:
                    inside += 1
                    worst = max(worst, inside)
                time.sleep(0.001)
                contents.insert_blob(conn, blob(number * 100 + step), b"")
                with lock:
                    inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (database, other, database, other), range(4)))
    other.close()
    assert worst == 1
    assert all(found(database, number * 100 + step) for number in range(4) for step in range(5))


def test_a_blob_is_recorded_once(database: Database) -> None:
    with database.transaction() as conn:
        for data in (b"first", b"second", None):
            contents.insert_blob(conn, blob(1), data)
            contents.insert_manifest(conn, blob(1), data or b"")
        assert contents.find_blob(conn, blob(1)) == (blob(1), b"first")
        assert contents.find_manifest(conn, blob(1)) == b"first"
    with database.transaction() as conn:
        contents.insert_blob(conn, blob(1), b"third")
    with database.connection() as conn:
        assert [row[1:] for row in contents.blobs_after(conn, 0, 10)] == [(blob(1), b"first")]


def test_bytes_and_wide_numbers_come_back(database: Database) -> None:
    data = bytes(range(256)) * 300
    with database.transaction() as conn:
        contents.insert_blob(conn, blob(1), data)
        contents.insert_blob(conn, blob(2), b"")
        repo = refs.insert_repo(conn, uid=b"\0\xff", project=PROJECT, name="n", default_branch="main", created_us=LAST)
    with database.connection() as conn:
        assert contents.find_blob(conn, blob(1)) == (blob(1), data)
        assert contents.find_blob(conn, blob(2)) == (blob(2), b"")
        assert refs.repo_by_id(conn, repo).created_us == LAST
        assert refs.repo_by_id(conn, repo).uid == b"\0\xff"


def test_names_are_ordered_by_their_bytes(database: Database) -> None:
    """Whatever the server's locale."""
    labels = ["b", "B", "a-b", "a.b", "ab", "é", "e\u0301", "z", "\U0001f600", "\uffff"]
    with database.transaction() as conn:
        repo = refs.insert_repo(conn, uid=b"r", project=PROJECT, name="n", default_branch="main", created_us=0)
        for number, label in enumerate(labels):
            refs.insert_branch(
                conn,
                project=PROJECT,
                repo_id=repo,
                name=f"b{number}",
                label=label,
                timeline_id=1,
                head_seq=0,
                created_us=0,
            )
        listed = [branch.label for branch in refs.branches_by_label(conn, PROJECT, "", "", 100)]
    assert listed == sorted(labels, key=str.encode)


def test_a_database_that_is_not_there_is_busy(tmp_path: Path) -> None:
    for url in ("postgresql+psycopg://nobody@/nowhere?host=/nowhere", f"sqlite:///{tmp_path}/absent/caret.db"):
        with pytest.raises(StoreBusy):
            open_store(StoreConfig(tmp_path / "data", database_url=url))


def test_a_connection_that_was_lost_is_busy_once(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """The next call makes a new one."""
    url = postgresql.emptied_database()
    store = open_store(StoreConfig(tmp_path, database_url=url))
    main = Checkout.create(store, "images")
    main.put("key", b"v")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(main.get("key"))
        except StoreBusy:
            outcomes.append(b"busy")
    assert outcomes[-1] == b"v"
    assert b"busy" in outcomes
    main.put("key", b"w")
    assert main.get("key") == b"w"
    store.close()


def test_a_closed_database_says_so_and_keeps_nothing_open(database: Database) -> None:
    with database.connection() as conn:
        database.close()
        assert contents.find_blob(conn, blob(1)) is None
    with pytest.raises(StoreClosed), database.connection():
        pass
    with pytest.raises(StoreClosed), database.transaction():
        pass
    assert not database._idle


# ---------------------------------------------------------------- two stores, two processes


def test_two_stores_see_each_others_writes(config: StoreConfig) -> None:
    first, second = open_store(config), open_store(config)
    ours = Checkout.create(first, "images")
    theirs = Checkout(second, second.branch(PROJECT, "images"))
    for number in range(10):
        (ours, theirs)[number % 2].put(f"k{number}", b"%d" % number)
        assert (ours, theirs)[1 - number % 2].get(f"k{number}") == b"%d" % number
    dev = theirs.fork("dev")
    assert Checkout(first, first.branch(PROJECT, "images", "dev")).keys() == dev.keys()
    first.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchBranch):
        dev.put("late")
    assert ours.store.fsck().problems == []
    first.close()
    second.close()


def test_processes_lose_no_update(config: StoreConfig) -> None:
    """Each of two counts a key up by compare-and-swap; then their counts add up."""
    store = open_store(config)
    main = Checkout.create(store, "images")
    main.put("count", b"0")
    arguments = [str(config.data), config.database_url or "", "20"]
    processes = [subprocess.Popen([sys.executable, "-m", "tests.contract.counting", *arguments]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert main.get("count") == b"40"
    assert store.resolve(main.branch, "HEAD").seq == 41
    assert store.fsck().problems == []
    store.close()


def test_a_store_opens_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c=d&é%20#"
    for _ in range(2):
        store = open_store(StoreConfig(folder))
        if not store.branches(PROJECT):
            Checkout.create(store, "images")
        assert [branch.repo for branch in store.branches(PROJECT)] == ["images"]
        store.close()
    assert (folder / "caret.db").exists()
