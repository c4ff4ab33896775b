"""Queries: projects and who is a member of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from gateway.access.errors import Unknown
from gateway.access.model import Member, Project, ProjectPolicy
from gateway.access.rights import Right, Rights
from gateway.access.tables import memberships, projects, users
from pfs.sql import Connection, Row, Statement

_P, _M, _U = projects.c, memberships.c, users.c
_POLICY = ("requires_session", "max_session_s", "export_buckets", "audits")
_columns = (_P.id, _P.number, _P.name, _P.created_us, *(_P[name] for name in _POLICY))

_BY_NAME = Statement(select(*_columns).where(_P.name == bindparam("name")))
_BY_NUMBER = Statement(select(*_columns).where(_P.number == bindparam("number")))
_BY_ID = Statement(select(*_columns).where(_P.id == bindparam("id")))
_ALL = Statement(select(*_columns).order_by(_P.name))
_LAST_NUMBER = Statement(select(func.max(_P.number)))
_INSERT = Statement(
    insert(projects).values({name: bindparam(name) for name in ("number", "name", *_POLICY, "created_us")})
)
_SET_POLICY = Statement(
    update(projects).where(_P.id == bindparam("project")).values({name: bindparam(name) for name in _POLICY})
)
_MEMBERS = Statement(
    select(_U.name, _M.granted, _M.created_us)
    .join_from(memberships, users, _U.id == _M.user_id)
    .where(_M.project_id == bindparam("project"))
    .order_by(_U.name, _M.granted)
)
_MEMBERSHIPS = Statement(
    select(_P.name, _M.granted)
    .join_from(memberships, projects, _P.id == _M.project_id)
    .where(_M.user_id == bindparam("user"))
    .order_by(_P.name, _M.granted)
)
_RIGHTS = Statement(select(_M.granted).where(_M.project_id == bindparam("project"), _M.user_id == bindparam("user")))
_GRANT = Statement(
    insert(memberships).values({name: bindparam(name) for name in ("project_id", "user_id", "granted", "created_us")})
)
_REVOKE = Statement(
    delete(memberships).where(
        _M.project_id == bindparam("project"), _M.user_id == bindparam("user"), _M.granted == bindparam("right")
    )
)


def find_project(conn: Connection, name: str) -> Project | None:
    row = conn.one(_BY_NAME, name=name)
    return _project(row) if row else None


def project_named(conn: Connection, name: str) -> Project:
    """Raises Unknown."""
    found = find_project(conn, name)
    if found is None:
        raise Unknown("project", name)
    return found


def project_by_number(conn: Connection, number: str) -> Project | None:
    row = conn.one(_BY_NUMBER, number=number)
    return _project(row) if row else None


def project_by_id(conn: Connection, project_id: int) -> Project:
    row = conn.one(_BY_ID, id=project_id)
    assert row is not None
    return _project(row)


def all_projects(conn: Connection) -> Sequence[Project]:
    return [_project(row) for row in conn.all(_ALL)]


def insert_project(conn: Connection, name: str, policy: ProjectPolicy, now_us: int) -> None:
    """With the next free number."""
    row = conn.one(_LAST_NUMBER)
    last = int(row[0]) if row is not None and row[0] is not None else 0
    conn.run(_INSERT, number=f"{last + 1:012d}", name=name, created_us=now_us, **_policy_values(policy))


def set_policy(conn: Connection, project_id: int, policy: ProjectPolicy) -> None:
    conn.run(_SET_POLICY, project=project_id, **_policy_values(policy))


def members_of(conn: Connection, project_id: int) -> Sequence[Member]:
    return [
        Member(name, Right(right), created_us) for name, right, created_us in conn.all(_MEMBERS, project=project_id)
    ]


def memberships_of(conn: Connection, user_id: int) -> Sequence[tuple[str, Right]]:
    """(project, right), by both."""
    return [(project, Right(right)) for project, right in conn.all(_MEMBERSHIPS, user=user_id)]


def rights_of(conn: Connection, project_id: int, user_id: int) -> Rights:
    return frozenset(Right(row[0]) for row in conn.all(_RIGHTS, project=project_id, user=user_id))


def grant(conn: Connection, project_id: int, user_id: int, right: Right, now_us: int) -> None:
    """Again is a no-op."""
    if right not in rights_of(conn, project_id, user_id):
        conn.run(_GRANT, project_id=project_id, user_id=user_id, granted=right.value, created_us=now_us)


def revoke(conn: Connection, project_id: int, user_id: int, right: Right) -> bool:
    """Whether there was anything to take away."""
    return conn.run(_REVOKE, project=project_id, user=user_id, right=right.value) > 0


def _project(row: Row) -> Project:
    project_id, number, name, created_us, requires_session, max_session_s, export_buckets, audits = row
    buckets = None if export_buckets is None else tuple(json.loads(export_buckets))
    return Project(
        project_id, number, name, ProjectPolicy(bool(requires_session), max_session_s, buckets, audits), created_us
    )


def _policy_values(policy: ProjectPolicy) -> dict[str, object]:
    buckets = policy.export_buckets
    return {
        "requires_session": int(policy.requires_session),
        "max_session_s": policy.max_session_s,
        "export_buckets": None if buckets is None else json.dumps(buckets),
        "audits": policy.audits,
    }
