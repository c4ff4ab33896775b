"""Queries: webhooks, and how far each has come on each branch."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, not_, or_, select, update

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import branches, commits, deliveries, repos, timelines, webhooks
from pfs.model import CommitId, Webhook

_W, _D, _B, _C, _T = webhooks.c, deliveries.c, branches.c, commits.c, timelines.c
_webhook_columns = (_W.id, _W.repo_id, _W.branches, _W.url, _W.secret, _W.author, _W.created_us)
_this_delivery = and_(_D.webhook_id == bindparam("hook"), _D.branch_id == bindparam("branch"))
# Only ever from the commit that was read: whoever comes second changes nothing.
_still_there = and_(_this_delivery, _D.commit_id == bindparam("seen"))
# The commit that was delivered last is the branch's head, its own or the one that it was forked at.
_caught_up = and_(
    _C.seq == _B.head_seq,
    or_(_C.timeline_id == _B.timeline_id, and_(_T.fork_seq == _B.head_seq, _T.parent_id == _C.timeline_id)),
)

_OF_REPO = Statement(
    select(*_webhook_columns).where(_W.repo_id == bindparam("repo")).order_by(_W.created_us, _W.id)
)  # fmt: skip
_BY_ID = Statement(select(*_webhook_columns).where(_W.id == bindparam("hook")))
_INSERT = Statement(insert(webhooks).values({column.name: bindparam(column.name) for column in _webhook_columns}))
_DELETE = Statement(delete(webhooks).where(_W.id == bindparam("hook"), _W.repo_id == bindparam("repo")))
_FORGET = Statement(delete(deliveries).where(_D.webhook_id == bindparam("hook")))
_FORGET_ONE = Statement(delete(deliveries).where(_this_delivery))
_START = Statement(
    insert(deliveries).values(
        webhook_id=bindparam("hook"),
        branch_id=bindparam("branch"),
        commit_id=bindparam("commit"),
        attempts=0,
        next_us=0,
        error="",
    )
)
_CURSORS = Statement(
    select(_D.branch_id, _D.commit_id, _D.attempts, _D.error).where(_D.webhook_id == bindparam("hook"))
)  # fmt: skip
_CURSOR = Statement(select(_D.branch_id, _D.commit_id, _D.attempts, _D.error).where(_this_delivery))
_DUE = Statement(
    select(_D.webhook_id, _D.branch_id)
    .join_from(deliveries, branches, _B.id == _D.branch_id)
    .join(repos, repos.c.id == _B.repo_id)
    .join(timelines, _T.id == _B.timeline_id)
    .outerjoin(commits, _C.id == _D.commit_id)
    .where(
        _D.next_us <= bindparam("now"),
        _B.deleted_us.is_(None),
        _B.transaction_id.is_(None),
        repos.c.deleted_us.is_(None),
        or_(_C.id.is_(None), not_(_caught_up)),
    )
    .order_by(_D.next_us, _D.webhook_id, _D.branch_id)
)
_ADVANCE = Statement(
    update(deliveries)
    .where(_still_there)
    .values(commit_id=bindparam("commit"), attempts=0, next_us=0, error=bindparam("text"))
)
_RETRY = Statement(
    update(deliveries)
    .where(_still_there)
    .values(attempts=bindparam("count"), next_us=bindparam("next"), error=bindparam("text"))
)


def webhooks_of_repo(conn: Connection, repo_id: int) -> Sequence[Webhook]:
    """The oldest first."""
    return [Webhook(*row) for row in conn.all(_OF_REPO, repo=repo_id)]


def find_webhook(conn: Connection, webhook_id: str) -> Webhook | None:
    row = conn.one(_BY_ID, hook=webhook_id)
    return Webhook(*row) if row else None


def insert_webhook(conn: Connection, webhook: Webhook) -> None:
    conn.run(
        _INSERT,
        id=webhook.id,
        repo_id=webhook.repo_id,
        branches=webhook.branches,
        url=webhook.url,
        secret=webhook.secret,
        author=webhook.author,
        created_us=webhook.created_us,
    )


def delete_webhook(conn: Connection, repo_id: int, webhook_id: str) -> bool:
    """With how far it had come. Whether there was one."""
    if not conn.run(_DELETE, hook=webhook_id, repo=repo_id):
        return False
    conn.run(_FORGET, hook=webhook_id)
    return True


def start(conn: Connection, webhook_id: str, branch_id: int, commit_id: CommitId) -> None:
    """What is behind this commit is to be delivered."""
    conn.run(_FORGET_ONE, hook=webhook_id, branch=branch_id)  # of a branch that had the same number once
    conn.run(_START, hook=webhook_id, branch=branch_id, commit=bytes.fromhex(commit_id))


Cursor = tuple[int, CommitId, int, str]
"""Branch, the commit that was delivered last, attempts at the next one, the last error."""


def cursors(conn: Connection, webhook_id: str) -> Sequence[Cursor]:
    return [_cursor(row) for row in conn.all(_CURSORS, hook=webhook_id)]


def find_cursor(conn: Connection, webhook_id: str, branch_id: int) -> Cursor | None:
    row = conn.one(_CURSOR, hook=webhook_id, branch=branch_id)
    return _cursor(row) if row else None


def due(conn: Connection, now_us: int) -> Sequence[tuple[str, int]]:
    """(webhook, branch) where there may be something to deliver now, what has waited longest first."""
    return [(row[0], row[1]) for row in conn.all(_DUE, now=now_us)]


def advance(conn: Connection, webhook_id: str, branch_id: int, seen: CommitId, commit_id: CommitId, error: str) -> bool:
    """Whether it still stood where it was seen."""
    where = {"hook": webhook_id, "branch": branch_id, "seen": bytes.fromhex(seen)}
    return bool(conn.run(_ADVANCE, **where, commit=bytes.fromhex(commit_id), text=error))


def retry(
    conn: Connection, webhook_id: str, branch_id: int, seen: CommitId, attempts: int, next_us: int, error: str
) -> bool:
    where = {"hook": webhook_id, "branch": branch_id, "seen": bytes.fromhex(seen)}
    return bool(conn.run(_RETRY, **where, count=attempts, next=next_us, text=error))


def _cursor(row: Row) -> Cursor:
    return row[0], CommitId(row[1].hex()), row[2], row[3]
