"""Three-way merges, cherry-picks and reverts: planned by reading only, carried out in the committer's transaction.

A key of theirs that differs from the base is taken where ours still is as the base has it; where both
hold the same there is nothing to do; anything else is a conflict. A cherry-pick is the same with a commit's parent as
the base and the commit as theirs, a revert with the two exchanged.

A criss-cross has several merge bases. Then a key is merged only where all of them lead to the same: no change is
ever undone because one base happened not to know it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pfs import branches, history
from pfs.ancestry import merge_bases
from pfs.commits.transaction import Head, Transaction
from pfs.diff import Tree, alike, change_to, changed_keys
from pfs.errors import Conflicted, NoSuchCommit
from pfs.meta import entries
from pfs.meta.database import Connection
from pfs.model import (
    Branch,
    Commit,
    CommitId,
    Conflict,
    Difference,
    Entry,
    Merge,
    Merged,
    Side,
    Strategy,
)
from pfs.timelines import Timelines


def plan_merge(
    conn: Connection,
    timelines: Timelines,
    ours: Commit,
    theirs: Commit,
    *,
    strategy: Strategy | None,
    fast_forward: bool,
    squash: bool,
) -> Merge:
    """What it takes for `ours` to have all of `theirs`."""
    bases = merge_bases(conn, timelines, ours, theirs)
    if bases == [theirs]:
        return Merge("nothing", theirs)
    if bases == [ours] and fast_forward and not squash:
        return Merge("fast-forward", ours)
    keys = set[bytes]().union(*(changed_keys(conn, timelines, base, theirs) for base in bases))
    planned = plan_three_way(conn, timelines, bases, ours, theirs, keys, strategy)
    if squash and not planned.changes and not planned.conflicts:
        return Merge("nothing", bases[0])
    return planned


def plan_three_way(
    conn: Connection,
    timelines: Timelines,
    bases: Sequence[Commit],
    ours: Commit,
    theirs: Commit,
    keys: Collection[bytes],
    strategy: Strategy | None,
) -> Merge:
    """What became of these keys between the bases and `theirs`, as changes to `ours`."""
    base_trees = [Tree(conn, timelines, base) for base in bases]
    our_tree, their_tree = Tree(conn, timelines, ours), Tree(conn, timelines, theirs)
    changes: list[Difference] = []
    conflicts: list[Conflict] = []
    for raw in sorted(keys):
        key, our, their = raw.decode(), our_tree.entry(raw), their_tree.entry(raw)
        base_entries = [tree.entry(raw) for tree in base_trees]
        side = _decided(base_entries, our, their) or _chosen(strategy, key)
        if side is None:
            conflicts.append(Conflict(key, base_entries[0], our, their))
        elif side == "theirs":
            changes.append(Difference(key, our, their))
    return Merge("commit", bases[0], changes, conflicts)


def merge(
    tx: Transaction,
    branch: Branch,
    rev: str,
    *,
    author: str,
    message: str | None,
    metadata: str,
    strategy: Strategy | None,
    fast_forward: bool,
    squash: bool,
    expected_head: CommitId | None,
) -> Merged:
    head = branches.expected(tx, branch, expected_head)
    theirs = branches.resolved(tx, branch, rev)
    planned = plan_merge(
        tx.conn, tx.timelines, _commit(tx, head), theirs, strategy=strategy, fast_forward=fast_forward, squash=squash
    )
    if planned.kind == "fast-forward":
        return Merged(branches.move_branch(tx, head, theirs), theirs, planned)
    text = f"Merge {rev} into {head.branch.name}" if message is None else message
    return _carry_out(tx, head, planned, author, text, metadata, () if squash else (theirs.id,), merging=True)


def apply_commit(
    tx: Transaction,
    branch: Branch,
    rev: str,
    *,
    backwards: bool,
    author: str,
    message: str | None,
    metadata: str,
    strategy: Strategy | None,
    expected_head: CommitId | None,
) -> Merged:
    """Makes what a commit changed against its first parent once more (a cherry-pick), or undoes it (a revert)."""
    head = branches.writable(tx, branch, expected_head)
    commit, before = _with_parent(tx, branch, rev)
    base, theirs = (commit, before) if backwards else (before, commit)
    if message is None:
        message = f"Revert {commit.id}" if backwards else commit.message
    return _carry_out(tx, head, _plan_one(tx, head, commit, base, theirs, strategy), author, message, metadata)


def _with_parent(tx: Transaction, branch: Branch, rev: str) -> tuple[Commit, Commit]:
    commit = branches.resolved(tx, branch, rev)
    before = history.first_parent(tx.conn, tx.timelines, commit)
    if before is None:
        raise NoSuchCommit(rev, f"{rev!r} is the root commit, which changed nothing")
    return commit, before


def _plan_one(
    tx: Transaction, head: Head, commit: Commit, base: Commit, theirs: Commit, strategy: Strategy | None
) -> Merge:
    """A merge of the one commit's changes, forwards or backwards."""
    keys = entries.keys_changed(tx.conn, commit.timeline_id, commit.seq - 1, commit.seq)
    planned = plan_three_way(tx.conn, tx.timelines, [base], _commit(tx, head), theirs, keys, strategy)
    return planned if planned.changes or planned.conflicts else Merge("nothing", base)


def _carry_out(
    tx: Transaction,
    head: Head,
    planned: Merge,
    author: str,
    message: str,
    metadata: str,
    merged: Sequence[CommitId] = (),
    merging: bool = False,
) -> Merged:
    if planned.conflicts:
        raise Conflicted(planned.conflicts)
    if planned.kind == "commit":
        changes = [change_to(difference.key, difference.after) for difference in planned.changes]
        tx.commit(
            head.branch.id, changes, author=author, message=message, metadata=metadata, merged=merged, merging=merging
        )
    return Merged(head.branch_now(), _commit(tx, head), planned)


def _commit(tx: Transaction, head: Head) -> Commit:
    return history.head_commit(tx.conn, tx.timelines, head.branch_now())


def _decided(bases: Sequence[Entry | None], ours: Entry | None, theirs: Entry | None) -> Side | None:
    """Whose entry the key is to hold by all the bases; None for a conflict."""
    if alike(ours, theirs):
        return "ours"
    sides: set[Side | None] = {_side(base, ours, theirs) for base in bases}
    return sides.pop() if len(sides) == 1 else None


def _side(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> Side | None:
    if alike(theirs, base):
        return "ours"
    return "theirs" if alike(ours, base) else None


def _chosen(strategy: Strategy | None, key: str) -> Side | None:
    return strategy if strategy is None or isinstance(strategy, str) else strategy.get(key)
