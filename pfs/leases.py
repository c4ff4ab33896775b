"""Leases: work that one process at a time does, of all that share the store.

A lease is its holder's until its time is up or it is released. Times are the clocks' of those who ask: where machines
share a store their clocks should agree to a small part of a lease's length.
"""

from __future__ import annotations

from pfs.commits.transaction import Transaction, now_us
from pfs.meta import leases


def lease(tx: Transaction, name: str, holder: str, seconds: float) -> bool:
    now = now_us()
    held = leases.find_lease(tx.conn, name)
    if held is not None and held[0] != holder and held[1] > now:
        return False
    leases.put_lease(tx.conn, name, holder, now + round(seconds * 1_000_000))
    return True


def release(tx: Transaction, name: str, holder: str) -> None:
    leases.delete_lease(tx.conn, name, holder)
