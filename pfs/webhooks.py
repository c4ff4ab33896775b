"""Webhooks: who is to be told of a repo's commits, and how far that has come on each branch.

Per webhook and branch there is a cursor, the commit that was delivered last. It is made with the webhook, at the head
that the branch has then, or with the branch, at the commit that it begins with. A writer does nothing for webhooks:
what is to be delivered is what a branch has behind its cursor (see `pfs.feed`), and a delivery moves the cursor.
"""

from __future__ import annotations

from pfs import feed, history
from pfs.branches import find_repo
from pfs.commits.transaction import Transaction, new_uid, now_us
from pfs.errors import NoSuchCommit, NoSuchWebhook
from pfs.meta import refs, webhooks
from pfs.meta.database import Connection
from pfs.meta.webhooks import Cursor
from pfs.model import Commit, CommitId, Undelivered, Webhook, WebhookState
from pfs.timelines import Timelines


def create_webhook(
    tx: Transaction, project: str, repo: str, branches: str, url: str, secret: str, author: str
) -> Webhook:
    known = find_repo(tx, project, repo)
    webhook = Webhook(new_uid().hex(), known.id, branches, url, secret, author, now_us())
    webhooks.insert_webhook(tx.conn, webhook)
    for branch in refs.branches_of_repo(tx.conn, known.id):
        if webhook.concerns(branch.name):
            webhooks.start(tx.conn, webhook.id, branch.id, tx.head(branch.id).commit_id)
    return webhook


def delete_webhook(tx: Transaction, project: str, repo: str, webhook_id: str) -> None:
    if not webhooks.delete_webhook(tx.conn, find_repo(tx, project, repo).id, webhook_id):
        raise NoSuchWebhook(webhook_id)


def state(conn: Connection, timelines: Timelines, webhook: Webhook) -> WebhookState:
    pending, errors = 0, []
    for cursor in webhooks.cursors(conn, webhook.id):
        branch = refs.branch_by_id(conn, cursor[0])
        if branch is None:
            continue
        head = history.head_commit(conn, timelines, branch)
        last = _last(conn, webhook, cursor)
        if last is not None:
            pending += head.seq - feed.shared_seq(conn, timelines, head, last)
        if cursor[3]:
            errors.append(f"{branch.name}: {cursor[3]}")
    return WebhookState(webhook, pending, "; ".join(errors))


def undelivered(conn: Connection, timelines: Timelines, webhook_id: str, branch_id: int) -> Undelivered | None:
    """None where the webhook or the branch is gone."""
    webhook = webhooks.find_webhook(conn, webhook_id)
    cursor = webhooks.find_cursor(conn, webhook_id, branch_id)
    branch = refs.branch_by_id(conn, branch_id)
    if webhook is None or cursor is None or branch is None:
        return None
    head, last = history.head_commit(conn, timelines, branch), _last(conn, webhook, cursor)
    page = () if last is None else feed.commits_behind(conn, timelines, head, last, 1)
    return Undelivered(webhook, branch, cursor[1], cursor[2], page[0] if page else None, head.id)


def _last(conn: Connection, webhook: Webhook, cursor: Cursor) -> Commit | None:
    """The commit that was delivered last; None where it is gone: then deliveries go on behind the head."""
    try:
        return history.commit_by_id(conn, webhook.repo_id, cursor[1])
    except NoSuchCommit:
        return None


def advance(tx: Transaction, found: Undelivered, commit_id: CommitId, error: str) -> bool:
    return webhooks.advance(tx.conn, found.webhook.id, found.branch.id, found.last, commit_id, error)


def retry(tx: Transaction, found: Undelivered, next_us: int, error: str) -> bool:
    return webhooks.retry(
        tx.conn, found.webhook.id, found.branch.id, found.last, found.attempts + 1, next_us, error
    )  # fmt: skip
