"""Queries: transactions. One that is past its time counts as expired, whether or not anybody has ended it yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, func, insert, select, update

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import branches, repos, transactions
from pfs.model import CommitId, TransactionInfo, TransactionState

_T = transactions.c
_own, _target = branches.alias("own"), branches.alias("target")
# The branches' names, as long as there is a record of them.
_query = (
    select(
        _T.id,
        _T.repo_id,
        repos.c.name,
        _T.branch_id,
        func.coalesce(_own.c.label, ""),
        _T.target_id,
        func.coalesce(_target.c.name, ""),
        _T.base,
        _T.author,
        _T.message,
        _T.metadata,
        _T.begun_us,
        _T.expires_us,
        _T.state,
        _T.ended_us,
        _T.commit_id,
    )
    .join_from(transactions, repos, repos.c.id == _T.repo_id)
    .outerjoin(_own, _own.c.id == _T.branch_id)
    .outerjoin(_target, _target.c.id == _T.target_id)
)
_BASE = 7  # its column
_open = _T.ended_us.is_(None)

_TRANSACTION = Statement(_query.where(_T.id == bindparam("id")))
_OPEN_OF_REPO = Statement(
    _query.where(_T.repo_id == bindparam("repo"), _T.id > bindparam("after"), _open, _T.expires_us > bindparam("now"))
    .order_by(_T.id)
    .limit(bindparam("limit"))
)
_UNENDED_OF_REPO = Statement(_query.where(_T.repo_id == bindparam("repo"), _open).order_by(_T.id))
_EXPIRED = Statement(
    _query.where(_open, _T.expires_us <= bindparam("now")).order_by(_T.expires_us).limit(bindparam("limit"))
)
_EXPIRY = Statement(select(_T.expires_us).where(_T.id == bindparam("id")))
_LAST = Statement(select(func.max(_T.id)))
_NAMES = (
    *("id", "repo_id", "branch_id", "target_id", "base", "author", "message", "metadata"),
    *("begun_us", "expires_us", "state"),
)
_INSERT = Statement(insert(transactions).values({name: bindparam(name) for name in _NAMES}))
_END = Statement(
    update(transactions)
    .where(_T.id == bindparam("transaction"))
    .values(state=bindparam("outcome"), ended_us=bindparam("now"), commit_id=bindparam("commit"))
)


def find_transaction(conn: Connection, transaction_id: str, now_us: int) -> TransactionInfo | None:
    row = conn.one(_TRANSACTION, id=transaction_id)
    return _info(row, now_us) if row else None


def open_transactions(conn: Connection, repo_id: int, after: str, limit: int, now_us: int) -> Sequence[TransactionInfo]:
    """Those that can still be committed, by id and so the oldest first, behind the id `after`."""
    return [_info(row, now_us) for row in conn.all(_OPEN_OF_REPO, repo=repo_id, after=after, limit=limit, now=now_us)]


def unended_of_repo(conn: Connection, repo_id: int, now_us: int = 0) -> Sequence[TransactionInfo]:
    """Those that nobody has ended yet, expired ones too."""
    return [_info(row, now_us) for row in conn.all(_UNENDED_OF_REPO, repo=repo_id)]


def expired(conn: Connection, limit: int, now_us: int) -> Sequence[TransactionInfo]:
    """Those of all repos that are past their time and that nobody has ended yet."""
    return [_info(row, now_us) for row in conn.all(_EXPIRED, now=now_us, limit=limit)]


def expiry(conn: Connection, transaction_id: str) -> int:
    row = conn.one(_EXPIRY, id=transaction_id)
    assert row is not None
    return int(row[0])


def last_id(conn: Connection) -> str | None:
    """The greatest id of all."""
    row = conn.one(_LAST)
    return row[0] if row else None


def insert_transaction(conn: Connection, info: TransactionInfo) -> None:
    values = {name: getattr(info, name) for name in _NAMES}
    conn.run(_INSERT, **{**values, "base": bytes.fromhex(info.base)})


def end(
    conn: Connection, transaction_id: str, state: TransactionState, ended_us: int, commit_id: CommitId | None
) -> None:
    commit = None if commit_id is None else bytes.fromhex(commit_id)
    conn.run(_END, transaction=transaction_id, outcome=state, now=ended_us, commit=commit)


def _info(row: Row, now_us: int) -> TransactionInfo:
    base, commit_id = row[_BASE].hex(), None if row[-1] is None else row[-1].hex()
    info = TransactionInfo(*(*row[:_BASE], base, *row[_BASE + 1 : -1], commit_id))
    if info.state == "open" and info.expires_us <= now_us:
        return replace(info, state="expired", ended_us=info.expires_us)
    return info
