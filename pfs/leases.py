"""Leases: work that one process at a time does, of all that share a store.

A lease is its holder's until it is released or its time is over; a holder that died needs no cleaning up after.
Times are the machines' own clocks: they should agree to within a small part of a lease. Whoever writes under a lease
looks inside the same transaction whether it is still held (`confirm`), since a process that stood still may have
lost it.
"""

from __future__ import annotations

from pfs.commits.transaction import Transaction, now_us
from pfs.errors import StoreBusy
from pfs.meta import leases


def lease(tx: Transaction, name: str, holder: str, seconds: float) -> bool:
    """Takes the lease for so long from now, or renews it; False while another holder has it."""
    now = now_us()
    return leases.take(tx.conn, name, holder, now, now + round(seconds * 1_000_000))


def release(tx: Transaction, name: str, holder: str) -> None:
    """Gives it back; nothing happens where it is somebody else's by now."""
    leases.release(tx.conn, name, holder)


def confirm(tx: Transaction, name: str, holder: str) -> None:
    """Raises StoreBusy where the lease is not the holder's any more."""
    if not leases.is_held(tx.conn, name, holder):
        raise StoreBusy(f"the lease {name!r} went to another process")
