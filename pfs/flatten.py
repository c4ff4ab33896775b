"""Long chains of forks cut short: a timeline is given its own copy of what it inherits.

The copies are rows at seq = fork_seq, below all of the timeline's own commits, and keep the id and time of the
commit that wrote them. They say what is visible through the parents anyway, so that a timeline reads
the same before, during and after; only when all are there is it marked flat and its parents are no
longer asked. Work is done in small transactions: writers are held up for one batch at most.
"""

from __future__ import annotations

from pfs.commits.transaction import Transaction
from pfs.listing import visible_after
from pfs.meta import entries, refs
from pfs.timelines import Timelines

BATCH = 1_000


def copy_batch(tx: Transaction, timelines: Timelines, timeline_id: int, after: bytes | None) -> bytes | None:
    """Copies up to BATCH inherited keys behind `after`; the last one's key, None when done."""
    if not refs.has_timeline(tx.conn, timeline_id):
        return None  # it was collected meanwhile
    line = timelines.get(tx.conn, timeline_id)
    if line.parent_id is None or line.flat:
        return None
    levels = timelines.levels(tx.conn, line.parent_id, line.fork_seq, live=False)
    inherited = visible_after(tx.conn, levels, b"" if after is None else after + b"\0", BATCH)
    for entry in inherited:
        key = entry.key.encode()
        first = entries.first_seq(tx.conn, timeline_id, key)
        if first != line.fork_seq:
            entries.insert_entry(tx.conn, timeline_id, key, entry._replace(seq=line.fork_seq), first)
    if len(inherited) == BATCH:
        return inherited[-1].key.encode()
    refs.set_flat(tx.conn, timeline_id)
    return None
