"""Queries: leases."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select, update

from pfs.meta.database import Connection, Statement
from pfs.meta.tables import leases

_L = leases.c
_this_lease = _L.name == bindparam("lease")

_LEASE = Statement(select(_L.holder, _L.until_us).where(_this_lease))
_INSERT = Statement(
    insert(leases).values(name=bindparam("lease"), holder=bindparam("who"), until_us=bindparam("until"))
)
_TAKE = Statement(update(leases).where(_this_lease).values(holder=bindparam("who"), until_us=bindparam("until")))
_RELEASE = Statement(delete(leases).where(_this_lease, _L.holder == bindparam("who")))


def take(conn: Connection, name: str, holder: str, now_us: int, until_us: int) -> bool:
    """Takes or renews the lease; False while somebody else has it."""
    found = conn.one(_LEASE, lease=name)
    if found is None:
        conn.run(_INSERT, lease=name, who=holder, until=until_us)
        return True
    if found[0] != holder and found[1] > now_us:
        return False
    conn.run(_TAKE, lease=name, who=holder, until=until_us)
    return True


def release(conn: Connection, name: str, holder: str) -> None:
    conn.run(_RELEASE, lease=name, who=holder)


def is_held(conn: Connection, name: str, holder: str) -> bool:
    """Whether it is the holder's: nobody else has taken it, which they may once its time is over."""
    found = conn.one(_LEASE, lease=name)
    return found is not None and found[0] == holder
