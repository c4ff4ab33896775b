"""Queries of export and import: a repo's rows as they are, and a repo that nobody sees until it is whole.

A hidden repo is marked as deleted, its name is a mark that no repo can have, and its branches are marked as deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from pfs.meta import tables
from pfs.meta.database import Connection, Row, Statement
from pfs.model import Commit

_R, _T, _B, _E, _S = (
    t.c for t in (tables.repos, tables.timelines, tables.branches, tables.entries, tables.branch_settings)
)
_C, _G, _P = tables.commits.c, tables.tags.c, tables.protections.c
_FEW = 1_000

_left = or_(_B.deleted_us.is_not(None), _B.transaction_id.is_not(None))
_shown = and_(_B.deleted_us.is_(None), _B.transaction_id.is_(None))
_of_repo = _B.repo_id == bindparam("repo")
_LEFT_OUT = Statement(select(_B.timeline_id).where(_of_repo, _left))
_SHOWN = Statement(select(_B.timeline_id).where(_of_repo, _shown))
_TAGGED = Statement(
    select(_C.timeline_id)
    .distinct()
    .join_from(tables.tags, tables.commits, _C.id == _G.commit_id)
    .where(_G.repo_id == bindparam("repo"))
)
_BRANCHES = Statement(
    select(_B.id, _B.name, _B.label, _B.timeline_id, _B.head_seq, _B.created_us)
    .where(_of_repo, _shown)
    .order_by(_B.name)
)
_SETTINGS = Statement(select(_S.name, _S.value).where(_S.branch_id == bindparam("branch")).order_by(_S.name))
_PROTECTIONS = Statement(
    select(_P.pattern, _P.author, _P.created_us).where(_P.repo_id == bindparam("repo")).order_by(_P.pattern)
)
_changes = (
    select(
        _E.key,
        _E.kind,
        _E.size,
        _E.digest,
        _E.layout,
        _E.etag,
        _E.attrs,
        _E.checksums,
        tables.entry_settings.c.settings,
    )
    .outerjoin_from(
        tables.entries,
        tables.entry_settings,
        and_(tables.entry_settings.c.key == _E.key, tables.entry_settings.c.commit_id == _E.commit_id),
    )
    .where(_E.timeline_id == bindparam("timeline"), _E.seq == bindparam("seq"))
)
_FEW_CHANGES = Statement(_changes)  # not ordered, for the reason in `pfs.meta.entries`
_MANY_CHANGES = Statement(_changes.order_by(_E.key))

_BY_UID = Statement(select(_R.id, _R.project, _R.name, _R.deleted_us).where(_R.uid == bindparam("repo_uid")))
_INSERT_REPO = Statement(
    insert(tables.repos)
    .values(
        {name: bindparam(name) for name in ("uid", "project", "name", "default_branch", "created_us", "deleted_us")}
    )
    .returning(_R.id)
)
_HIDDEN = Statement(select(_R.id).where(_R.id == bindparam("repo"), _R.name == bindparam("mark")))
_SHOW_REPO = Statement(
    update(tables.repos).where(_R.id == bindparam("repo")).values(name=bindparam("text"), deleted_us=None)
)
_SHOW_BRANCHES = Statement(update(tables.branches).where(_of_repo).values(deleted_us=None))
_INSERT_PROTECTION = Statement(
    insert(tables.protections).values(
        {name: bindparam(name) for name in ("repo_id", "pattern", "author", "created_us")}
    )
)

_A_TIMELINE = Statement(select(_T.id).where(_T.repo_id == bindparam("repo")).limit(1))
_SOME_ENTRIES = Statement(
    select(_E.id, _E.key, _E.commit_id).where(_E.timeline_id == bindparam("timeline")).limit(_FEW)
)
_DELETE_ENTRY = Statement(delete(tables.entries).where(_E.id == bindparam("entry")))
_X = tables.entry_settings.c
_DELETE_ENTRY_SETTINGS = Statement(
    delete(tables.entry_settings).where(_X.key == bindparam("version_key"), _X.commit_id == bindparam("commit"))
)
_SOME_COMMITS = Statement(select(_C.seq).where(_C.timeline_id == bindparam("timeline")).limit(_FEW))
_DELETE_COMMIT = Statement(
    delete(tables.commits).where(_C.timeline_id == bindparam("timeline"), _C.seq == bindparam("at"))
)
_DELETE_MERGED = Statement(
    delete(tables.merge_parents).where(tables.merge_parents.c.timeline_id == bindparam("timeline"))
)
_DELETE_TIMELINE = Statement(delete(tables.timelines).where(_T.id == bindparam("timeline")))
_DELETE_REPO = (
    Statement(delete(tables.branch_settings).where(_S.branch_id.in_(select(_B.id).where(_of_repo)))),
    Statement(delete(tables.branches).where(_of_repo)),
    Statement(delete(tables.tags).where(_G.repo_id == bindparam("repo"))),
    Statement(delete(tables.protections).where(_P.repo_id == bindparam("repo"))),
    Statement(delete(tables.repos).where(_R.id == bindparam("repo"))),
)


def timelines_left_out(conn: Connection, repo_id: int) -> set[int]:
    """Those that deleted branches or transactions write to, and no other branch."""
    left = {row[0] for row in conn.all(_LEFT_OUT, repo=repo_id)}
    return left - {row[0] for row in conn.all(_SHOWN, repo=repo_id)}


def tagged_timelines(conn: Connection, repo_id: int) -> Sequence[int]:
    return [row[0] for row in conn.all(_TAGGED, repo=repo_id)]


def branches(conn: Connection, repo_id: int) -> Sequence[Row]:
    """(id, name, label, timeline id, seq of the head, created), by name."""
    return conn.all(_BRANCHES, repo=repo_id)


def branch_settings_of(conn: Connection, branch_id: int) -> Sequence[Row]:
    """(name, value), by name."""
    return conn.all(_SETTINGS, branch=branch_id)


def protections_of(conn: Connection, repo_id: int) -> Sequence[Row]:
    """(pattern, author, created), by pattern."""
    return conn.all(_PROTECTIONS, repo=repo_id)


def changes(conn: Connection, commit: Commit) -> Iterable[Row]:
    """(key, kind, size, digest, layout, ETag, attributes, checksums, settings or None) of what it wrote, by key."""
    values = {"timeline": commit.timeline_id, "seq": commit.seq}
    if commit.change_count > _FEW:
        return conn.stream(_MANY_CHANGES, **values)
    return sorted(conn.all(_FEW_CHANGES, **values), key=itemgetter(0))


def repos_by_uid(conn: Connection, uid: bytes) -> Sequence[Row]:
    """(id, project, name, when deleted or None): one at most that is not hidden."""
    return conn.all(_BY_UID, repo_uid=uid)


def insert_hidden_repo(
    conn: Connection, *, uid: bytes, project: str, mark: str, default_branch: str, created_us: int, now_us: int
) -> int:
    row = conn.one(
        _INSERT_REPO,
        uid=uid,
        project=project,
        name=mark,
        default_branch=default_branch,
        created_us=created_us,
        deleted_us=now_us,
    )
    assert row is not None
    return int(row[0])


def is_hidden(conn: Connection, repo_id: int, mark: str) -> bool:
    """Whether the hidden repo is still there under its mark."""
    return conn.one(_HIDDEN, repo=repo_id, mark=mark) is not None


def show(conn: Connection, repo_id: int, name: str) -> None:
    """Makes a hidden repo visible with its branches, under a name that is free."""
    conn.run(_SHOW_BRANCHES, repo=repo_id)
    conn.run(_SHOW_REPO, repo=repo_id, text=name)


def insert_protection(conn: Connection, repo_id: int, pattern: str, author: str, created_us: int) -> None:
    conn.run(_INSERT_PROTECTION, repo_id=repo_id, pattern=pattern, author=author, created_us=created_us)


def purge_some(conn: Connection, repo_id: int) -> bool:
    """Deletes a part of all that a repo is, a thousand rows at most but for small ones; whether there is more."""
    line = conn.one(_A_TIMELINE, repo=repo_id)
    if line is None:
        for statement in _DELETE_REPO:
            conn.run(statement, repo=repo_id)
        return False
    rows = conn.all(_SOME_ENTRIES, timeline=line[0])
    for entry, key, commit in rows:
        conn.run(_DELETE_ENTRY_SETTINGS, version_key=key, commit=commit)
        conn.run(_DELETE_ENTRY, entry=entry)
    if rows:
        return True
    seqs = conn.all(_SOME_COMMITS, timeline=line[0])
    for (seq,) in seqs:
        conn.run(_DELETE_COMMIT, timeline=line[0], at=seq)
    if not seqs:
        conn.run(_DELETE_MERGED, timeline=line[0])
        conn.run(_DELETE_TIMELINE, timeline=line[0])
    return True
