"""Revisions resolved to commits, and commits to views of their trees."""

from __future__ import annotations

from datetime import datetime

from pfs.errors import AmbiguousRevision, BadRecord, NoSuchCommit
from pfs.meta import commits, refs, tags
from pfs.meta.database import Connection
from pfs.model import Branch, Commit, CommitId, View, from_datetime
from pfs.revision import ID_LENGTH, Ancestor, Parent, Revision, format_revision, parse_revision
from pfs.timelines import Timelines

_CANDIDATES = 10


def head_view(conn: Connection, timelines: Timelines, branch: Branch) -> View:
    """The branch's moving head: reads through it see the latest committed state."""
    return View(branch, timelines.levels(conn, branch.timeline_id, branch.head_seq, live=True))


def commit_view(conn: Connection, timelines: Timelines, branch: Branch, commit: Commit) -> View:
    """The tree of one commit, for ever the same."""
    return View(branch, timelines.levels(conn, commit.timeline_id, commit.seq, live=False), commit)


def head_commit(conn: Connection, timelines: Timelines, branch: Branch) -> Commit:
    return _at(conn, timelines, branch.timeline_id, branch.head_seq)


def resolve(conn: Connection, timelines: Timelines, branch: Branch, rev: str) -> Commit:
    """The commit that `rev` names, seen from `branch`; HEAD is the branch's head.

    A full id comes first, then a branch, then a tag, then an id prefix. Raises InvalidRevision, NoSuchCommit,
    AmbiguousRevision.
    """
    revision = parse_revision(rev)
    commit = _base(conn, timelines, branch, revision, rev)
    for step in revision.steps:
        match step:
            case Ancestor(generations):
                if generations > commit.seq:
                    raise NoSuchCommit(rev)
                commit = _at(conn, timelines, commit.timeline_id, commit.seq - generations)
            case Parent(number):
                commit = _parent(conn, timelines, commit, number, rev)
    return commit


def _base(conn: Connection, timelines: Timelines, branch: Branch, revision: Revision, rev: str) -> Commit:
    name, prefix = revision.name, revision.id_prefix
    if prefix is not None and len(prefix) == ID_LENGTH:
        return _by_prefix(conn, branch.repo_id, prefix, rev)
    if name is not None and name != branch.name:
        named = refs.find_branch(conn, branch.project, branch.repo, name)
        if named is None:
            return _tagged(conn, branch.repo_id, revision, rev)
        branch = named
    if revision.at is not None:
        return _as_of(conn, timelines, branch, revision.at, rev)
    return head_commit(conn, timelines, branch)


def _tagged(conn: Connection, repo_id: int, revision: Revision, rev: str) -> Commit:
    """What a name that is no branch's means: a tag, or else an id prefix."""
    tag = None if revision.name is None or revision.at else tags.find_tag(conn, repo_id, revision.name)
    if tag is not None:
        return _by_prefix(conn, repo_id, tag.commit_id, rev)
    if revision.id_prefix is None:
        raise NoSuchCommit(rev)
    return _by_prefix(conn, repo_id, revision.id_prefix, rev)


def _by_prefix(conn: Connection, repo_id: int, prefix: str, rev: str) -> Commit:
    found = commits.commits_by_prefix(conn, repo_id, prefix, _CANDIDATES)
    if not found:
        raise NoSuchCommit(rev)
    if len(found) > 1:
        raise AmbiguousRevision(rev, [commit.id for commit in found])
    return found[0]


def _parent(conn: Connection, timelines: Timelines, commit: Commit, number: int, rev: str) -> Commit:
    if number == 0:
        return commit
    if number == 1:
        if commit.seq == 0:
            raise NoSuchCommit(rev)
        return _at(conn, timelines, commit.timeline_id, commit.seq - 1)
    merged = commits.merge_parents_of(conn, commit.timeline_id, commit.seq)
    if number - 2 >= len(merged):
        raise NoSuchCommit(rev)
    repo_id = timelines.get(conn, commit.timeline_id).repo_id
    return _by_prefix(conn, repo_id, merged[number - 2], rev)


def _as_of(conn: Connection, timelines: Timelines, branch: Branch, at: datetime, rev: str) -> Commit:
    """The branch's last first-parent commit at or before `at`: times grow with seq, so it is bisected."""
    limit_us, low, high = from_datetime(at), 0, branch.head_seq
    found = None
    while low <= high:
        middle = (low + high) // 2
        commit = _at(conn, timelines, branch.timeline_id, middle)
        if commit.time_us <= limit_us:
            found, low = commit, middle + 1
        else:
            high = middle - 1
    if found is None:
        raise NoSuchCommit(rev, f"branch {branch.name!r} has no commit as old as {format_revision(Revision(at=at))}")
    return found


def _at(conn: Connection, timelines: Timelines, timeline_id: int, seq: int) -> Commit:
    commit = commits.commit_at(conn, timelines.owner(conn, timeline_id, seq), seq)
    if commit is None:
        raise BadRecord("commits", f"timeline {timeline_id} has no commit {seq}")
    return commit


def first_parent(conn: Connection, timelines: Timelines, commit: Commit) -> Commit | None:
    """None of the root commit."""
    return None if commit.seq == 0 else _at(conn, timelines, commit.timeline_id, commit.seq - 1)


def commit_by_id(conn: Connection, repo_id: int, commit_id: CommitId) -> Commit:
    """Raises NoSuchCommit, also for text that is no whole id."""
    if len(commit_id) != ID_LENGTH or Revision(commit_id).id_prefix is None:
        raise NoSuchCommit(commit_id)
    return _by_prefix(conn, repo_id, commit_id, commit_id)
