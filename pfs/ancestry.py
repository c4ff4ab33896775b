"""Which commits a commit descends from, through all its parents, and what two of them have in common.

Whoever reaches a commit of a timeline reaches all of its earlier ones. So a set of ancestors, however many, is
one number per timeline: the last seq that is reached there. To find it costs the timelines and merges on the way, not
the commits.

A commit is later than each of its parents (see `pfs.commits.transaction`), so that of any two commits the
later one is no ancestor of the earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pfs.errors import BadRecord
from pfs.meta import commits
from pfs.meta.database import Connection
from pfs.model import Commit
from pfs.timelines import Timelines

Reach = Mapping[int, int]
"""Timeline → the last of its own commits that is in the set; all before it are, too."""


def ancestors(conn: Connection, timelines: Timelines, *of: Commit) -> Reach:
    """The commits themselves, and all that is reached from them through first and further parents."""
    reach: dict[int, int] = {}
    for commit in of:
        _add(conn, timelines, commit, reach)
    return reach


def reaches(reach: Reach, commit: Commit) -> bool:
    return commit.seq <= reach.get(commit.timeline_id, -1)


def merge_bases(conn: Connection, timelines: Timelines, one: Commit, other: Commit) -> Sequence[Commit]:
    """The common ancestors that are no other common ancestor's ancestors: one, but for criss-cross merges."""
    reach, others = ancestors(conn, timelines, one), ancestors(conn, timelines, other)
    shared = [_own(conn, line, min(reach[line], others[line])) for line in reach if line in others]
    bases: list[Commit] = []
    covered: dict[int, int] = {}
    for commit in sorted(shared, key=lambda commit: (commit.time_us, commit.id), reverse=True):
        if not reaches(covered, commit):
            bases.append(commit)
            _add(conn, timelines, commit, covered)
    return bases


def _add(conn: Connection, timelines: Timelines, commit: Commit, reach: dict[int, int]) -> None:
    waiting = [(commit.timeline_id, commit.seq)]
    while waiting:
        for line, upto in timelines.lineage(conn, *waiting.pop()):
            above = reach.get(line.id, line.fork_seq)
            if upto > above:
                reach[line.id] = upto
                waiting += commits.merged_into(conn, line.id, above, upto)
            elif line.id in reach:
                break


def _own(conn: Connection, timeline_id: int, seq: int) -> Commit:
    commit = commits.commit_at(conn, timeline_id, seq)
    if commit is None:
        raise BadRecord("commits", f"timeline {timeline_id} has no commit {seq}")
    return commit
