"""Queries: settings of branches and of versions of keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, exists, insert, select

from pfs.errors import BadRecord
from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import branch_settings, commits, entries, entry_settings
from pfs.model import CommitId, canonical_json

_B, _E = branch_settings.c, entry_settings.c
_this_setting = (_B.branch_id == bindparam("branch"), _B.name == bindparam("setting"))
_this_version = (_E.key == bindparam("version_key"), _E.commit_id == bindparam("commit"))

_OF_BRANCH = Statement(select(_B.value).where(*_this_setting))
_DELETE_OF_BRANCH = Statement(delete(branch_settings).where(*_this_setting))
_INSERT_OF_BRANCH = Statement(
    insert(branch_settings).values(branch_id=bindparam("branch"), name=bindparam("setting"), value=bindparam("text"))
)
_OF_ENTRY = Statement(select(_E.settings).where(*_this_version))
_DELETE_OF_ENTRY = Statement(delete(entry_settings).where(*_this_version))
_INSERT_OF_ENTRY = Statement(
    insert(entry_settings).values(
        key=bindparam("version_key"), commit_id=bindparam("commit"), settings=bindparam("text")
    )
)
_version = (
    exists()
    .where(commits.c.id == _E.commit_id)
    .where(entries.c.timeline_id == commits.c.timeline_id, entries.c.key == _E.key, entries.c.seq == commits.c.seq)
)
_STRAY = Statement(select(_E.key, _E.commit_id).where(~_version).order_by(_E.key, _E.commit_id))


def branch_setting(conn: Connection, branch_id: int, name: str) -> str | None:
    row = conn.one(_OF_BRANCH, branch=branch_id, setting=name)
    return row[0] if row else None


def set_branch_setting(conn: Connection, branch_id: int, name: str, value: str | None) -> None:
    """None takes the setting away."""
    conn.run(_DELETE_OF_BRANCH, branch=branch_id, setting=name)
    if value is not None:
        conn.run(_INSERT_OF_BRANCH, branch=branch_id, setting=name, text=value)


def set_entry_setting(conn: Connection, key: bytes, commit_id: CommitId, name: str, value: str | None) -> None:
    """Sets it for the version of the key that this commit wrote; None takes it away."""
    row = conn.one(_OF_ENTRY, version_key=key, commit=bytes.fromhex(commit_id))
    settings = dict(load_settings(row[0])) if row else {}
    if value is None:
        settings.pop(name, None)
    else:
        settings[name] = value
    conn.run(_DELETE_OF_ENTRY, version_key=key, commit=bytes.fromhex(commit_id))
    insert_entry_settings(conn, key, commit_id, settings)


def insert_entry_settings(conn: Connection, key: bytes, commit_id: CommitId, settings: Mapping[str, str]) -> None:
    """The settings of a version that has none yet."""
    if settings:
        conn.run(_INSERT_OF_ENTRY, version_key=key, commit=bytes.fromhex(commit_id), text=canonical_json(settings))


def delete_entry_settings(conn: Connection, key: bytes, commit_id: bytes) -> None:
    conn.run(_DELETE_OF_ENTRY, version_key=key, commit=commit_id)


def load_settings(text: str) -> Mapping[str, str]:
    """What a row of `entry_settings` says. Raises BadRecord."""
    try:
        settings: dict[str, str] = json.loads(text)
    except ValueError as exc:
        raise BadRecord("settings", str(exc)) from exc
    return settings


def stray_settings(conn: Connection) -> Sequence[Row]:
    """(key, commit id) of settings whose version is not there."""
    return conn.all(_STRAY)
