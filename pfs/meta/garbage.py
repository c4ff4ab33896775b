"""Queries: what nobody needs any more, and its removal.

A branch is over once it has been deleted for longer than it can be restored, or with the transaction whose writes it
took. A timeline is nobody's once the branch that it was made for is over, or its repo is. Rows of branches, timelines
and repos whose numbers SQLite would give away again, those with the highest, stay without a repo (or a name) until
later ones have been made: a number that somebody remembers never comes to mean another thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Integer,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from pfs.meta.database import Connection, Statement
from pfs.meta.refs import NOBODY
from pfs.meta.tables import (
    blobs,
    branch_settings,
    branches,
    commits,
    condemned,
    deliveries,
    entries,
    entry_settings,
    manifests,
    merge_parents,
    parts,
    protections,
    repos,
    tags,
    timelines,
    transactions,
    uploads,
    webhooks,
)
from pfs.model import MANIFEST, Digest

_B, _C, _D, _E, _L, _M, _P, _R, _T, _U = (
    branches.c,
    commits.c,
    condemned.c,
    entries.c,
    blobs.c,
    merge_parents.c,
    parts.c,
    repos.c,
    timelines.c,
    uploads.c,
)
_X = transactions.c


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What is older, in µs, is over. `now` is compared with when transactions expire."""

    now: int
    deleted: int
    uploaded: int
    condemned: int

    @property
    def past(self) -> Deadlines:
        """By these only what has been dropped already is over."""
        return Deadlines(-1, -1, -1, self.condemned)


@dataclass(frozen=True, slots=True)
class Line:
    """A timeline as the collector sees it. `is_root` of a repo that stays: its root commit does, too."""

    id: int
    parent_id: int | None
    fork_seq: int
    is_nobodys: bool
    is_root: bool


# ---------------------------------------------------------------- what is over

_open = exists().where(_X.id == _B.transaction_id, _X.state == "open", _X.expires_us > bindparam("now"))
_ended = and_(_B.transaction_id.is_not(None), ~_open)
_over = or_(
    and_(_B.transaction_id.is_(None), _B.deleted_us.is_not(None), _B.deleted_us <= bindparam("deleted")), _ended
)
_expired_upload = or_(
    _U.initiated_us <= bindparam("uploaded"),
    _U.branch_id.in_(select(_B.id).where(_B.repo_id != NOBODY, _over)),
)
_held = exists().where(_B.repo_id == _R.id, ~_over)
_repo_over = and_(_R.deleted_us.is_not(None), _R.deleted_us <= bindparam("deleted"), ~_held)
_repo_gone = or_(_R.project == "", _repo_over)
_writer = exists().where(_B.id == _T.branch_id, _B.repo_id != NOBODY, ~_over)
_nobodys = or_(_repo_gone, and_(_T.branch_id.is_not(None), ~_writer))


def _flag(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


_EXPIRE = Statement(
    update(transactions)
    .where(_X.state == "open", _X.expires_us <= bindparam("now"))
    .values(state="expired", ended_us=bindparam("now"))
)
_FORGET_ENDED = Statement(
    delete(transactions).where(
        _X.state != "open",
        _X.ended_us <= bindparam("deleted"),
        ~exists().where(_B.transaction_id == _X.id, _B.repo_id != NOBODY),
    )
)
_UPLOADS_OVER = Statement(
    select(_U.id, select(func.count()).where(_P.upload_id == _U.id).scalar_subquery())
    .where(_expired_upload)
    .order_by(_U.id)
    .limit(bindparam("limit"))
)
_COUNT_UPLOADS = Statement(select(func.count()).select_from(uploads).where(_expired_upload))
_BRANCHES_OVER = Statement(
    select(_B.id, _flag(_B.transaction_id.is_not(None)))
    .where(_B.repo_id != NOBODY, _over)
    .order_by(_B.id)
    .limit(bindparam("limit"))
)
_COUNT_BRANCHES = Statement(
    select(func.count(), func.count(_B.transaction_id)).select_from(branches).where(_B.repo_id != NOBODY, _over)
)
_REPOS_OVER = Statement(select(_R.id).where(_R.project != "", _repo_over).order_by(_R.id).limit(bindparam("limit")))
_COUNT_REPOS = Statement(select(func.count()).select_from(repos).where(_R.project != "", _repo_over))


def expire_transactions(conn: Connection, deadlines: Deadlines) -> None:
    conn.run(_EXPIRE, now=deadlines.now)


def forget_ended_transactions(conn: Connection, deadlines: Deadlines) -> None:
    conn.run(_FORGET_ENDED, deleted=deadlines.deleted)


def uploads_over(conn: Connection, deadlines: Deadlines, limit: int) -> Sequence[tuple[str, int]]:
    """Expired uploads, open or completed, and those of branches that are over: (id, how many parts)."""
    rows = conn.all(
        _UPLOADS_OVER, now=deadlines.now, deleted=deadlines.deleted, uploaded=deadlines.uploaded, limit=limit
    )
    return [(upload, count) for upload, count in rows]


def count_uploads_over(conn: Connection, deadlines: Deadlines) -> int:
    return _count(conn, _COUNT_UPLOADS, now=deadlines.now, deleted=deadlines.deleted, uploaded=deadlines.uploaded)


def branches_over(conn: Connection, deadlines: Deadlines, limit: int) -> Sequence[tuple[int, bool]]:
    """(id, whether it was a transaction's)."""
    rows = conn.all(_BRANCHES_OVER, now=deadlines.now, deleted=deadlines.deleted, limit=limit)
    return [(branch, bool(was_transaction)) for branch, was_transaction in rows]


def count_branches_over(conn: Connection, deadlines: Deadlines) -> tuple[int, int]:
    """How many branches are over, and how many of them were transactions'."""
    row = conn.one(_COUNT_BRANCHES, now=deadlines.now, deleted=deadlines.deleted)
    assert row is not None
    return row[0], row[1]


def repos_over(conn: Connection, deadlines: Deadlines, limit: int) -> Sequence[int]:
    """Repos that were deleted and none of whose branches can be restored."""
    return [row[0] for row in conn.all(_REPOS_OVER, now=deadlines.now, deleted=deadlines.deleted, limit=limit)]


def count_repos_over(conn: Connection, deadlines: Deadlines) -> int:
    return _count(conn, _COUNT_REPOS, now=deadlines.now, deleted=deadlines.deleted)


# ---------------------------------------------------------------- branches and repos that go

_DROP_BRANCH_PARTS = Statement(
    delete(parts).where(_P.upload_id.in_(select(_U.id).where(_U.branch_id == bindparam("branch"))))
)
_OF_BRANCH = [
    Statement(delete(uploads).where(_U.branch_id == bindparam("branch"))),
    Statement(delete(branch_settings).where(branch_settings.c.branch_id == bindparam("branch"))),
    Statement(delete(deliveries).where(deliveries.c.branch_id == bindparam("branch"))),
    Statement(
        update(branches)
        .where(_B.id == bindparam("branch"))
        .values(repo_id=NOBODY, project="", name="", label="", transaction_id=None, deleted_us=bindparam("now"))
    ),
]
_OF_REPO = [
    Statement(delete(tags).where(tags.c.repo_id == bindparam("repo"))),
    Statement(delete(protections).where(protections.c.repo_id == bindparam("repo"))),
    Statement(
        delete(deliveries).where(
            deliveries.c.webhook_id.in_(select(webhooks.c.id).where(webhooks.c.repo_id == bindparam("repo")))
        )
    ),
    Statement(delete(webhooks).where(webhooks.c.repo_id == bindparam("repo"))),
    Statement(delete(transactions).where(_X.repo_id == bindparam("repo"))),
    Statement(update(repos).where(_R.id == bindparam("repo")).values(project="", name="")),
]
_DROP_ROWS = [
    Statement(delete(branches).where(_B.repo_id == NOBODY, _B.id < select(func.max(_B.id)).scalar_subquery())),
    Statement(delete(timelines).where(_T.repo_id == NOBODY, _T.id < select(func.max(_T.id)).scalar_subquery())),
    Statement(
        delete(repos).where(
            _R.project == "",
            _R.id < select(func.max(_R.id)).scalar_subquery(),
            ~exists().where(_T.repo_id == _R.id),
        )
    ),
]


def drop_branch(conn: Connection, branch_id: int, now_us: int) -> None:
    """It can be found and restored no more; its timelines are nobody's."""
    conn.run(_DROP_BRANCH_PARTS, branch=branch_id)
    *others, row = _OF_BRANCH
    for statement in others:
        conn.run(statement, branch=branch_id)
    conn.run(row, branch=branch_id, now=now_us)


def drop_repo(conn: Connection, repo_id: int) -> None:
    """All but its history, whose timelines are nobody's from here on."""
    for statement in _OF_REPO:
        conn.run(statement, repo=repo_id)


def drop_rows(conn: Connection) -> None:
    """Rows that were kept for their numbers, as far as that is over."""
    for statement in _DROP_ROWS:
        conn.run(statement)


# ---------------------------------------------------------------- timelines that are nobody's

_REPOS_WITH_NOBODYS = Statement(
    select(_T.repo_id).join_from(timelines, repos, _R.id == _T.repo_id).where(_nobodys).distinct().order_by(_T.repo_id)
)
_LINES = Statement(
    select(_T.id, _T.parent_id, _T.fork_seq, _flag(_nobodys), _flag(and_(_T.parent_id.is_(None), ~_repo_gone)))
    .join_from(timelines, repos, _R.id == _T.repo_id)
    .where(_T.repo_id == bindparam("repo"))
    .order_by(_T.id)
)
_dropped = ~exists().where(_B.id == _T.branch_id, _B.repo_id != NOBODY)
_IS_NOBODYS = Statement(
    select(_T.id)
    .join_from(timelines, repos, _R.id == _T.repo_id)
    .where(_T.id == bindparam("line"), or_(_R.project == "", and_(_T.branch_id.is_not(None), _dropped)))
)
_TAGGED = Statement(
    select(_C.timeline_id, func.max(_C.seq))
    .join_from(tags, commits, _C.id == tags.c.commit_id)
    .join(repos, _R.id == tags.c.repo_id)
    .where(tags.c.repo_id == bindparam("repo"), ~_repo_gone)
    .group_by(_C.timeline_id)
)
_MERGED = Statement(
    select(_M.timeline_id, _M.seq, _C.timeline_id, _C.seq)
    .join_from(timelines, merge_parents, _M.timeline_id == _T.id)
    .join(commits, _C.id == _M.parent_id)
    .where(_T.repo_id == bindparam("repo"))
)
_LAST = Statement(select(func.max(_C.seq)).where(_C.timeline_id == bindparam("line")))
_COMMITS_ABOVE = Statement(
    select(func.count()).select_from(commits).where(_C.timeline_id == bindparam("line"), _C.seq > bindparam("above"))
)
_FORKED_AT = Statement(
    select(func.max(_T.fork_seq)).where(_T.repo_id == bindparam("repo"), _T.parent_id == bindparam("line"))
)
_TAGGED_AT = Statement(
    select(func.max(_C.seq))
    .join_from(tags, commits, _C.id == tags.c.commit_id)
    .where(tags.c.repo_id == bindparam("repo"), _C.timeline_id == bindparam("line"))
)
_MERGED_AT = Statement(
    select(func.max(_C.seq))
    .join_from(commits, merge_parents, _M.parent_id == _C.id)
    .where(_C.timeline_id == bindparam("line"), _C.seq >= bindparam("low"))
)
_this_commit = (_E.timeline_id == bindparam("line"), _E.seq == bindparam("at"))
_written = entries.alias("written")
_REOPEN = Statement(
    update(entries)
    .where(
        _E.timeline_id == bindparam("line"),
        _E.until_seq == bindparam("at"),
        _E.seq < bindparam("at"),
        _E.key.in_(
            select(_written.c.key).where(_written.c.timeline_id == bindparam("line"), _written.c.seq == bindparam("at"))
        ),
    )
    .values(until_seq=None)
)
_DROP_ENTRY_SETTINGS = Statement(
    delete(entry_settings).where(
        tuple_(entry_settings.c.key, entry_settings.c.commit_id).in_(select(_E.key, _E.commit_id).where(*_this_commit))
    )
)
_DROP_ENTRIES = Statement(delete(entries).where(*_this_commit))
_DROP_PARENTS = Statement(delete(merge_parents).where(_M.timeline_id == bindparam("line"), _M.seq == bindparam("at")))
_DROP_COMMIT = Statement(delete(commits).where(_C.timeline_id == bindparam("line"), _C.seq == bindparam("at")))
_UNFLATTEN = Statement(update(timelines).where(_T.id == bindparam("line")).values(flat=0))
_some_copies = select(_E.id).where(_E.timeline_id == bindparam("line")).limit(bindparam("limit"))
_DROP_COPIES = Statement(delete(entries).where(_E.id.in_(_some_copies)))
_RETIRE = Statement(update(timelines).where(_T.id == bindparam("line")).values(repo_id=NOBODY))


def repos_with_nobodys(conn: Connection, deadlines: Deadlines) -> Sequence[int]:
    """Repos with timelines that are nobody's."""
    return [row[0] for row in conn.all(_REPOS_WITH_NOBODYS, now=deadlines.now, deleted=deadlines.deleted)]


def lines_of(conn: Connection, repo_id: int, deadlines: Deadlines) -> Sequence[Line]:
    rows = conn.all(_LINES, repo=repo_id, now=deadlines.now, deleted=deadlines.deleted)
    return [Line(line, parent, fork_seq, bool(over), bool(root)) for line, parent, fork_seq, over, root in rows]


def is_nobodys(conn: Connection, line_id: int) -> bool:
    """Whether its branch or repo has been dropped, and nothing can bring that back."""
    return conn.one(_IS_NOBODYS, line=line_id) is not None


def tagged(conn: Connection, repo_id: int, deadlines: Deadlines) -> Sequence[tuple[int, int]]:
    """(timeline, its last commit that a tag names)."""
    rows = conn.all(_TAGGED, repo=repo_id, now=deadlines.now, deleted=deadlines.deleted)
    return [(line, seq) for line, seq in rows]


def merged(conn: Connection, repo_id: int) -> Sequence[tuple[int, int, int, int]]:
    """(timeline, seq) of each merge commit, and of what it merged."""
    return [(line, seq, other, at) for line, seq, other, at in conn.all(_MERGED, repo=repo_id)]


def last_seq(conn: Connection, line_id: int) -> int | None:
    """Of the timeline's own commits."""
    row = conn.one(_LAST, line=line_id)
    return row[0] if row else None


def count_commits(conn: Connection, line_id: int, above: int) -> int:
    """The timeline's own commits with seq > `above`."""
    return _count(conn, _COMMITS_ABOVE, line=line_id, above=above)


def needed_upto(conn: Connection, repo_id: int, line_id: int, low: int) -> int:
    """The timeline's last commit that a fork, a tag or (of those from `low` on) a merge refers to; -1 for none."""
    found = (
        conn.one(_FORKED_AT, repo=repo_id, line=line_id),
        conn.one(_TAGGED_AT, repo=repo_id, line=line_id),
        conn.one(_MERGED_AT, line=line_id, low=low),
    )
    return max((row[0] for row in found if row is not None and row[0] is not None), default=-1)


def drop_commit(conn: Connection, line_id: int, seq: int) -> None:
    """The timeline's last commit: it is then as it was before that."""
    for statement in (_REOPEN, _DROP_ENTRY_SETTINGS, _DROP_ENTRIES, _DROP_PARENTS, _DROP_COMMIT):
        conn.run(statement, line=line_id, at=seq)


def drop_copies(conn: Connection, line_id: int, limit: int) -> int:
    """Some of the rows of a timeline that has no commits any more: it is not flat from here on."""
    conn.run(_UNFLATTEN, line=line_id)
    return conn.run(_DROP_COPIES, line=line_id, limit=limit)


def retire_timeline(conn: Connection, line_id: int) -> None:
    conn.run(_RETIRE, line=line_id)


# ---------------------------------------------------------------- blobs and manifests

_MAX_BLOB = Statement(select(func.max(_L.id)))
_BLOB_ID = Statement(select(_L.id).where(_L.digest == bindparam("digest")))
_HELD_BLOBS = Statement(
    select(_E.id, _E.timeline_id, _E.seq, _L.id)
    .join_from(entries, blobs, _L.digest == _E.digest, isouter=True)
    .where(_E.id > bindparam("after"), _E.layout != MANIFEST)
    .order_by(_E.id)
    .limit(bindparam("limit"))
)
_HELD_MANIFESTS = Statement(
    select(_E.id, _E.timeline_id, _E.seq, _E.digest)
    .where(
        _E.id > bindparam("after"),
        _E.layout == MANIFEST,
        _E.digest >= bindparam("first"),
        _E.digest <= bindparam("last"),
    )
    .order_by(_E.id)
    .limit(bindparam("limit"))
)
_HELD_PARTS = Statement(
    select(_P.upload_id, _P.number, _P.extents)
    .join_from(parts, uploads, _U.id == _P.upload_id)
    .where(
        or_(
            _P.upload_id > bindparam("after"),
            and_(_P.upload_id == bindparam("after"), _P.number > bindparam("number")),
        ),
        ~_expired_upload,
    )
    .order_by(_P.upload_id, _P.number)
    .limit(bindparam("limit"))
)
_BLOBS = Statement(
    select(_L.id, _L.digest, func.length(_L.data, type_=Integer))
    .where(_L.id > bindparam("after"))
    .order_by(_L.id)
    .limit(bindparam("limit"))
)
_MANIFESTS = Statement(
    select(manifests.c.digest, func.length(manifests.c.body, type_=Integer))
    .where(manifests.c.digest > bindparam("after"))
    .order_by(manifests.c.digest)
    .limit(bindparam("limit"))
)
_SINCE = Statement(select(_D.since_us).where(_D.digest == bindparam("digest")))
_CONDEMNED = Statement(
    select(_D.digest, _D.since_us, _L.id, manifests.c.digest)
    .join_from(condemned, blobs, _L.digest == _D.digest, isouter=True)
    .outerjoin(manifests, manifests.c.digest == _D.digest)
    .where(_D.digest > bindparam("after"))
    .order_by(_D.digest)
    .limit(bindparam("limit"))
)
_CONDEMN = Statement(
    condemned.insert().from_select(
        ["digest", "since_us"],
        select(bindparam("this", type_=_D.digest.type), bindparam("since", type_=_D.since_us.type)).where(
            ~exists().where(_D.digest == bindparam("this", type_=_D.digest.type))
        ),
    )
)
_ABSOLVE = Statement(delete(condemned).where(_D.digest == bindparam("digest"), _D.since_us == bindparam("since")))
_EXECUTE = Statement(delete(condemned).where(_D.digest == bindparam("digest"), _D.since_us <= bindparam("upto")))
_DROP_BLOB = Statement(delete(blobs).where(_L.digest == bindparam("digest")))
_DROP_MANIFEST = Statement(delete(manifests).where(manifests.c.digest == bindparam("digest")))


def max_blob(conn: Connection) -> int:
    row = conn.one(_MAX_BLOB)
    return row[0] if row and row[0] is not None else 0


def blob_id(conn: Connection, digest: Digest) -> int | None:
    row = conn.one(_BLOB_ID, digest=digest)
    return row[0] if row else None


def held_blobs(conn: Connection, after: int, limit: int) -> Sequence[tuple[int, int, int, int | None]]:
    """(id, timeline, seq, number of the blob) of entries by id."""
    return conn.all(_HELD_BLOBS, after=after, limit=limit)


def held_manifests(
    conn: Connection, after: int, first: bytes, last: bytes, limit: int
) -> Sequence[tuple[int, int, int, bytes]]:
    """(id, timeline, seq, digest) of entries by id whose manifest's digest lies between these two."""
    return conn.all(_HELD_MANIFESTS, after=after, first=first, last=last, limit=limit)


def held_parts(
    conn: Connection, deadlines: Deadlines, after: tuple[str, int], limit: int
) -> Sequence[tuple[str, int, bytes]]:
    """(upload, number, extents) of the parts of uploads that have not expired."""
    return conn.all(
        _HELD_PARTS,
        after=after[0],
        number=after[1],
        limit=limit,
        now=deadlines.now,
        deleted=deadlines.deleted,
        uploaded=deadlines.uploaded,
    )


def blobs_by_id(conn: Connection, after: int, limit: int) -> Sequence[tuple[int, Digest, int | None]]:
    """(number, digest, size of the inline bytes, None where they are in the blob store)."""
    return conn.all(_BLOBS, after=after, limit=limit)


def manifests_by_digest(conn: Connection, after: bytes, limit: int) -> Sequence[tuple[Digest, int]]:
    """(digest, size)."""
    return conn.all(_MANIFESTS, after=after, limit=limit)


def condemned_since(conn: Connection, digest: Digest) -> int | None:
    row = conn.one(_SINCE, digest=digest)
    return row[0] if row else None


def condemned_after(
    conn: Connection, after: bytes, limit: int
) -> Sequence[tuple[Digest, int, int | None, bytes | None]]:
    """(digest, since when, number of the blob, digest of the manifest)."""
    return conn.all(_CONDEMNED, after=after, limit=limit)


def condemn(conn: Connection, digest: Digest, since_us: int) -> None:
    """Unless it is condemned already."""
    conn.run(_CONDEMN, this=digest, since=since_us)


def absolve(conn: Connection, digest: Digest, since_us: int) -> None:
    """Takes back what was said at that time."""
    conn.run(_ABSOLVE, digest=digest, since=since_us)


def execute(conn: Connection, digest: Digest, layout: int, upto_us: int) -> bool:
    """Removes the blob's or manifest's row, where it still is condemned and since before that time."""
    if not conn.run(_EXECUTE, digest=digest, upto=upto_us):
        return False
    conn.run(_DROP_MANIFEST if layout == MANIFEST else _DROP_BLOB, digest=digest)
    return True


def _count(conn: Connection, statement: Statement, **values: int) -> int:
    row = conn.one(statement, **values)
    assert row is not None
    return int(row[0])
