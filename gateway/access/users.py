"""Queries: people, what they know and what they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from gateway.access.errors import Unknown
from gateway.access.model import User
from gateway.access.tables import users
from pfs.sql import Connection, Row, Statement

_U = users.c
_columns = (
    _U.id,
    _U.name,
    _U.canonical_id,
    _U.display_name,
    _U.password_hash.is_not(None),
    _U.totp_secret.is_not(None),
    _U.created_us,
    _U.disabled_us,
)
_BY_NAME = Statement(select(*_columns).where(_U.name == bindparam("name")))
_BY_ID = Statement(select(*_columns).where(_U.id == bindparam("id")))
_ALL = Statement(select(*_columns).order_by(_U.name))
_INSERT = Statement(
    insert(users).values(
        {name: bindparam(name) for name in ("name", "canonical_id", "display_name", "password_hash", "created_us")}
    )
)
_FACTORS = Statement(select(_U.password_hash, _U.totp_secret, _U.totp_counter).where(_U.id == bindparam("id")))
_SET_PASSWORD = Statement(update(users).where(_U.id == bindparam("user")).values(password_hash=bindparam("digest")))
_SET_TOTP = Statement(
    update(users)
    .where(_U.id == bindparam("user"))
    .values(totp_secret=bindparam("secret"), totp_counter=bindparam("step"))
)
_SET_COUNTER = Statement(update(users).where(_U.id == bindparam("user")).values(totp_counter=bindparam("step")))
_SET_DISABLED = Statement(update(users).where(_U.id == bindparam("user")).values(disabled_us=bindparam("when")))
_SEALED = Statement(select(_U.id, _U.name, _U.totp_secret).where(_U.totp_secret.is_not(None)))


@dataclass(frozen=True, slots=True)
class Factors:
    """What a user proves himself with; `totp_counter` is the time step of the last code that was used."""

    password_hash: str | None
    totp_secret: bytes | None
    totp_counter: int


def find_user(conn: Connection, name: str) -> User | None:
    row = conn.one(_BY_NAME, name=name)
    return _user(row) if row else None


def user_named(conn: Connection, name: str) -> User:
    """Raises Unknown."""
    found = find_user(conn, name)
    if found is None:
        raise Unknown("user", name)
    return found


def user_by_id(conn: Connection, user_id: int) -> User:
    row = conn.one(_BY_ID, id=user_id)
    assert row is not None
    return _user(row)


def all_users(conn: Connection) -> Sequence[User]:
    return [_user(row) for row in conn.all(_ALL)]


def insert_user(
    conn: Connection, *, name: str, canonical_id: str, display_name: str, password_hash: str | None, created_us: int
) -> None:
    conn.run(
        _INSERT,
        name=name,
        canonical_id=canonical_id,
        display_name=display_name,
        password_hash=password_hash,
        created_us=created_us,
    )


def factors_of(conn: Connection, user_id: int) -> Factors:
    row = conn.one(_FACTORS, id=user_id)
    assert row is not None
    return Factors(*row)


def set_password(conn: Connection, user_id: int, password_hash: str | None) -> None:
    conn.run(_SET_PASSWORD, user=user_id, digest=password_hash)


def set_totp(conn: Connection, user_id: int, sealed: bytes | None, counter: int) -> None:
    conn.run(_SET_TOTP, user=user_id, secret=sealed, step=counter)


def set_totp_counter(conn: Connection, user_id: int, counter: int) -> None:
    conn.run(_SET_COUNTER, user=user_id, step=counter)


def set_disabled(conn: Connection, user_id: int, when_us: int | None) -> None:
    conn.run(_SET_DISABLED, user=user_id, when=when_us)


def sealed_secrets(conn: Connection) -> Sequence[Row]:
    """(user's id, name, sealed TOTP secret)."""
    return conn.all(_SEALED)


def _user(row: Row) -> User:
    user_id, name, canonical_id, display_name, has_password, has_totp, created_us, disabled_us = row
    return User(user_id, name, canonical_id, display_name, bool(has_password), bool(has_totp), created_us, disabled_us)
