"""Which timelines a commit's tree is made of. Timelines never change their parents, so they are kept."""

from __future__ import annotations

from collections.abc import Iterator

from pfs.errors import BadRecord
from pfs.meta import refs
from pfs.meta.database import Connection
from pfs.meta.refs import Timeline
from pfs.model import Level

_MAX_DEPTH = 100_000


class Timelines:
    """A cache of timelines; thread-safe, since entries are only ever added or refreshed."""

    def __init__(self) -> None:
        self._known: dict[int, Timeline] = {}

    def get(self, conn: Connection, timeline_id: int) -> Timeline:
        found = self._known.get(timeline_id)
        if found is None:
            found = self._known[timeline_id] = refs.timeline(conn, timeline_id)
        return found

    def forget(self) -> None:
        """After a timeline was flattened (one that others remember as unflattened reads the same), and
        after a rollback, which may have undone timelines whose numbers will be used again."""
        self._known.clear()

    def owner(self, conn: Connection, timeline_id: int, seq: int) -> int:
        """The timeline whose own commit is the first-parent ancestor `seq` of this one."""
        return next(line.id for line, _ in self.lineage(conn, timeline_id, seq) if seq > line.fork_seq)

    def levels(self, conn: Connection, timeline_id: int, seq: int, *, live: bool) -> tuple[Level, ...]:
        """The levels of a view of (timeline, seq); the first is live where asked.

        A flat timeline holds what it inherited itself; behind a fork of the repo's root commit (seq 0)
        there is nothing to inherit.
        """
        levels = []
        for line, upto in self.lineage(conn, timeline_id, seq):
            levels.append(Level(line.id, upto, live))
            if line.flat or line.fork_seq == 0:
                break
            live = False
        return tuple(levels)

    def lineage(self, conn: Connection, timeline_id: int, seq: int) -> Iterator[tuple[Timeline, int]]:
        """The timeline and its ancestors up to the root, each with the last seq that counts there."""
        for _ in range(_MAX_DEPTH):
            line = self.get(conn, timeline_id)
            yield line, seq
            if line.parent_id is None:
                return
            timeline_id, seq = line.parent_id, min(seq, line.fork_seq)
        raise BadRecord("timelines", f"the ancestry of {timeline_id} has no end")
