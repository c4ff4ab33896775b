"""Queries: protections of a repo's branches, and which of them a name falls under."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sqlalchemy import bindparam, delete, insert, select

from pfs.meta.database import Connection, Statement
from pfs.meta.tables import protections
from pfs.model import Protection

_P = protections.c
_of_repo = _P.repo_id == bindparam("repo")

_PROTECTIONS = Statement(select(_P.pattern, _P.author, _P.created_us).where(_of_repo).order_by(_P.pattern))
_INSERT = Statement(
    insert(protections).values(
        repo_id=bindparam("repo"), pattern=bindparam("glob"), author=bindparam("by"), created_us=bindparam("now")
    )
)
_DELETE = Statement(delete(protections).where(_of_repo, _P.pattern == bindparam("glob")))


def protections_of_repo(conn: Connection, repo_id: int) -> Sequence[Protection]:
    """By pattern."""
    return [Protection(*row) for row in conn.all(_PROTECTIONS, repo=repo_id)]


def protecting(conn: Connection, repo_id: int, branch: str) -> str | None:
    """The first pattern that a branch of this name falls under."""
    return matching(protections_of_repo(conn, repo_id), branch)


def matching(protections: Sequence[Protection], branch: str) -> str | None:
    """The first of them that a branch of this name falls under. Patterns hold no brackets, only `*` and `?`."""
    return next((found.pattern for found in protections if fnmatchcase(branch, found.pattern)), None)


def insert_protection(conn: Connection, repo_id: int, protection: Protection) -> None:
    conn.run(_INSERT, repo=repo_id, glob=protection.pattern, by=protection.author, now=protection.created_us)


def delete_protection(conn: Connection, repo_id: int, pattern: str) -> bool:
    """Whether there was one."""
    return conn.run(_DELETE, repo=repo_id, glob=pattern) > 0
