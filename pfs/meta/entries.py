"""Queries: versions of keys. A level is one timeline's part of a view (`pfs.model.Level`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, or_, select, update

from pfs.errors import BadRecord
from pfs.meta.database import Connection, Row, Statement
from pfs.meta.settings import load_settings
from pfs.meta.tables import blobs, entries, entry_settings
from pfs.model import MARKER, OBJECT, CommitId, Digest, Entry, Level

_E = entries.c
_columns = (
    _E.key,
    _E.seq,
    _E.kind,
    _E.size,
    _E.digest,
    _E.layout,
    _E.etag,
    _E.attrs,
    _E.checksums,
    _E.commit_id,
    _E.time_us,
)
_WIDTH = len(_columns)
_this_key = (_E.timeline_id == bindparam("timeline"), _E.key == bindparam("key"))
_current = _E.until_seq.is_(None)
_upto = _E.seq <= bindparam("seq")
_visible = and_(_upto, or_(_current, _E.until_seq > bindparam("seq")))
_of_this_version = and_(entry_settings.c.key == _E.key, entry_settings.c.commit_id == _E.commit_id)
# One version, with its settings where it has any.
_one = select(*_columns, entry_settings.c.settings).outerjoin_from(entries, entry_settings, _of_this_version)
_live = _one.where(*_this_key, _current)
_latest = _one.where(*_this_key, _upto).order_by(_E.seq.desc()).limit(1)


def _with_settings(query: Select[Any]) -> Select[Any]:
    return query.add_columns(entry_settings.c.settings).outerjoin(entry_settings, _of_this_version)


class _Rows:
    """A query for rows in order, from key `first` on: below `end` or not, with settings or without."""

    def __init__(self, query: Select[Any], *order: ColumnElement[Any]) -> None:
        self.statements = {  # by (bounded, told)
            (bounded, told): Statement(
                (_with_settings(query) if told else query)
                .where(*((_E.key < bindparam("end"),) if bounded else ()))
                .order_by(*order)
                .limit(bindparam("limit"))
            )
            for bounded in (False, True)
            for told in (False, True)
        }

    def read(self, conn: Connection, end: bytes | None, told: bool, values: Mapping[str, Any]) -> Sequence[Entry]:
        if end is None:
            rows = conn.all(self.statements[False, told], **values)
        else:
            rows = conn.all(self.statements[True, told], end=end, **values)
        return [_entry(row) for row in rows] if told else _entries(rows)


def _with_data(query: Select[tuple[object, ...]]) -> Statement:
    return Statement(query.add_columns(blobs.c.data).outerjoin(blobs, blobs.c.digest == _E.digest))


_LIVE = Statement(_live)
_LIVE_DATA = _with_data(_live)
_LATEST = Statement(_latest)
_LATEST_DATA = _with_data(_latest)
_from = select(*_columns).where(_E.timeline_id == bindparam("timeline"), _E.key >= bindparam("first"))
_PAGE_LIVE = _Rows(_from.where(_current), _E.key)
_PAGE_AT = _Rows(_from.where(_visible), _E.key)
_versions = select(*_columns).where(_E.timeline_id == bindparam("timeline"), _upto, _E.seq > bindparam("above"))
_VERSIONS = _Rows(_versions.where(_E.key >= bindparam("first")), _E.key, _E.seq.desc())
_VERSIONS_OF_KEY = _Rows(_versions.where(_E.key == bindparam("key")), _E.seq.desc())
_this_commit = (_E.timeline_id == bindparam("timeline"), _E.seq == bindparam("seq"))
# Not ordered: SQLite would walk the whole timeline by key to spare itself the sorting of these few rows.
_CHANGES = Statement(select(*_columns).where(*_this_commit))
_KEYS_CHANGED = Statement(
    select(_E.key).where(_E.timeline_id == bindparam("timeline"), _E.seq > bindparam("above"), _upto)
)
_CLOSE = Statement(update(entries).where(*_this_key, _current).values(until_seq=bindparam("until")))
_INSERT = Statement(
    insert(entries)
    .inline()
    .values(
        timeline_id=bindparam("timeline"),
        key=bindparam("key"),
        seq=bindparam("seq"),
        until_seq=bindparam("until"),
        kind=bindparam("kind"),
        size=bindparam("size"),
        digest=bindparam("digest"),
        layout=bindparam("layout"),
        etag=bindparam("etag"),
        attrs=bindparam("attrs"),
        checksums=bindparam("checksums"),
        commit_id=bindparam("commit"),
        time_us=bindparam("time"),
    )
)
_FIRST_SEQ = Statement(select(func.min(_E.seq)).where(*_this_key))
_COUNT_AT = Statement(select(func.count()).select_from(entries).where(*_this_commit))
_SUM_LIVE = Statement(
    select(func.count(), func.coalesce(func.sum(_E.size), 0)).where(
        _E.timeline_id == bindparam("timeline"), _current, _E.kind == OBJECT
    )
)
_INTERVALS = Statement(
    select(_E.key, _E.seq, _E.until_seq, _E.kind, _E.size, _E.digest, _E.layout)
    .where(_E.timeline_id == bindparam("timeline"))
    .order_by(_E.key, _E.seq.desc())
)


def live(conn: Connection, level: Level, key: bytes) -> Entry | None:
    """What the level says of the key: an entry, a marker that hides what lies below, or nothing.

    On a level that is not live it is the latest version at or before its seq, closed markers included.
    """
    if level.live:
        row = conn.one(_LIVE, timeline=level.timeline_id, key=key)
    else:
        row = conn.one(_LATEST, timeline=level.timeline_id, key=key, seq=level.seq)
    return _entry(row) if row else None


def live_with_data(conn: Connection, level: Level, key: bytes) -> tuple[Entry, bytes | None] | None:
    """Like `live`, with the bytes where they are stored inline."""
    if level.live:
        row = conn.one(_LIVE_DATA, timeline=level.timeline_id, key=key)
    else:
        row = conn.one(_LATEST_DATA, timeline=level.timeline_id, key=key, seq=level.seq)
    return (_entry(row), row[-1]) if row else None


def latest(conn: Connection, timeline_id: int, key: bytes, seq: int) -> Entry | None:
    """The key's latest version in the timeline at or before `seq`, be it a marker."""
    row = conn.one(_LATEST, timeline=timeline_id, key=key, seq=seq)
    return _entry(row) if row else None


def page(
    conn: Connection, level: Level, first: bytes, end: bytes | None, limit: int, *, told: bool = False
) -> Sequence[Entry]:
    """The level's visible rows from key `first` on, below `end`, in key order; markers that hide
    something included. `told`: with their settings."""
    values = {"timeline": level.timeline_id, "first": first, "limit": limit}
    if level.live:
        return _PAGE_LIVE.read(conn, end, told, values)
    return _PAGE_AT.read(conn, end, told, {**values, "seq": level.seq})


def versions(
    conn: Connection, level: Level, above: int, first: bytes, end: bytes | None, limit: int, *, told: bool = False
) -> Sequence[Entry]:
    """All versions with `above` < seq ≤ the level's, from key `first` on, below `end`: by key, newest first."""
    values = {"timeline": level.timeline_id, "seq": level.seq, "above": above, "first": first, "limit": limit}
    return _VERSIONS.read(conn, end, told, values)


def versions_of_key(
    conn: Connection, level: Level, above: int, key: bytes, limit: int, *, told: bool = False
) -> Sequence[Entry]:
    """One key's versions with `above` < seq ≤ the level's, newest first."""
    values = {"timeline": level.timeline_id, "seq": level.seq, "above": above, "key": key, "limit": limit}
    return _VERSIONS_OF_KEY.read(conn, None, told, values)


def changes(conn: Connection, timeline_id: int, seq: int) -> Sequence[Entry]:
    """What one commit wrote, in key order."""
    return _entries(sorted(conn.all(_CHANGES, timeline=timeline_id, seq=seq), key=itemgetter(0)))


def keys_changed(conn: Connection, timeline_id: int, above: int, upto: int) -> set[bytes]:
    """The keys that the timeline's commits with `above` < seq ≤ `upto` wrote."""
    return {row[0] for row in conn.all(_KEYS_CHANGED, timeline=timeline_id, above=above, seq=upto)}


def close(conn: Connection, timeline_id: int, key: bytes, until_seq: int) -> None:
    """Ends the key's current row, where there is one."""
    conn.run(_CLOSE, timeline=timeline_id, key=key, until=until_seq)


def insert_entry(conn: Connection, timeline_id: int, key: bytes, entry: Entry, until_seq: int | None) -> None:
    conn.run(
        _INSERT,
        timeline=timeline_id,
        key=key,
        seq=entry.seq,
        until=until_seq,
        kind=entry.kind,
        size=entry.size,
        digest=entry.digest,
        layout=entry.layout,
        etag=entry.etag,
        attrs=entry.attrs,
        checksums=entry.checksums,
        commit=bytes.fromhex(entry.commit_id),
        time=entry.time_us,
    )


def first_seq(conn: Connection, timeline_id: int, key: bytes) -> int | None:
    """The oldest of the timeline's own versions of the key."""
    row = conn.one(_FIRST_SEQ, timeline=timeline_id, key=key)
    return row[0] if row else None


def count_at(conn: Connection, timeline_id: int, seq: int) -> int:
    """How many keys the timeline has a version of that begins at `seq`."""
    row = conn.one(_COUNT_AT, timeline=timeline_id, seq=seq)
    assert row is not None
    return int(row[0])


def sum_live(conn: Connection, timeline_id: int) -> tuple[int, int]:
    """How many objects are current in the timeline itself, and their bytes."""
    row = conn.one(_SUM_LIVE, timeline=timeline_id)
    assert row is not None
    return int(row[0]), int(row[1])


def intervals(conn: Connection, timeline_id: int) -> Iterator[Row]:
    """(key, seq, until_seq, kind, size, digest, layout) of every version, by key, newest first; see `stream`."""
    return conn.stream(_INTERVALS, timeline=timeline_id)


def marker(key: str, seq: int, commit_id: CommitId, time_us: int) -> Entry:
    return Entry(key, seq, MARKER, 0, Digest(b""), 0, "", "", "", commit_id, time_us)


def _entry(row: Row) -> Entry:
    """Of a row of `_one`: the version with its settings."""
    (entry,) = _entries((row[:_WIDTH],))
    return entry if row[_WIDTH] is None else entry._replace(settings=load_settings(row[_WIDTH]))


def _entries(rows: Iterable[Row]) -> list[Entry]:
    try:
        return [
            Entry(key.decode(), seq, kind, size, digest, layout, etag, attrs, checksums, commit_id.hex(), time_us)
            for key, seq, kind, size, digest, layout, etag, attrs, checksums, commit_id, time_us in rows
        ]
    except UnicodeDecodeError as exc:
        raise BadRecord("entries", f"the key {exc.object!r} is not UTF-8") from exc
