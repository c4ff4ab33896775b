"""Queries: failed attempts to prove who one is, counted by user and by address.

After so many failures each further one blocks its subject for twice as long as the one before, from
`FIRST_BLOCK_S` to `LONGEST_BLOCK_S`. A day without a failure forgets them. So does a success, of its user's alone:
whoever has one account could else guess at all others from the same address. Many people may share an address, which
is why it has more failures free.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select

from gateway.access.tables import attempts
from pfs.sql import Connection, Statement

FREE, FREE_OF_ADDRESS = 5, 20
FIRST_BLOCK_S, LONGEST_BLOCK_S = 30, 3600
_FORGET_US = 86_400 * 1_000_000

_A = attempts.c
_FIND = Statement(select(_A.failures, _A.since_us, _A.blocked_until_us).where(_A.subject == bindparam("subject")))
_DELETE = Statement(delete(attempts).where(_A.subject == bindparam("subject")))
_INSERT = Statement(
    insert(attempts).values({name: bindparam(name) for name in ("subject", "failures", "since_us", "blocked_until_us")})
)


def blocked_for_s(conn: Connection, subject: str, now_us: int) -> int:
    """Whole seconds, rounded up; 0 where it is not blocked."""
    row = conn.one(_FIND, subject=subject)
    return 0 if row is None else max(0, -(-(row[2] - now_us) // 1_000_000))


def failed(conn: Connection, subject: str, now_us: int) -> None:
    row = conn.one(_FIND, subject=subject)
    failures = 1 if row is None or now_us - row[1] > _FORGET_US else row[0] + 1
    blocked_until_us = now_us + _block_s(failures, subject) * 1_000_000
    conn.run(_DELETE, subject=subject)
    conn.run(_INSERT, subject=subject, failures=failures, since_us=now_us, blocked_until_us=blocked_until_us)


def succeeded(conn: Connection, subject: str) -> None:
    conn.run(_DELETE, subject=subject)


def _block_s(failures: int, subject: str) -> int:
    """How long this failure blocks."""
    free = FREE_OF_ADDRESS if subject.startswith("address:") else FREE
    return 0 if failures < free else int(min(LONGEST_BLOCK_S, FIRST_BLOCK_S * 2 ** min(failures - free, 16)))
