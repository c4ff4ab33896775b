"""Queries: blobs (their bytes where these are inline) and manifests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import blobs, manifests
from pfs.model import Digest


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
    """Records a blob; `data` is None for one whose bytes are in the blob store. Again is a no-op."""
    conn.run(_INSERT_BLOB, digest=digest, data=data)


def insert_manifest(conn: Connection, digest: Digest, body: bytes) -> None:
    conn.run(_INSERT_MANIFEST, digest=digest, body=body)


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
