"""Branches, tags and repos made, moved, renamed, deleted and brought back, each inside a transaction of the committer.

A branch that is moved (a fast-forward, a reset) goes on in a new timeline, forked at the commit that it is moved to:
two branches never write to one timeline, `HEAD~N` follows the new head's first parents, and all
that the branch held before stays reachable by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pfs import history, transactions
from pfs.commits.transaction import Head, Transaction, make_repo, new_uid, now_us, storable
from pfs.errors import BranchExists, HeadMoved, NoSuchBranch, NoSuchRepo, NoSuchTag, RepoExists, TagExists
from pfs.meta import protections, refs, tags, webhooks
from pfs.meta.database import Connection
from pfs.meta.settings import set_branch_setting
from pfs.model import Branch, Commit, CommitId, Repo, Tag

DEFAULT_BRANCH = "main"


def expected(tx: Transaction, branch: Branch, commit_id: CommitId | None) -> Head:
    """The branch's head. Raises NoSuchBranch, and HeadMoved where it is not this commit (None: whichever)."""
    return _at(tx.head(branch.id), commit_id)


def writable(tx: Transaction, branch: Branch, commit_id: CommitId | None) -> Head:
    """Like `expected`, for whatever changes the branch and is no merge. Raises ProtectedBranch."""
    return _at(tx.unprotected(branch.id), commit_id)


def _at(head: Head, commit_id: CommitId | None) -> Head:
    if commit_id is not None and head.commit_id != commit_id:
        raise HeadMoved(head.branch.name, head.commit_id)
    return head


def resolved(tx: Transaction, branch: Branch, rev: str) -> Commit:
    """`rev` as seen from the branch, with all that this transaction has done."""
    tx.flush()
    return history.resolve(tx.conn, tx.timelines, tx.head(branch.id).branch_now(), rev)


BranchGuard = Callable[[Branch | None, Sequence[Branch]], None]
"""A caller's precondition of a new branch: see `pfs.store.Store.create_branch`."""

RepoGuard = Callable[[Sequence[Branch]], None]
"""A caller's precondition of what concerns a whole repo: called inside the transaction with all of its branches;
raises a StoreError to refuse."""


def create_branch(
    tx: Transaction,
    project: str,
    repo: str,
    branch: str | None,
    *,
    label: str,
    author: str,
    settings: Mapping[str, str],
    guard: BranchGuard | None,
) -> Branch:
    known = refs.find_repo(tx.conn, project, repo)
    if known is None:
        name = branch or DEFAULT_BRANCH
        repo_id = make_repo(tx, project, repo, name, author)
        timeline_id = refs.root_timeline(tx.conn, repo_id).id
    else:
        name, repo_id = branch or known.default_branch, known.id
        if guard is not None:
            guard(refs.find_branch(tx.conn, project, repo, name), refs.branches_of_repo(tx.conn, repo_id))
        _check_free(tx, known, name)
        root = refs.root_timeline(tx.conn, repo_id)
        timeline_id = refs.insert_timeline(tx.conn, uid=new_uid(), repo_id=repo_id, parent_id=root.id, fork_seq=0)
    return _insert(tx, project, repo_id, name, label, timeline_id, 0, settings)


def fork_branch(
    tx: Transaction, source: Branch, rev: str, name: str, label: str, settings: Mapping[str, str]
) -> Branch:
    _check_free(tx, refs.repo_by_id(tx.conn, source.repo_id), name)
    start = resolved(tx, source, rev)
    timeline_id = _fork(tx, source.repo_id, start)
    return _insert(tx, source.project, source.repo_id, name, label, timeline_id, start.seq, settings)


def move_branch(tx: Transaction, head: Head, to: Commit) -> Branch:
    """The branch with `to` as its head."""
    branch = head.branch
    tx.forget(branch.id)
    refs.move_branch(tx.conn, branch.id, _fork(tx, branch.repo_id, to), to.seq)
    return tx.head(branch.id).branch_now()


def reset_branch(tx: Transaction, branch: Branch, rev: str, expected_head: CommitId | None) -> Branch:
    head = writable(tx, branch, expected_head)
    to = resolved(tx, branch, rev)
    return head.branch_now() if to.id == head.commit_id else move_branch(tx, head, to)


def delete_branch(tx: Transaction, branch: Branch, expected_head: CommitId | None) -> None:
    """Of a transaction's branch this abandons the transaction; a repo's last branch takes its open ones along."""
    pending = writable(tx, branch, expected_head).branch.transaction_id
    if pending is not None:
        transactions.abandon(tx, branch.repo_id, pending)
        return
    tx.forget(branch.id)
    now = now_us()
    refs.delete_branch(tx.conn, branch.id, now)
    if refs.count_branches(tx.conn, branch.repo_id) == 0:
        transactions.abandon_all(tx, branch.repo_id)
        refs.delete_repo(tx.conn, branch.repo_id, now)


def restorable(
    conn: Connection, project: str, repo: str, may: Callable[[Branch], bool]
) -> Sequence[tuple[Branch, int]]:
    """What of the repo's can be brought back by those who `may`, with when it was deleted, the latest first: of
    each name the branch that was deleted last. Where there is a repo of the name now, only its own."""
    known = refs.find_repo(conn, project, repo)
    found: dict[str, tuple[Branch, int]] = {}
    for branch, deleted_us in refs.deleted_branches(conn, project, repo):
        if (known is None or branch.repo_id == known.id) and may(branch):
            found.setdefault(branch.name, (branch, deleted_us))
    return list(found.values())


def restore_branch(tx: Transaction, project: str, repo: str, name: str, may: Callable[[Branch], bool]) -> Branch:
    """The branch of that name which was deleted last, as it was; with its repo, where that was deleted too."""
    known = refs.find_repo(tx.conn, project, repo)
    if known is not None:
        _check_free(tx, known, name)
    for branch, _ in restorable(tx.conn, project, repo, may):
        if branch.name == name:
            refs.restore_branch(tx.conn, branch)
            refs.set_protected(tx.conn, branch.id, protections.protecting(tx.conn, branch.repo_id, name) is not None)
            _tell_webhooks(tx, branch, anew=False)
            return tx.head(branch.id).branch_now()
    raise NoSuchBranch(repo, name)


def rename_repo(
    tx: Transaction,
    project: str,
    repo: str,
    name: str,
    relabel: Callable[[Branch], str],
    guard: RepoGuard | None,
) -> Repo:
    known = find_repo(tx, project, repo)
    if guard is not None:
        guard(refs.branches_of_repo(tx.conn, known.id))
    if name != repo and refs.find_repo(tx.conn, project, name) is not None:
        raise RepoExists(name)
    deleted = [branch for branch, _ in refs.deleted_branches(tx.conn, project, repo) if branch.repo_id == known.id]
    relabelled = (*refs.all_branches_of_repo(tx.conn, known.id), *deleted)
    labels = {branch.id: relabel(replace(branch, repo=name)) for branch in relabelled}
    tx.flush()
    refs.rename_repo(tx.conn, known.id, name)
    for branch_id, label in labels.items():
        refs.relabel_branch(tx.conn, branch_id, label)
        tx.forget(branch_id)
    return refs.repo_by_id(tx.conn, known.id)


def delete_repo(tx: Transaction, project: str, repo: str, guard: RepoGuard | None) -> None:
    known = find_repo(tx, project, repo)
    doomed = refs.branches_of_repo(tx.conn, known.id)
    if guard is not None:
        guard(doomed)
    for branch in doomed:
        tx.unprotected(branch.id)
    transactions.abandon_all(tx, known.id)
    now = now_us()
    for branch in doomed:
        tx.forget(branch.id)
        refs.delete_branch(tx.conn, branch.id, now)
    refs.delete_repo(tx.conn, known.id, now)


def create_tag(
    tx: Transaction,
    branch: Branch,
    name: str,
    rev: str,
    author: str,
    message: str,
    expected_head: CommitId | None,
) -> Tag:
    expected(tx, branch, expected_head)
    _check_free(tx, refs.repo_by_id(tx.conn, branch.repo_id), name)
    tag = Tag(name, resolved(tx, branch, rev).id, author, now_us(), storable(message))
    tags.insert_tag(tx.conn, branch.repo_id, tag)
    return tag


def delete_tag(tx: Transaction, project: str, repo: str, name: str) -> None:
    if not tags.delete_tag(tx.conn, find_repo(tx, project, repo).id, name):
        raise NoSuchTag(repo, name)


def find_repo(tx: Transaction, project: str, repo: str) -> Repo:
    """Raises NoSuchRepo."""
    known = refs.find_repo(tx.conn, project, repo)
    if known is None:
        raise NoSuchRepo(repo)
    return known


def _check_free(tx: Transaction, repo: Repo, name: str) -> None:
    """Branches and tags share their names, so that a tag can never come to mean something else."""
    if refs.find_branch(tx.conn, repo.project, repo.name, name) is not None:
        raise BranchExists(repo.name, name)
    if tags.find_tag(tx.conn, repo.id, name) is not None:
        raise TagExists(repo.name, name)


def _fork(tx: Transaction, repo_id: int, start: Commit) -> int:
    return refs.insert_timeline(
        tx.conn, uid=new_uid(), repo_id=repo_id, parent_id=start.timeline_id, fork_seq=start.seq
    )


def _insert(
    tx: Transaction,
    project: str,
    repo_id: int,
    name: str,
    label: str,
    timeline_id: int,
    head_seq: int,
    settings: Mapping[str, str],
) -> Branch:
    branch_id = refs.insert_branch(
        tx.conn,
        project=project,
        repo_id=repo_id,
        name=name,
        label=label,
        timeline_id=timeline_id,
        head_seq=head_seq,
        created_us=now_us(),
        protected=protections.protecting(tx.conn, repo_id, name) is not None,
    )
    for setting, value in settings.items():
        set_branch_setting(tx.conn, branch_id, setting, value)
    branch = refs.branch_by_id(tx.conn, branch_id)
    assert branch is not None
    _tell_webhooks(tx, branch, anew=True)
    return branch


def _tell_webhooks(tx: Transaction, branch: Branch, *, anew: bool) -> None:
    """Those that the branch concerns are told of what is behind its present head, unless (and not `anew`) they go on
    where they were."""
    for webhook in webhooks.webhooks_of_repo(tx.conn, branch.repo_id):
        is_known = not anew and webhooks.find_cursor(tx.conn, webhook.id, branch.id) is not None
        if webhook.concerns(branch.name) and not is_known:
            webhooks.start(tx.conn, webhook.id, branch.id, tx.head(branch.id).commit_id)
