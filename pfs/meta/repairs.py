"""Queries: what `pfs.repair` finds and mends."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, exists, select, update

from pfs.meta.database import Connection, Statement
from pfs.meta.refs import NOBODY
from pfs.meta.tables import branches, entries, parts, protections, uploads

_B, _E, _P, _U = branches.c, entries.c, parts.c, uploads.c
_this_version = (_E.timeline_id == bindparam("line"), _E.key == bindparam("raw_key"), _E.seq == bindparam("at"))

_STRAY_UPLOADS = Statement(
    select(_U.id).where(~exists().where(_B.id == _U.branch_id, _B.repo_id != NOBODY)).order_by(_U.id)
)
_STRAY_PARTS = Statement(
    select(_P.upload_id).where(~exists().where(_U.id == _P.upload_id)).distinct().order_by(_P.upload_id)
)
_SET_UNTIL = Statement(update(entries).where(*_this_version).values(until_seq=bindparam("ends")))
_DROP_VERSION = Statement(delete(entries).where(*_this_version))
_PATTERNS = Statement(select(protections.c.pattern).where(protections.c.repo_id == bindparam("repo")))
_FLAGS = Statement(
    select(_B.id, _B.name, _B.protected).where(
        _B.repo_id == bindparam("repo"), _B.deleted_us.is_(None), _B.transaction_id.is_(None)
    )
)
_SET_FLAG = Statement(update(branches).where(_B.id == bindparam("branch")).values(protected=bindparam("flag")))


def stray_uploads(conn: Connection) -> Sequence[str]:
    """Uploads whose branch is not there."""
    return [row[0] for row in conn.all(_STRAY_UPLOADS)]


def stray_parts(conn: Connection) -> Sequence[str]:
    """Uploads that are not there, but have parts."""
    return [row[0] for row in conn.all(_STRAY_PARTS)]


def set_until(conn: Connection, line_id: int, key: bytes, seq: int, until_seq: int | None) -> None:
    conn.run(_SET_UNTIL, line=line_id, raw_key=key, at=seq, ends=until_seq)


def drop_version(conn: Connection, line_id: int, key: bytes, seq: int) -> None:
    conn.run(_DROP_VERSION, line=line_id, raw_key=key, at=seq)


def patterns_of(conn: Connection, repo_id: int) -> Sequence[str]:
    """Of branches that take merges only."""
    return [row[0] for row in conn.all(_PATTERNS, repo=repo_id)]


def protected_flags(conn: Connection, repo_id: int) -> Sequence[tuple[int, str, int]]:
    """(branch, name, flag)."""
    return [(branch, name, flag) for branch, name, flag in conn.all(_FLAGS, repo=repo_id)]


def set_protected(conn: Connection, branch_id: int, flag: int) -> None:
    conn.run(_SET_FLAG, branch=branch_id, flag=flag)
