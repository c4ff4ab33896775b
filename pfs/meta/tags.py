"""Queries: tags."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import tags
from pfs.model import CommitId, Tag

_T = tags.c
_columns = (_T.name, _T.commit_id, _T.author, _T.time_us, _T.message)
_this_tag = (_T.repo_id == bindparam("repo"), _T.name == bindparam("tag"))

_TAG = Statement(select(*_columns).where(*_this_tag))
_TAGS = Statement(
    select(*_columns)
    .where(_T.repo_id == bindparam("repo"), _T.name > bindparam("after"))
    .order_by(_T.name)
    .limit(bindparam("limit"))
)
_COUNT = Statement(select(func.count()).select_from(tags).where(_T.repo_id == bindparam("repo")))
_INSERT = Statement(
    insert(tags).values(
        {
            "repo_id": bindparam("repo"),
            "name": bindparam("tag"),
            "commit_id": bindparam("commit"),
            "author": bindparam("by"),
            "time_us": bindparam("time"),
            "message": bindparam("text"),
        }
    )
)
_DELETE = Statement(delete(tags).where(*_this_tag))


def find_tag(conn: Connection, repo_id: int, name: str) -> Tag | None:
    row = conn.one(_TAG, repo=repo_id, tag=name)
    return _tag(row) if row else None


def tags_of_repo(conn: Connection, repo_id: int, after: str, limit: int) -> Sequence[Tag]:
    """By name, those behind `after`."""
    return [_tag(row) for row in conn.all(_TAGS, repo=repo_id, after=after, limit=limit)]


def count_tags(conn: Connection, repo_id: int) -> int:
    row = conn.one(_COUNT, repo=repo_id)
    assert row is not None
    return int(row[0])


def insert_tag(conn: Connection, repo_id: int, tag: Tag) -> None:
    conn.run(
        _INSERT,
        repo=repo_id,
        tag=tag.name,
        commit=bytes.fromhex(tag.commit_id),
        by=tag.author,
        time=tag.time_us,
        text=tag.message,
    )


def delete_tag(conn: Connection, repo_id: int, name: str) -> bool:
    """Whether there was one."""
    return conn.run(_DELETE, repo=repo_id, tag=name) > 0


def _tag(row: Row) -> Tag:
    return Tag(row[0], CommitId(row[1].hex()), *row[2:])
