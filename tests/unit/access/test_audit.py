"""The audit log: a chain without gap or fork, whoever appends, and no way to alter it that is not found."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from gateway.access.audit import AuditLog
from gateway.access.chain import START, Query, Record, canonical, next_hash
from gateway.access.directory import Directory
from gateway.access.errors import Exists
from gateway.access.model import SENSITIVE
from gateway.access.rights import Right
from gateway.access.vault import Vault
from pfs import StoreBusy
from pfs.sql import Database

from .conftest import KEY, Clock

READ = Record("GetObject", project="p11", who="ann", bucket="b", key="k", bytes=7)


@pytest.fixture
def log(directory: Directory, clock: Clock) -> Iterator[AuditLog]:
    opened = AuditLog(directory.database, clock)
    yield opened
    opened.close()


def told(log: AuditLog, **query: object) -> list[dict[str, object]]:
    return [json.loads(entry.record) for entry in log.search(Query(**query))]  # type: ignore[arg-type]


def tamper(directory: Directory, statement: str) -> None:
    """What somebody may do who owns the database."""
    database = directory.database
    drops = ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]
    with database.engine.connect() as conn:
        for drop in drops if database.is_sqlite else ["DROP TRIGGER audit_is_kept ON audit"]:
            conn.execute(text(drop))
        conn.execute(text(statement))
        conn.commit()


def test_an_empty_log_is_whole(log: AuditLog) -> None:
    verified = log.verify()
    assert (verified.records, verified.head, verified.is_whole) == (0, START, True)


def test_each_record_is_hashed_with_the_one_before(log: AuditLog, clock: Clock) -> None:
    log.append([READ, replace(READ, key="other")])
    log.append([replace(READ, who="ben")])
    before = START
    for seq, entry in enumerate(log.search(Query()), 1):
        before = next_hash(before, entry.record)
        assert (entry.seq, entry.hash, entry.time_us) == (seq, before, clock.now_us)
    assert log.verify().head == before
    assert log.verify().records == 3


def test_what_has_no_value_is_left_out_and_names_are_in_order() -> None:
    record = Record("GetObject", who="ann", bytes=0, about={"b": 1, "a": None})
    assert canonical(record, 5) == (
        '{"about":{"a":null,"b":1},"bytes":0,"operation":"GetObject","outcome":"allowed","time_us":5,"who":"ann"}'
    )


def test_search_is_by_all_that_is_asked_for(log: AuditLog, clock: Clock) -> None:
    log.append([READ, replace(READ, project="p12"), replace(READ, who="ben", outcome="refused", code="AccessDenied")])
    clock.forward(60)
    log.append([replace(READ, key="later", operation="HeadObject")])
    assert len(told(log, project="p11")) == 3
    assert [found["code"] for found in told(log, project="p11", outcome="refused")] == ["AccessDenied"]
    assert told(log, project="p12", who="ben") == []
    assert [found["operation"] for found in told(log, key="later")] == ["HeadObject"]
    assert [found["operation"] for found in told(log, since_us=clock.now_us)] == ["HeadObject"]
    assert len(told(log, until_us=clock.now_us)) == 3
    assert [found["key"] for found in told(log, after=3)] == ["later"]


def test_search_goes_beyond_a_page(log: AuditLog) -> None:
    log.append([replace(READ, key=f"k{number}") for number in range(2500)])
    assert len(told(log, who="ann")) == 2500
    assert log.verify().records == 2500


def newest(log: AuditLog, most: int, **query: object) -> list[list[int]]:
    """The numbers on each page."""
    pages, before = [], None
    while True:
        page = log.newest(Query(**query), before, most=most)  # type: ignore[arg-type]
        pages.append([entry.seq for entry in page.entries])
        before = page.before
        if before is None:
            return pages


def test_pages_go_from_the_newest_to_the_first_and_miss_none(log: AuditLog) -> None:
    assert newest(log, 2) == [[]]
    log.append([replace(READ, who="ann" if number % 3 else "ben", key=f"k{number % 2}") for number in range(1, 8)])
    assert newest(log, 3) == [[7, 6, 5], [4, 3, 2], [1]]
    assert newest(log, 7) == [[7, 6, 5, 4, 3, 2, 1]]
    assert newest(log, 1, who="ben") == [[6], [3], []]
    assert newest(log, 2, key="k0", who="ann") == [[4, 2], []]
    assert newest(log, 2, project="elsewhere") == [[]]
    assert newest(log, 2, after=4) == [[7, 6], [5]]
    assert [entry.seq for entry in log.newest(Query(), 10**15, most=1).entries] == [7]


def test_pages_are_of_the_log_as_it_was_when_the_first_was_read(log: AuditLog) -> None:
    log.append([READ] * 3)
    page = log.newest(Query(), most=2)
    log.append([READ] * 3)
    assert [entry.seq for entry in log.newest(Query(), page.before, most=2).entries] == [1]


def test_a_page_of_times_has_neither_earlier_nor_later_records(log: AuditLog, clock: Clock) -> None:
    for _ in range(3):
        log.append([READ])
        clock.forward(60)
    first_us = clock.now_us - 180_000_000
    assert newest(log, 9, since_us=first_us + 1) == [[3, 2]]
    assert newest(log, 9, until_us=first_us + 60_000_000) == [[1]]


def test_whoever_looks_too_long_for_a_rare_record_is_told_where_to_go_on(log: AuditLog) -> None:
    log.append([replace(READ, who="rare"), *[READ] * 30])
    page = log.newest(Query(who="rare"), most=10, patience_s=0)
    assert (page.entries, page.before) == ([], 22)
    page = log.newest(Query(who="rare"), page.before, most=10)
    assert ([entry.seq for entry in page.entries], page.before) == ([1], None)


def test_many_threads_and_two_directories_make_one_chain(directory: Directory, log: AuditLog, clock: Clock) -> None:
    database = directory.database
    lock_file = None
    if database.is_sqlite:
        assert database.url.database is not None
        lock_file = Path(database.url.database).parent / "gateway.lock"
    beside = Database(database.url, lock_file, database.writer_lock)
    other, other_log = Directory(beside, Vault([KEY]), clock), AuditLog(beside, clock)
    ready = threading.Barrier(6)

    def append(number: int) -> None:
        ready.wait()
        for turn in range(15):
            (log if number % 2 else other_log).append([replace(READ, key=f"{number}-{turn}")] * 2)

    def change(which: Directory) -> None:
        ready.wait()
        for turn in range(10):
            which.create_user(f"user{id(which)}-{turn}")

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(append, number) for number in range(4)]
        done += [pool.submit(change, which) for which in (directory, other)]
        for future in done:
            future.result()
    other_log.close()
    other.close()
    verified = log.verify()
    assert verified.is_whole
    assert verified.records == 4 * 15 * 2 + 2 * 10


@pytest.mark.parametrize(
    ("statement", "seq", "what"),
    [
        ("UPDATE audit SET record = replace(record, 'ann', 'bob') WHERE seq = 2", 2, "altered"),
        ("UPDATE audit SET who = 'bob' WHERE seq = 2", 2, "altered"),
        ("UPDATE audit SET time_us = 1 WHERE seq = 3", 3, "altered"),
        ("DELETE FROM audit WHERE seq = 1", 1, "missing"),
        ("DELETE FROM audit WHERE seq = 2", 2, "missing"),
        ("UPDATE audit SET seq = 9 WHERE seq = 3", 3, "missing"),
    ],
)
def test_tampering_is_found(directory: Directory, log: AuditLog, statement: str, seq: int, what: str) -> None:
    log.append([replace(READ, key=f"k{number}") for number in range(3)])
    tamper(directory, statement)
    broken = log.verify().broken
    assert broken is not None
    assert (broken.seq, broken.what.partition(":")[0]) == (seq, what)


def test_an_end_that_was_cut_off_is_found_with_the_head_noted_elsewhere(directory: Directory, log: AuditLog) -> None:
    log.append([READ, READ])
    noted = log.verify().head
    log.append([READ])
    assert log.verify(noted).is_whole, "the log has grown since"
    tamper(directory, "DELETE FROM audit WHERE seq > 1")
    assert log.verify().is_whole, "nothing in the database tells"
    assert not log.verify(noted).has_noted
    log.append([READ, READ])
    assert log.verify(noted).is_whole, "the very same records again"
    log.append([replace(READ, who="eve")])
    assert not log.verify(bytes(31) + b"\1").is_whole


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_records(directory: Directory, log: AuditLog, statement: str) -> None:
    log.append([READ])
    with directory.database.engine.connect() as conn, pytest.raises(DatabaseError, match="kept as they are"):
        conn.execute(text(statement))
    assert log.verify().records == 1


def test_a_change_of_the_directory_is_recorded_with_it_or_not_made(directory: Directory, log: AuditLog) -> None:
    directory.create_project("p11", SENSITIVE)
    directory.create_user("ann", password="a secret of hers")
    directory.grant("p11", "ann", Right.EXPORT)
    secret = directory.create_key("p11", "ann").secret
    with pytest.raises(Exists):
        directory.create_user("ann")
    found = told(log)
    assert [record["operation"] for record in found] == ["create_project", "create_user", "grant", "create_key"]
    assert found[2]["about"] == {"user": "ann", "right": "export"}
    assert found[2]["project"] == "p11"
    assert str(found[2]["who"]).startswith("os:")
    assert secret not in json.dumps(found)
    assert "a secret of hers" not in json.dumps(found)


def test_changes_are_those_of_whom_they_are_made_for(directory: Directory, log: AuditLog) -> None:
    directory.acting_as(Record("", who="root", address="192.0.2.1")).create_user("ann")
    assert [(found["who"], found["address"]) for found in told(log)] == [("root", "192.0.2.1")]


def test_records_wait_for_other_writers_and_can_be_withdrawn_meanwhile(directory: Directory, log: AuditLog) -> None:
    with directory.database.exclusive():
        waiting = [log.submit([READ]) for _ in range(3)]
        assert not any(future.done() for future in waiting)
        is_withdrawn = waiting[2].cancel()
    for future in waiting[:2]:
        future.result(10)
    assert log.verify().is_whole
    assert log.verify().records == (2 if is_withdrawn else 3), "it may have been in the group that waits"


def test_a_database_that_is_away_is_no_record(tmp_path: Path, clock: Clock) -> None:
    database = Database(f"sqlite:///{tmp_path}/not/there.db", None)
    log = AuditLog(database, clock)
    with pytest.raises(StoreBusy):
        log.append([READ])
    log.close()
    database.close()


_ANY = st.text(st.characters(codec=None), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=_ANY, who=_ANY, project=_ANY)
def test_any_text_is_kept_and_found(log: AuditLog, key: str, who: str, project: str) -> None:
    log.append([Record("GetObject", key=key, who=who, project=project)])
    assert log.verify().is_whole
    found = told(log, key=key, who=who, project=project) if key else told(log, who=who, project=project)
    assert (found[-1].get("key", ""), found[-1].get("who", "")) == (key, who)
