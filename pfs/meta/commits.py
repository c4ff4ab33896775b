"""Queries: commits and their parents."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, func, insert, select

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import commits, merge_parents, timelines
from pfs.model import Commit, CommitId

_C, _P = commits.c, merge_parents.c
_columns = (_C.id, _C.timeline_id, _C.seq, _C.author, _C.time_us, _C.message, _C.metadata, _C.change_count)

_AT = Statement(select(*_columns).where(_C.timeline_id == bindparam("timeline"), _C.seq == bindparam("seq")))
# A subquery, since SQLite would make a join begin with the repo's timelines, and walk all their commits.
_repo = select(timelines.c.repo_id).where(timelines.c.id == _C.timeline_id).scalar_subquery()
_BY_PREFIX = Statement(
    select(*_columns)
    .where(_C.id >= bindparam("first"), _C.id <= bindparam("last"), _repo == bindparam("repo"))
    .order_by(_C.id)
    .limit(bindparam("limit"))
)
_ANYWHERE = Statement(
    select(_C.timeline_id)
    .where(_C.id >= bindparam("first"), _C.id <= bindparam("last"))
    .order_by(_C.id)
    .limit(bindparam("limit"))
)
_IN_TIMELINE = Statement(
    select(*_columns)
    .where(_C.timeline_id == bindparam("timeline"), _C.seq > bindparam("after"))
    .order_by(_C.seq)
    .limit(bindparam("limit"))
)
_MERGE_PARENTS = Statement(
    select(_P.parent_id).where(_P.timeline_id == bindparam("timeline"), _P.seq == bindparam("seq")).order_by(_P.number)
)
_DOWN = Statement(
    select(*_columns)
    .where(_C.timeline_id == bindparam("timeline"), _C.seq > bindparam("above"), _C.seq <= bindparam("seq"))
    .order_by(_C.seq.desc())
    .limit(bindparam("limit"))
)
_UP = Statement(
    select(*_columns)
    .where(_C.timeline_id == bindparam("timeline"), _C.seq > bindparam("above"), _C.seq <= bindparam("seq"))
    .order_by(_C.seq)
    .limit(bindparam("limit"))
)
_MERGED_INTO = Statement(
    select(_C.timeline_id, func.max(_C.seq))
    .join_from(merge_parents, commits, _C.id == _P.parent_id)
    .where(_P.timeline_id == bindparam("timeline"), _P.seq > bindparam("above"), _P.seq <= bindparam("seq"))
    .group_by(_C.timeline_id)
)
_COUNT = Statement(
    select(func.count())
    .join_from(timelines, commits, _C.timeline_id == timelines.c.id)
    .where(timelines.c.repo_id == bindparam("repo"))
)
_INSERT = Statement(
    insert(commits).values(
        {
            "timeline_id": bindparam("timeline_id"),
            "seq": bindparam("seq"),
            "id": bindparam("id"),
            "author": bindparam("author"),
            "time_us": bindparam("time_us"),
            "message": bindparam("message"),
            "metadata": bindparam("metadata"),
            "change_count": bindparam("change_count"),
        }
    )
)
_INSERT_MERGE_PARENT = Statement(
    insert(merge_parents).values(
        timeline_id=bindparam("timeline"),
        seq=bindparam("seq"),
        number=bindparam("number"),
        parent_id=bindparam("parent"),
    )
)


def commit_at(conn: Connection, timeline_id: int, seq: int) -> Commit | None:
    """The timeline's own commit; None where `seq` belongs to an ancestor timeline."""
    row = conn.one(_AT, timeline=timeline_id, seq=seq)
    return _commit(row) if row else None


def commits_by_prefix(conn: Connection, repo_id: int, prefix: str, limit: int) -> Sequence[Commit]:
    """The repo's commits whose ids begin with these 1 to 64 hex digits, ordered by id."""
    first, last = _range(prefix)
    return [_commit(row) for row in conn.all(_BY_PREFIX, repo=repo_id, first=first, last=last, limit=limit)]


def timelines_with_commit(conn: Connection, prefix: str, limit: int) -> Sequence[int]:
    """The timelines of commits whose ids begin with these hex digits, in whichever repo, ordered by the ids."""
    first, last = _range(prefix)
    return [row[0] for row in conn.all(_ANYWHERE, first=first, last=last, limit=limit)]


def commits_in_timeline(conn: Connection, timeline_id: int, after: int, limit: int) -> Sequence[Commit]:
    """The timeline's own commits with seq > `after`, oldest first."""
    return [_commit(row) for row in conn.all(_IN_TIMELINE, timeline=timeline_id, after=after, limit=limit)]


def commits_down(conn: Connection, timeline_id: int, above: int, upto: int, limit: int) -> Sequence[Commit]:
    """The timeline's own commits with `above` < seq ≤ `upto`, newest first."""
    return [_commit(row) for row in conn.all(_DOWN, timeline=timeline_id, above=above, seq=upto, limit=limit)]


def commits_up(conn: Connection, timeline_id: int, above: int, upto: int, limit: int) -> Sequence[Commit]:
    """The timeline's own commits with `above` < seq ≤ `upto`, oldest first."""
    return [_commit(row) for row in conn.all(_UP, timeline=timeline_id, above=above, seq=upto, limit=limit)]


def merged_into(conn: Connection, timeline_id: int, above: int, upto: int) -> Sequence[tuple[int, int]]:
    """What the timeline's commits with `above` < seq ≤ `upto` have merged: (timeline, the last seq of it)."""
    rows = conn.all(_MERGED_INTO, timeline=timeline_id, above=above, seq=upto)
    return [(timeline, seq) for timeline, seq in rows]


def count_commits(conn: Connection, repo_id: int) -> int:
    row = conn.one(_COUNT, repo=repo_id)
    assert row is not None
    return int(row[0])


def merge_parents_of(conn: Connection, timeline_id: int, seq: int) -> Sequence[CommitId]:
    """The second and further parents, in order."""
    return [CommitId(row[0].hex()) for row in conn.all(_MERGE_PARENTS, timeline=timeline_id, seq=seq)]


def insert_commit(conn: Connection, commit: Commit, merged: Sequence[CommitId]) -> None:
    conn.run(
        _INSERT,
        timeline_id=commit.timeline_id,
        seq=commit.seq,
        id=bytes.fromhex(commit.id),
        author=commit.author,
        time_us=commit.time_us,
        message=commit.message,
        metadata=commit.metadata,
        change_count=commit.change_count,
    )
    for number, parent in enumerate(merged, start=2):
        conn.run(
            _INSERT_MERGE_PARENT,
            timeline=commit.timeline_id,
            seq=commit.seq,
            number=number,
            parent=bytes.fromhex(parent),
        )


def _range(prefix: str) -> tuple[bytes, bytes]:
    return bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))


def _commit(row: Row) -> Commit:
    return Commit(CommitId(row[0].hex()), *row[1:])
