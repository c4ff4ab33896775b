"""Queries: blobs (their bytes where these are inline) and manifests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import blobs, condemned, manifests
from pfs.model import BLOB, Digest


def _insert_new(table: Table, *columns: str) -> Statement:
    """Inserts a row, unless it is there. Core has no common form of this: each dialect has its own."""
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return Statement(
        sqlite.insert(table).values(values).on_conflict_do_nothing(),
        postgresql=postgresql.insert(table).values(values).on_conflict_do_nothing().inline(),
    )


_INSERT_BLOB = _insert_new(blobs, "digest", "data")
_INSERT_MANIFEST = _insert_new(manifests, "digest", "body")
_BLOB = Statement(select(blobs.c.digest, blobs.c.data).where(blobs.c.digest == bindparam("digest")))
_MANIFEST = Statement(select(manifests.c.body).where(manifests.c.digest == bindparam("digest")))
_HAS_BLOB = Statement(select(blobs.c.id).where(blobs.c.digest == bindparam("digest")))
_HAS_MANIFEST = Statement(select(manifests.c.digest).where(manifests.c.digest == bindparam("digest")))
_ABSOLVE = Statement(delete(condemned).where(condemned.c.digest == bindparam("digest")))
_BLOBS = Statement(
    select(blobs.c.id, blobs.c.digest, blobs.c.data)
    .where(blobs.c.id > bindparam("after"))
    .order_by(blobs.c.id)
    .limit(bindparam("limit"))
)
_MANIFESTS = Statement(
    select(manifests.c.digest, manifests.c.body)
    .where(manifests.c.digest > bindparam("after"))
    .order_by(manifests.c.digest)
    .limit(bindparam("limit"))
)


def insert_blob(conn: Connection, digest: Digest, data: bytes | None) -> None:
    """Records a blob; `data` is None for one whose bytes are in the blob store. One that is there is `absolve`d."""
    if not conn.run(_INSERT_BLOB, digest=digest, data=data):
        absolve(conn, digest)


def insert_manifest(conn: Connection, digest: Digest, body: bytes) -> None:
    """Records a manifest. One that is there is `absolve`d."""
    if not conn.run(_INSERT_MANIFEST, digest=digest, body=body):
        absolve(conn, digest)


def absolve(conn: Connection, digest: Digest) -> None:
    """Takes a blob or manifest off those that are to be collected: something is about to refer to it again. Only
    what is recorded can be condemned, so that whoever inserts a new one has nothing to do."""
    conn.run(_ABSOLVE, digest=digest)


def is_recorded(conn: Connection, digest: Digest, layout: int) -> bool:
    return conn.one(_HAS_BLOB if layout == BLOB else _HAS_MANIFEST, digest=digest) is not None


def find_blob(conn: Connection, digest: Digest) -> Row | None:
    """(digest, inline bytes or None); None for a blob that is not recorded."""
    return conn.one(_BLOB, digest=digest)


def find_manifest(conn: Connection, digest: Digest) -> bytes | None:
    row = conn.one(_MANIFEST, digest=digest)
    return row[0] if row else None


def blobs_after(conn: Connection, after: int, limit: int) -> Sequence[Row]:
    """(id, digest, inline bytes or None), by id."""
    return conn.all(_BLOBS, after=after, limit=limit)


def manifests_after(conn: Connection, after: bytes, limit: int) -> Sequence[Row]:
    """(digest, body), by digest."""
    return conn.all(_MANIFESTS, after=after, limit=limit)
