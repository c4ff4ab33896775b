"""Queries: access keys, API keys, sessions. Secrets come and go sealed (`gateway.access.vault`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, bindparam, delete, insert, literal, null, select, update

from gateway.access.model import Key, Session
from gateway.access.rights import format_rights, parse_rights
from gateway.access.tables import access_keys, api_keys, projects, sessions, users
from pfs.sql import Connection, Row, Statement

_K, _A, _S, _U, _P = access_keys.c, api_keys.c, sessions.c, users.c, projects.c


@dataclass(frozen=True, slots=True)
class Held:
    """An access key's or a session's row. A session has a token digest, rights and an expiry, and may be `proven` by
    a second factor."""

    user_id: int
    project_id: int
    secret: bytes
    disabled_us: int | None
    user_disabled_us: int | None
    digest: bytes | None = None
    granted: str | None = None
    expires_us: int | None = None
    assumed: str = ""
    proven: int = 0


_KEY = Statement(
    select(_K.user_id, _K.project_id, _K.secret, _K.disabled_us, _U.disabled_us)
    .join_from(access_keys, users, _U.id == _K.user_id)
    .where(_K.access_key == bindparam("access_key"))
)
_SESSION = Statement(
    select(
        *(_S.user_id, _S.project_id, _S.secret, _S.ended_us, _U.disabled_us),
        *(_S.digest, _S.granted, _S.expires_us, _S.assumed, _S.proven),
    )
    .join_from(sessions, users, _U.id == _S.user_id)
    .where(_S.access_key == bindparam("access_key"))
)
_INSERT_KEY = Statement(
    insert(access_keys).values(
        {name: bindparam(name) for name in ("access_key", "user_id", "project_id", "secret", "created_us")}
    )
)
_DISABLE_KEY = Statement(
    update(access_keys)
    .where(_K.access_key == bindparam("key"), _K.disabled_us.is_(None))
    .values(disabled_us=bindparam("now"))
)
_DELETE_KEY = Statement(delete(access_keys).where(_K.access_key == bindparam("key")))
_INSERT_SESSION = Statement(
    insert(sessions).values(
        {
            name: bindparam(name)
            for name in (
                "access_key",
                "digest",
                "user_id",
                "project_id",
                "granted",
                "assumed",
                "proven",
                "secret",
                "created_us",
                "expires_us",
            )
        }
    )
)
_END_SESSION = Statement(
    update(sessions).where(_S.access_key == bindparam("key"), _S.ended_us.is_(None)).values(ended_us=bindparam("now"))
)
_FORGET_SESSIONS = Statement(delete(sessions).where(_S.expires_us < bindparam("before")))
_INSERT_API_KEY = Statement(
    insert(api_keys).values(
        {name: bindparam(name) for name in ("digest", "user_id", "project_id", "created_us", "expires_us")}
    )
)
_API_KEY = Statement(
    select(_A.user_id, _A.project_id, _A.expires_us, _A.disabled_us).where(_A.digest == bindparam("digest"))
)
_SEALED_KEYS = Statement(select(_K.access_key, _K.secret))
_SEALED_SESSIONS = Statement(select(_S.access_key, _S.secret))
_RESEAL_KEY = Statement(update(access_keys).where(_K.access_key == bindparam("key")).values(secret=bindparam("sealed")))
_RESEAL_SESSION = Statement(
    update(sessions).where(_S.access_key == bindparam("key")).values(secret=bindparam("sealed"))
)


def _listed(statement: Select[tuple[object, ...]]) -> Statement:
    """Of one user, of one project, or of both; a text that is "" means any."""
    any_user, any_project = bindparam("user") == literal(""), bindparam("project") == literal("")
    return Statement(
        statement.where((_U.name == bindparam("user")) | any_user, (_P.name == bindparam("project")) | any_project)
    )


_KEYS = _listed(
    select(_K.access_key, _U.name, _P.name, _K.created_us, _K.disabled_us)
    .join_from(access_keys, users, _U.id == _K.user_id)
    .join(projects, _P.id == _K.project_id)
    .order_by(_K.created_us, _K.access_key)
)
_SESSIONS = _listed(
    select(_S.access_key, _U.name, _P.name, _S.granted, _S.created_us, _S.expires_us, _S.ended_us, _S.assumed)
    .join_from(sessions, users, _U.id == _S.user_id)
    .join(projects, _P.id == _S.project_id)
    .where(_S.expires_us > bindparam("now"), _S.ended_us.is_(null()))
    .order_by(_S.created_us, _S.access_key)
)


def find_key(conn: Connection, access_key: str) -> Held | None:
    row = conn.one(_KEY, access_key=access_key)
    return Held(*row) if row else None


def find_session(conn: Connection, access_key: str) -> Held | None:
    row = conn.one(_SESSION, access_key=access_key)
    return Held(*row) if row else None


def insert_key(
    conn: Connection, *, access_key: str, user_id: int, project_id: int, secret: bytes, created_us: int
) -> None:
    conn.run(
        _INSERT_KEY,
        access_key=access_key,
        user_id=user_id,
        project_id=project_id,
        secret=secret,
        created_us=created_us,
    )


def keys_of(conn: Connection, user: str, project: str) -> Sequence[Key]:
    """Of this user and in this project; "" for any."""
    return [Key(*row) for row in conn.all(_KEYS, user=user, project=project)]


def disable_key(conn: Connection, access_key: str, now_us: int) -> bool:
    return conn.run(_DISABLE_KEY, key=access_key, now=now_us) > 0


def delete_key(conn: Connection, access_key: str) -> bool:
    return conn.run(_DELETE_KEY, key=access_key) > 0


def insert_session(conn: Connection, session: Session, held: Held) -> None:
    """`held` has its secret, sealed, the token's digest, and whether a second factor was given."""
    conn.run(
        _INSERT_SESSION,
        access_key=session.access_key,
        digest=held.digest,
        user_id=held.user_id,
        project_id=held.project_id,
        granted=format_rights(session.rights),
        assumed=session.assumed,
        proven=held.proven,
        secret=held.secret,
        created_us=session.created_us,
        expires_us=session.expires_us,
    )


def sessions_of(conn: Connection, user: str, project: str, now_us: int) -> Sequence[Session]:
    """Those in force, of this user and in this project; "" for any."""
    rows = conn.all(_SESSIONS, user=user, project=project, now=now_us)
    return [Session(key, name, at, parse_rights(granted), *rest) for key, name, at, granted, *rest in rows]


def end_session(conn: Connection, access_key: str, now_us: int) -> bool:
    return conn.run(_END_SESSION, key=access_key, now=now_us) > 0


def forget_sessions(conn: Connection, before_us: int) -> int:
    """Removes those that ran out before then."""
    return conn.run(_FORGET_SESSIONS, before=before_us)


def insert_api_key(
    conn: Connection, *, digest: bytes, user_id: int, project_id: int, created_us: int, expires_us: int | None
) -> None:
    conn.run(
        _INSERT_API_KEY,
        digest=digest,
        user_id=user_id,
        project_id=project_id,
        created_us=created_us,
        expires_us=expires_us,
    )


def find_api_key(conn: Connection, digest: bytes) -> Row | None:
    """(user's id, project's id, expires_us, disabled_us)."""
    return conn.one(_API_KEY, digest=digest)


def sealed_keys(conn: Connection) -> Sequence[Row]:
    """(access key, sealed secret) of all access keys."""
    return conn.all(_SEALED_KEYS)


def sealed_sessions(conn: Connection) -> Sequence[Row]:
    return conn.all(_SEALED_SESSIONS)


def reseal_key(conn: Connection, access_key: str, sealed: bytes) -> None:
    conn.run(_RESEAL_KEY, key=access_key, sealed=sealed)


def reseal_session(conn: Connection, access_key: str, sealed: bytes) -> None:
    conn.run(_RESEAL_SESSION, key=access_key, sealed=sealed)
