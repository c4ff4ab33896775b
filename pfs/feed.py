"""A branch's commits in the order in which they were made, along first parents, behind a commit that a reader has seen.

What the reader has seen may lie beside the branch's line of first parents: after a reset or a fast-forward, or because
it was another branch's. Then the two lines have a newest commit in common, which is where the reader is taken to be: of
what the branch holds now nothing is missed, and what it no longer holds is not told of.
"""

from __future__ import annotations

from collections.abc import Sequence

from pfs.log import parents
from pfs.meta import commits
from pfs.meta.database import Connection
from pfs.model import Commit, Logged
from pfs.timelines import Timelines


def commits_behind(
    conn: Connection, timelines: Timelines, head: Commit, since: Commit | None, limit: int
) -> Sequence[Logged]:
    """Up to `limit` first-parent ancestors of `head`, and itself, behind `since` (None: the root), oldest first.

    Costs the page, and the forks between the two.
    """
    above = 0 if since is None else shared_seq(conn, timelines, head, since)
    found: list[Logged] = []
    for line, after, upto in _runs(conn, timelines, head, above):
        page = commits.commits_up(conn, line, after, upto, limit - len(found))
        found += [Logged(commit, parents(conn, timelines, commit)) for commit in page]
        if len(found) == limit:
            break
    return found


def shared_seq(conn: Connection, timelines: Timelines, one: Commit, other: Commit) -> int:
    """The seq of the newest first-parent ancestor that two commits of a repo have in common, themselves included."""
    line_of_other = {line.id: upto for line, upto in timelines.lineage(conn, other.timeline_id, other.seq)}
    return next(
        min(upto, line_of_other[line.id])
        for line, upto in timelines.lineage(conn, one.timeline_id, one.seq)
        if line.id in line_of_other
    )


def _runs(conn: Connection, timelines: Timelines, head: Commit, above: int) -> Sequence[tuple[int, int, int]]:
    """(timeline, after, upto): whose own commits with `after` < seq ≤ `upto` lead from `above` to the head."""
    runs = []
    for line, upto in timelines.lineage(conn, head.timeline_id, head.seq):
        if upto <= above:
            break
        runs.append((line.id, max(above, line.fork_seq), upto))
    return runs[::-1]
