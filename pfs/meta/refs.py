"""Queries: repos, their branches and timelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, func, insert, literal_column, select, update

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import branch_settings, branches, repos, timelines
from pfs.model import NO_SETTINGS, Branch, Repo

# Settings that a Branch comes with, since who may do what is asked at every request; the store reads none of them.
TOLD = ("owner", "acl", "policy")

NOBODY = 0
"""The repo of branches and timelines that are gone, but whose row must stay since no later one has been
made: SQLite would give its number to the next."""

_B, _R, _T = branches.c, repos.c, timelines.c
_branch_columns = (
    _B.id,
    _B.project,
    _R.name,
    _B.repo_id,
    _B.name,
    _B.label,
    _B.timeline_id,
    _B.head_seq,
    _B.created_us,
    _B.protected,
    _B.transaction_id,
)
_WIDTH = len(_branch_columns)
_told = [branch_settings.alias(f"{name}_setting") for name in TOLD]
_repo_columns = (_R.id, _R.uid, _R.project, _R.name, _R.default_branch, _R.created_us)
_joined = select(*_branch_columns, *(told.c.value for told in _told)).join_from(repos, branches, _B.repo_id == _R.id)
for _name, _setting in zip(TOLD, _told, strict=True):
    _joined = _joined.outerjoin(
        _setting, and_(_setting.c.branch_id == _B.id, _setting.c.name == literal_column(f"'{_name}'"))
    )
_this_repo = (_R.project == bindparam("project"), _R.name == bindparam("repo"), _R.deleted_us.is_(None))
_live = _B.deleted_us.is_(None)
_listed = _B.transaction_id.is_(None)

_BRANCH = Statement(_joined.where(*_this_repo, _B.name == bindparam("branch"), _live))
_DEFAULT_BRANCH = Statement(_joined.where(*_this_repo, _B.name == _R.default_branch, _live))
_BRANCH_BY_ID = Statement(_joined.where(_B.id == bindparam("id"), _live, _R.deleted_us.is_(None)))
_HEAD = Statement(select(_B.timeline_id, _B.head_seq).where(_B.id == bindparam("id"), _live))
_BRANCHES_BY_LABEL = Statement(
    _joined.where(
        _B.project == bindparam("project"),
        _B.label > bindparam("after"),
        _B.label >= bindparam("prefix"),
        _B.label < bindparam("end"),
        _live,
        _listed,
    )
    .order_by(_B.label)
    .limit(bindparam("limit"))
)
_of_repo = _joined.where(_B.repo_id == bindparam("repo_id"), _live).order_by(_B.name)
_BRANCHES_OF_REPO = Statement(_of_repo.where(_listed))
_ALL_BRANCHES_OF_REPO = Statement(_of_repo)
_REPO = Statement(select(*_repo_columns).where(*_this_repo))
_REPO_BY_ID = Statement(select(*_repo_columns).where(_R.id == bindparam("id")))
_ALL_REPOS = Statement(select(*_repo_columns).where(_R.deleted_us.is_(None)).order_by(_R.id))
_BRANCH_COUNT = Statement(
    select(func.count()).select_from(branches).where(_B.repo_id == bindparam("repo_id"), _live, _listed)
)
_INSERT_REPO = Statement(
    insert(repos)
    .values({name: bindparam(name) for name in ("uid", "project", "name", "default_branch", "created_us")})
    .returning(_R.id)
)
_INSERT_BRANCH = Statement(
    insert(branches)
    .values(
        {
            name: bindparam(name)
            for name in (
                *("project", "repo_id", "name", "label", "timeline_id", "head_seq", "created_us"),
                *("protected", "transaction_id", "deleted_us"),
            )
        }
    )
    .returning(_B.id)
)
_INSERT_TIMELINE = Statement(
    insert(timelines)
    .values({name: bindparam(name) for name in ("uid", "repo_id", "parent_id", "fork_seq", "flat")})
    .returning(_T.id)
)
_MOVE_HEAD = Statement(update(branches).where(_B.id == bindparam("branch")).values(head_seq=bindparam("seq")))
_DELETE_BRANCH = Statement(update(branches).where(_B.id == bindparam("branch")).values(deleted_us=bindparam("now")))
_DELETE_REPO = Statement(update(repos).where(_R.id == bindparam("repo")).values(deleted_us=bindparam("now")))
_MOVE_BRANCH = Statement(
    update(branches)
    .where(_B.id == bindparam("branch"))
    .values(timeline_id=bindparam("timeline"), head_seq=bindparam("seq"))
)
_MADE_FOR = Statement(
    update(timelines).where(_T.id == bindparam("timeline")).values(branch_id=bindparam("owning_branch"))
)
_RELABEL = Statement(update(branches).where(_B.id == bindparam("branch")).values(label=bindparam("text")))
_RENAME_REPO = Statement(update(repos).where(_R.id == bindparam("repo")).values(name=bindparam("text")))
_SET_PROTECTED = Statement(update(branches).where(_B.id == bindparam("branch")).values(protected=bindparam("flag")))
_REPOS = Statement(
    select(*_repo_columns)
    .where(_R.project == bindparam("project"), _R.name > bindparam("after"), _R.deleted_us.is_(None))
    .order_by(_R.name)
    .limit(bindparam("limit"))
)
_DELETED = Statement(
    _joined.add_columns(_B.deleted_us)
    .where(_R.project == bindparam("project"), _R.name == bindparam("repo"), _B.deleted_us.is_not(None), _listed)
    .order_by(_B.deleted_us.desc(), _B.id.desc())
)
_RESTORE_BRANCH = Statement(update(branches).where(_B.id == bindparam("branch")).values(deleted_us=None))
_RESTORE_REPO = Statement(update(repos).where(_R.id == bindparam("repo")).values(deleted_us=None))
_timeline_columns = (_T.id, _T.uid, _T.repo_id, _T.parent_id, _T.fork_seq, _T.flat)
_TIMELINE = Statement(select(*_timeline_columns).where(_T.id == bindparam("id")))
_ROOT_TIMELINE = Statement(select(*_timeline_columns).where(_T.repo_id == bindparam("repo_id"), _T.parent_id.is_(None)))
_TIMELINES_OF_REPO = Statement(select(*_timeline_columns).where(_T.repo_id == bindparam("repo_id")).order_by(_T.id))
_SET_FLAT = Statement(update(timelines).where(_T.id == bindparam("timeline")).values(flat=1))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Its own commits have seq > fork_seq (a root timeline's from 0, with fork_seq -1)."""

    id: int
    uid: bytes
    repo_id: int
    parent_id: int | None
    fork_seq: int
    flat: int


def find_branch(conn: Connection, project: str, repo: str, branch: str | None) -> Branch | None:
    """`branch` None means the repo's default branch."""
    if branch is None:
        return _branch(conn.one(_DEFAULT_BRANCH, project=project, repo=repo))
    return _branch(conn.one(_BRANCH, project=project, repo=repo, branch=branch))


def branch_by_id(conn: Connection, branch_id: int) -> Branch | None:
    return _branch(conn.one(_BRANCH_BY_ID, id=branch_id))


def head_of(conn: Connection, branch_id: int) -> tuple[int, int] | None:
    """Timeline and seq of the branch's head, None where it was deleted: one seek."""
    row = conn.one(_HEAD, id=branch_id)
    return (row[0], row[1]) if row else None


def branches_by_label(conn: Connection, project: str, prefix: str, after: str, limit: int) -> Sequence[Branch]:
    """In the labels' byte order, those behind `after`."""
    rows = conn.all(
        _BRANCHES_BY_LABEL, project=project, prefix=prefix, end=prefix + "\U0010ffff", after=after, limit=limit
    )
    return [_known_branch(row) for row in rows]


def branches_of_repo(conn: Connection, repo_id: int) -> Sequence[Branch]:
    return [_known_branch(row) for row in conn.all(_BRANCHES_OF_REPO, repo_id=repo_id)]


def all_branches_of_repo(conn: Connection, repo_id: int) -> Sequence[Branch]:
    """Those of open transactions too."""
    return [_known_branch(row) for row in conn.all(_ALL_BRANCHES_OF_REPO, repo_id=repo_id)]


def count_branches(conn: Connection, repo_id: int) -> int:
    row = conn.one(_BRANCH_COUNT, repo_id=repo_id)
    assert row is not None
    return int(row[0])


def find_repo(conn: Connection, project: str, repo: str) -> Repo | None:
    row = conn.one(_REPO, project=project, repo=repo)
    return Repo(*row) if row else None


def repo_by_id(conn: Connection, repo_id: int) -> Repo:
    """The repo, deleted or not."""
    row = conn.one(_REPO_BY_ID, id=repo_id)
    assert row is not None
    return Repo(*row)


def all_repos(conn: Connection) -> Sequence[Repo]:
    return [Repo(*row) for row in conn.all(_ALL_REPOS)]


def insert_repo(conn: Connection, *, uid: bytes, project: str, name: str, default_branch: str, created_us: int) -> int:
    return _new_id(
        conn.one(
            _INSERT_REPO, uid=uid, project=project, name=name, default_branch=default_branch, created_us=created_us
        )
    )


def insert_branch(
    conn: Connection,
    *,
    project: str,
    repo_id: int,
    name: str,
    label: str,
    timeline_id: int,
    head_seq: int,
    created_us: int,
    protected: bool = False,
    transaction_id: str | None = None,
    deleted_us: int | None = None,
) -> int:
    """Its id. With `deleted_us` it is not there until it is restored."""
    row = conn.one(
        _INSERT_BRANCH,
        project=project,
        repo_id=repo_id,
        name=name,
        label=label,
        timeline_id=timeline_id,
        head_seq=head_seq,
        created_us=created_us,
        protected=int(protected),
        transaction_id=transaction_id,
        deleted_us=deleted_us,
    )
    branch_id = _new_id(row)
    conn.run(_MADE_FOR, timeline=timeline_id, owning_branch=branch_id)
    return branch_id


def insert_timeline(conn: Connection, *, uid: bytes, repo_id: int, parent_id: int | None, fork_seq: int) -> int:
    return _new_id(conn.one(_INSERT_TIMELINE, uid=uid, repo_id=repo_id, parent_id=parent_id, fork_seq=fork_seq, flat=0))


def move_head(conn: Connection, branch_id: int, seq: int) -> None:
    conn.run(_MOVE_HEAD, branch=branch_id, seq=seq)


def delete_branch(conn: Connection, branch_id: int, now_us: int) -> None:
    conn.run(_DELETE_BRANCH, branch=branch_id, now=now_us)


def delete_repo(conn: Connection, repo_id: int, now_us: int) -> None:
    conn.run(_DELETE_REPO, repo=repo_id, now=now_us)


def move_branch(conn: Connection, branch_id: int, timeline_id: int, seq: int) -> None:
    conn.run(_MOVE_BRANCH, branch=branch_id, timeline=timeline_id, seq=seq)
    conn.run(_MADE_FOR, timeline=timeline_id, owning_branch=branch_id)


def relabel_branch(conn: Connection, branch_id: int, label: str) -> None:
    conn.run(_RELABEL, branch=branch_id, text=label)


def set_protected(conn: Connection, branch_id: int, protected: bool) -> None:
    conn.run(_SET_PROTECTED, branch=branch_id, flag=int(protected))


def rename_repo(conn: Connection, repo_id: int, name: str) -> None:
    conn.run(_RENAME_REPO, repo=repo_id, text=name)


def repos_by_name(conn: Connection, project: str, after: str, limit: int) -> Sequence[Repo]:
    return [Repo(*row) for row in conn.all(_REPOS, project=project, after=after, limit=limit)]


def deleted_branches(conn: Connection, project: str, repo: str) -> Sequence[tuple[Branch, int]]:
    """With when each was deleted, the latest first; those of a deleted repo of that name as well."""
    return [(_known_branch(row[:-1]), row[-1]) for row in conn.all(_DELETED, project=project, repo=repo)]


def restore_branch(conn: Connection, branch: Branch) -> None:
    """And its repo, where that was deleted."""
    conn.run(_RESTORE_BRANCH, branch=branch.id)
    conn.run(_RESTORE_REPO, repo=branch.repo_id)


def timeline(conn: Connection, timeline_id: int) -> Timeline:
    row = conn.one(_TIMELINE, id=timeline_id)
    assert row is not None
    return Timeline(*row)


def has_timeline(conn: Connection, timeline_id: int) -> bool:
    """Whether it still is a repo's (see `pfs.meta.garbage`)."""
    row = conn.one(_TIMELINE, id=timeline_id)
    return row is not None and row[2] != NOBODY


def root_timeline(conn: Connection, repo_id: int) -> Timeline:
    row = conn.one(_ROOT_TIMELINE, repo_id=repo_id)
    assert row is not None
    return Timeline(*row)


def timelines_of_repo(conn: Connection, repo_id: int) -> Sequence[Timeline]:
    return [Timeline(*row) for row in conn.all(_TIMELINES_OF_REPO, repo_id=repo_id)]


def set_flat(conn: Connection, timeline_id: int) -> None:
    conn.run(_SET_FLAT, timeline=timeline_id)


def _branch(row: Row | None) -> Branch | None:
    return _known_branch(row) if row else None


def _known_branch(row: Row) -> Branch:
    told = row[_WIDTH:]
    settings = {name: value for name, value in zip(TOLD, told, strict=True) if value is not None} if any(told) else None
    return _with(row[:_WIDTH], settings or NO_SETTINGS)


def _with(row: Row, settings: Mapping[str, str]) -> Branch:
    return Branch(*(*row[:-2], bool(row[-2]), row[-1], settings))


def _new_id(row: Row | None) -> int:
    assert row is not None
    return int(row[0])
