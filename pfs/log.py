"""The history of a commit, newest first: along first parents or through all of them, of a tree or of one key.

Both are runs of timelines, merged by time. A commit is later than its parents, so it comes before them, and
a page goes on behind its last commit by that commit's time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from pfs.ancestry import ancestors
from pfs.meta import commits, entries
from pfs.meta.database import Connection
from pfs.model import Commit, CommitId, Level, Logged
from pfs.timelines import Timelines

_BATCH = 100
_Run = tuple[int, int, int]
"""(timeline, above, upto): its own commits with above < seq ≤ upto."""

_Fetch = Callable[[_Run, int], Sequence[Commit]]


def log(
    conn: Connection,
    timelines: Timelines,
    start: Commit,
    *,
    key: bytes | None,
    all_parents: bool,
    after: Commit | None,
    limit: int,
) -> Sequence[Logged]:
    """Up to `limit` commits from `start` on, or of those behind `after`; with a key only those that wrote it."""
    runs = _runs(conn, timelines, start, all_parents=all_parents)
    if after is not None:
        runs = [(line, above, _before(conn, line, above, upto, after)) for line, above, upto in runs]

    def fetch(run: _Run, size: int) -> Sequence[Commit]:
        line, above, upto = run
        if key is None:
            return commits.commits_down(conn, line, above, upto, size)
        wrote = entries.versions_of_key(conn, Level(line, upto), above, key, size)
        return [commit for entry in wrote if (commit := commits.commit_at(conn, line, entry.seq)) is not None]

    size = min(limit, _BATCH)
    newest_first = heapq.merge(*(_down(run, fetch, size) for run in runs if size), key=_age)
    return [Logged(commit, parents(conn, timelines, commit)) for commit in islice(newest_first, limit)]


def parents(conn: Connection, timelines: Timelines, commit: Commit) -> Sequence[CommitId]:
    """The first parent's id and those of what the commit merged; none of the root commit."""
    if commit.seq == 0:
        return ()
    first = commits.commit_at(conn, timelines.owner(conn, commit.timeline_id, commit.seq - 1), commit.seq - 1)
    assert first is not None
    return (first.id, *commits.merge_parents_of(conn, commit.timeline_id, commit.seq))


def _runs(conn: Connection, timelines: Timelines, start: Commit, *, all_parents: bool) -> Sequence[_Run]:
    if all_parents:
        reach = ancestors(conn, timelines, start)
        return [(line, timelines.get(conn, line).fork_seq, upto) for line, upto in reach.items()]
    return [(line.id, line.fork_seq, upto) for line, upto in timelines.lineage(conn, start.timeline_id, start.seq)]


def _down(run: _Run, fetch: _Fetch, size: int) -> Iterator[Commit]:
    line, above, upto = run
    while upto > above:
        batch = fetch((line, above, upto), size)
        yield from batch
        if len(batch) < size:
            return
        upto = batch[-1].seq - 1


def _age(commit: Commit) -> tuple[int, str]:
    return -commit.time_us, commit.id


def _before(conn: Connection, line: int, above: int, upto: int, after: Commit) -> int:
    """The last of a run's commits that comes behind `after`, or `above`: times grow with seq, so it is bisected."""
    low, high = above, upto
    while low < high:
        middle = (low + high + 1) // 2
        commit = commits.commit_at(conn, line, middle)
        assert commit is not None
        if _age(commit) > _age(after):
            low = middle
        else:
            high = middle - 1
    return low
