"""Queries: leases."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select, update

from pfs.meta.database import Connection, Statement
from pfs.meta.tables import leases

_L = leases.c
_this = _L.name == bindparam("lease")

_FIND = Statement(select(_L.holder, _L.until_us).where(_this))
_RENEW = Statement(update(leases).where(_this).values(holder=bindparam("by"), until_us=bindparam("until")))
_INSERT = Statement(insert(leases).values(name=bindparam("lease"), holder=bindparam("by"), until_us=bindparam("until")))
_DELETE = Statement(delete(leases).where(_this, _L.holder == bindparam("by")))


def find_lease(conn: Connection, name: str) -> tuple[str, int] | None:
    """Its holder, and until when."""
    row = conn.one(_FIND, lease=name)
    return (row[0], row[1]) if row else None


def put_lease(conn: Connection, name: str, holder: str, until_us: int) -> None:
    if not conn.run(_RENEW, lease=name, by=holder, until=until_us):
        conn.run(_INSERT, lease=name, by=holder, until=until_us)


def delete_lease(conn: Connection, name: str, holder: str) -> None:
    conn.run(_DELETE, lease=name, by=holder)
