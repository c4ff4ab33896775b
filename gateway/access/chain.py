"""The audit log's records in SQL: one behind the other, each hashed together with the one before.

    record   canonical JSON: names in order, no blanks, ASCII, nothing that has no value
    hash     BLAKE3(hash of the record before ‖ record); the first one's follows 32 zero bytes

Records are numbered from 1 without a gap. Whoever alters, removes or inserts one has to make all later hashes anew, and
then the last is another than the one that was noted elsewhere. Nothing here changes or deletes a record, and the
database refuses to. Callers own the transaction: a record is added under the lock of the one writer.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from blake3 import blake3
from sqlalchemy import Select, bindparam, insert, select

from gateway.access.tables import audit
from pfs.sql import Connection, Row, Statement

Outcome = Literal["allowed", "refused", "failed"]

START = bytes(32)  # stands in for the hash before the first
_PAGE = 1000
_WIDER, _WIDEST = 4, 25_600  # how much of the log is looked through at a time where there is little to be found


@dataclass(frozen=True, slots=True)
class Record:
    """What somebody did, or was refused. "" and None: there is none, or nobody knows.

    `who` is a user's name, or `os:NAME` for an account of the machine that a command ran under. `code`: of a refusal or
    a failure. `version_id`: the revision that was read or made. `source`: what a copy was of. `bytes`: how many of an
    answer's body were about to be sent. `about`: further facts, as the user whom a right was given.
    """

    operation: str
    outcome: Outcome = "allowed"
    code: str = ""
    project: str = ""
    who: str = ""
    access_key: str = ""
    session: str = ""
    bucket: str = ""
    key: str = ""
    version_id: str = ""
    source: str = ""
    bytes: int | None = None
    address: str = ""
    request_id: str = ""
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place."""

    seq: int
    time_us: int
    record: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain is broken first: at the record `seq`, or where that ought to be."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """`head`: the hash of the last record, to be noted elsewhere. `has_noted`: whether the chain runs through the hash
    that was noted."""

    records: int
    head: bytes
    broken: Break | None = None
    has_noted: bool = True

    @property
    def is_whole(self) -> bool:
        return self.broken is None and self.has_noted


@dataclass(frozen=True, slots=True)
class Query:
    """Which records are looked for: those that all of it holds for. Times are µs, `until_us` is not among them."""

    project: str | None = None
    who: str | None = None
    operation: str | None = None
    outcome: str | None = None
    key: str | None = None
    since_us: int = 0
    until_us: int = 2**63 - 1
    after: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Records from the newest on. `before`: what the next page is to be asked for with, None where there is none. It
    may have fewer than were asked for, even none, and yet have a next one: where looking took too long."""

    entries: Sequence[Entry]
    before: int | None


# What the table repeats of a record for searching, and the checker compares.
_REPEATED = ("project", "who", "operation", "outcome")
_COLUMNS = (audit.c.seq, audit.c.time_us, audit.c.record, audit.c.hash)

_LAST = Statement(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1))
_ADD = Statement(insert(audit))
_ALL = Statement(select(*_COLUMNS, *(audit.c[name] for name in _REPEATED)).order_by(audit.c.seq))


@functools.cache
def _find(names: tuple[str, ...]) -> Statement:
    """By the columns named: each combination is a statement of its own, which can use its index."""
    return Statement(_matching(names).where(audit.c.seq > bindparam("after")).order_by(audit.c.seq).limit(_PAGE))


@functools.cache
def _find_newest(names: tuple[str, ...]) -> Statement:
    """All of a span of the log: from `first` on, before `before`."""
    span = (audit.c.seq >= bindparam("first"), audit.c.seq < bindparam("before"))
    return Statement(_matching(names).where(*span).order_by(audit.c.seq.desc()))


def _matching(names: tuple[str, ...]) -> Select[tuple[Any, ...]]:
    given = [audit.c[name] == bindparam(f"asked_{name}") for name in names]
    return select(*_COLUMNS).where(*given, audit.c.time_us >= bindparam("since"), audit.c.time_us < bindparam("until"))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record as it is kept, but for its place."""

    time_us: int
    text: str
    columns: Mapping[str, str]


def prepare(record: Record, time_us: int) -> Prepared:
    return Prepared(time_us, canonical(record, time_us), {name: _column(getattr(record, name)) for name in _REPEATED})


def canonical(record: Record, time_us: int) -> str:
    """The text that is hashed. It is ASCII: all databases keep it, and whatever a name holds is had back from it."""
    values = {each.name: getattr(record, each.name) for each in fields(record) if each.name != "about"}
    kept = {name: value for name, value in values.items() if value is not None and value != ""}
    if record.about:
        kept["about"] = dict(record.about)
    return json.dumps({**kept, "time_us": time_us}, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def next_hash(before: bytes, text: str) -> bytes:
    return blake3(before + text.encode("utf-8", "surrogateescape")).digest()


def add(conn: Connection, records: Iterable[Prepared]) -> None:
    """Puts records behind the last one, inside the one write transaction: nobody else adds any meanwhile."""
    last = conn.one(_LAST)
    seq, before = (int(last[0]), bytes(last[1])) if last is not None else (0, START)
    for found in records:
        seq, before = seq + 1, next_hash(before, found.text)
        conn.run(_ADD, seq=seq, time_us=found.time_us, record=found.text, hash=before, **found.columns)


def find(conn: Connection, query: Query) -> Iterator[Entry]:
    """In the order of the log, however many; pages are read as they are needed."""
    names, values = _asked(query)
    after = query.after
    while True:
        rows = conn.all(_find(names), **values, after=after)
        yield from _entries(rows, query)
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def find_newest(
    conn: Connection, query: Query, before: int | None, most: int, is_enough: Callable[[], bool] = lambda: False
) -> Page:
    """The newest records, of those before `before` where that is given. The log is looked through in spans that grow,
    so that a page of many is read at once and one of few in few steps; `is_enough` is asked after each."""
    names, values = _asked(query)
    last = conn.one(_LAST)
    behind_all = 1 if last is None else int(last[0]) + 1
    before = behind_all if before is None else min(before, behind_all)
    found: list[Entry] = []
    span = most
    while before > query.after + 1:
        first = max(before - span, query.after + 1)
        rows = conn.all(_find_newest(names), **values, first=first, before=before)
        found += itertools.islice(_entries(rows, query), most - len(found))
        before = first if len(found) < most else found[-1].seq
        if len(found) == most or is_enough():
            break
        span = min(span * _WIDER, _WIDEST)
    return Page(found, before if before > query.after + 1 else None)


def _asked(query: Query) -> tuple[tuple[str, ...], Mapping[str, object]]:
    """The columns that it names, and the values of its statement."""
    names = tuple(name for name in _REPEATED if getattr(query, name) is not None)
    values = {f"asked_{name}": _column(getattr(query, name)) for name in names}
    return names, {**values, "since": query.since_us, "until": query.until_us}


def _entries(rows: Iterable[Row], query: Query) -> Iterator[Entry]:
    spelled = f'"key":{json.dumps(query.key)}'  # as `canonical` has it: most records need not be parsed
    for row in rows:
        if query.key is None or (spelled in row[2] and json.loads(row[2]).get("key") == query.key):
            yield Entry(row[0], row[1], row[2], bytes(row[3]))


def verify(conn: Connection, noted: bytes | None = None) -> Verified:
    """Goes through all records, inside a transaction that sees one state, and stops at the first that does not fit."""
    count, before = 0, START
    has_noted = noted is None or noted == START
    for row in conn.stream(_ALL):
        broken = _broken(row, count + 1, before)
        if broken is not None:
            return Verified(count, before, broken, has_noted)
        count, before = count + 1, bytes(row[3])
        has_noted = has_noted or before == noted
    return Verified(count, before, None, has_noted)


def _broken(row: Row, seq: int, before: bytes) -> Break | None:
    found_seq, time_us, text, digest, *columns = row
    if found_seq != seq:
        return Break(seq, f"missing: the next record is {found_seq}")
    if next_hash(before, text) != bytes(digest):
        return Break(seq, "altered: the hash is not that of the record and those before it")
    try:
        record = json.loads(text)
    except ValueError:
        return Break(seq, "not a record: it is no JSON")
    if not isinstance(record, dict):
        return Break(seq, "not a record: it is no JSON object")
    if record.get("time_us") != time_us or columns != [_column(record.get(name, "")) for name in _REPEATED]:
        return Break(seq, "altered: the columns beside the record say something else than it does")
    return None


def _column(text: str) -> str:
    """As databases take it: PostgreSQL keeps no NUL, and none keeps half of a surrogate pair."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
