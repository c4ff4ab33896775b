"""Transactions: many writes that become one commit on their target, or nothing; each step inside one of the committer.

A transaction's writes go to a branch of its own, forked at the target's head, named like the transaction and in no
list. It ends once: with the commit on its target, if that is what ends it, its state, its branch and the branch's
uploads change in one and the same database transaction, so that a write is either part of the commit or is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pfs import history
from pfs.commits.transaction import Head, Transaction, new_uid, storable
from pfs.diff import Tree, alike, change_to, changed_keys
from pfs.errors import NoSuchBranch, NoSuchTransaction, TransactionConflict, TransactionEnded
from pfs.meta import refs, transactions, uploads
from pfs.meta.settings import set_branch_setting
from pfs.model import Branch, Commit, CommitId, Delete, Entry, Put, TransactionInfo, TransactionState
from pfs.names import format_transaction_id

EXPIRED_AT_ONCE = 100


def begin(
    tx: Transaction,
    target: Branch,
    *,
    author: str,
    message: str,
    metadata: str,
    expires_in_s: int,
    settings: Mapping[str, str],
    label: Callable[[str], str],
) -> TransactionInfo:
    head = tx.unprotected(target.id)
    base, new_id, now = _commit(tx, head), _next_id(tx), tx.began_us
    listed_as = label(new_id)
    repo_id = head.branch.repo_id
    timeline_id = refs.insert_timeline(
        tx.conn, uid=new_uid(), repo_id=repo_id, parent_id=base.timeline_id, fork_seq=base.seq
    )
    branch_id = refs.insert_branch(
        tx.conn,
        project=head.branch.project,
        repo_id=repo_id,
        name=new_id,
        label=listed_as,
        timeline_id=timeline_id,
        head_seq=base.seq,
        created_us=now,
        transaction_id=new_id,
    )
    for setting, value in settings.items():
        set_branch_setting(tx.conn, branch_id, setting, value)
    info = TransactionInfo(
        id=new_id,
        repo_id=repo_id,
        repo=head.branch.repo,
        branch_id=branch_id,
        label=listed_as,
        target_id=head.branch.id,
        target=head.branch.name,
        base=base.id,
        author=author,
        message=storable(message),
        metadata=metadata,
        begun_us=now,
        expires_us=now + expires_in_s * 1_000_000,
        state="open",
    )
    transactions.insert_transaction(tx.conn, info)
    return info


def commit(
    tx: Transaction, repo_id: int, transaction_id: str, *, author: str, message: str | None, metadata: str | None
) -> TransactionInfo:
    """One commit of what the transaction holds otherwise than its base; none where that is nothing."""
    info = _open(tx, repo_id, transaction_id)
    target = _target(tx, info)
    changes = _changes(tx, info, target)
    commit_id: CommitId | None = None
    if changes:
        committed = tx.commit(
            target.branch.id,
            changes,
            author=author,
            message=info.message if message is None else message,
            metadata=info.metadata if metadata is None else metadata,
        )
        assert committed.commit is not None
        commit_id = committed.commit.id
    return _end(tx, info, "committed", tx.began_us, commit_id)


def abandon(tx: Transaction, repo_id: int, transaction_id: str) -> TransactionInfo:
    return _end(tx, _open(tx, repo_id, transaction_id), "abandoned", tx.began_us)


def abandon_all(tx: Transaction, repo_id: int) -> None:
    """Whatever is not ended: with its last branch a repo goes, and takes its transactions along."""
    for info in transactions.unended_of_repo(tx.conn, repo_id, tx.began_us):
        if info.state == "open":
            _end(tx, info, "abandoned", tx.began_us)
        else:
            _end(tx, info, "expired", info.expires_us)


def expire(tx: Transaction, now_us: int) -> Sequence[TransactionInfo]:
    """Ends the oldest of those that are past their time, EXPIRED_AT_ONCE at most."""
    found = transactions.expired(tx.conn, EXPIRED_AT_ONCE, now_us)
    return [_end(tx, info, "expired", info.expires_us) for info in found]


def _open(tx: Transaction, repo_id: int, transaction_id: str) -> TransactionInfo:
    info = transactions.find_transaction(tx.conn, transaction_id, tx.began_us)
    if info is None or info.repo_id != repo_id:
        raise NoSuchTransaction(refs.repo_by_id(tx.conn, repo_id).name, transaction_id)
    if info.state != "open":
        raise TransactionEnded(info.id, info.state, info.commit_id)
    return info


def _target(tx: Transaction, info: TransactionInfo) -> Head:
    try:
        return tx.unprotected(info.target_id)
    except NoSuchBranch as exc:
        raise NoSuchBranch(info.repo, info.target) from exc


def _changes(tx: Transaction, info: TransactionInfo, target: Head) -> Sequence[Put | Delete]:
    """What makes the target hold what the transaction holds, at the keys that it touched; O(those keys).

    Raises TransactionConflict where the target holds another version of one of them than the base does. Trees are
    compared, not timelines: a target that was reset or moved meanwhile is judged by what it holds now.
    """
    base = history.commit_by_id(tx.conn, info.repo_id, info.base)
    written = _commit(tx, tx.head(info.branch_id))
    before, ours, theirs = (Tree(tx.conn, tx.timelines, at) for at in (base, _commit(tx, target), written))
    changes: list[Put | Delete] = []
    moved: list[str] = []
    for raw in sorted(changed_keys(tx.conn, tx.timelines, base, written)):
        old, new = before.entry(raw), theirs.entry(raw)
        if _version(ours.entry(raw)) != _version(old):
            moved.append(raw.decode())
        elif not _same(old, new):
            changes.append(change_to(raw.decode(), new))
    if moved:
        raise TransactionConflict(info.id, moved)
    return changes


def _version(entry: Entry | None) -> CommitId | None:
    return None if entry is None else entry.commit_id


def _same(old: Entry | None, new: Entry | None) -> bool:
    """Whether the key needs no new version: also its settings are as they were."""
    return alike(old, new) and (old is None or new is None or old.settings == new.settings)


def _commit(tx: Transaction, head: Head) -> Commit:
    return history.head_commit(tx.conn, tx.timelines, head.branch_now())


def _end(
    tx: Transaction, info: TransactionInfo, state: TransactionState, ended_us: int, commit_id: CommitId | None = None
) -> TransactionInfo:
    tx.forget(info.branch_id)
    refs.delete_branch(tx.conn, info.branch_id, ended_us)
    uploads.delete_uploads(tx.conn, info.branch_id)
    transactions.end(tx.conn, info.id, state, ended_us, commit_id)
    return replace(info, state=state, ended_us=ended_us, commit_id=commit_id)


def _next_id(tx: Transaction) -> str:
    """Ids grow, so that their order is that of beginning: ms since the epoch, or the last one's successor."""
    last = transactions.last_id(tx.conn)
    number = tx.began_us // 1000
    if last is not None:
        number = max(number, 1 + int(last.removeprefix("tx-"), 16))
    return format_transaction_id(number)
