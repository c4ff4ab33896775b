"""Brings a database's tables to this version's, with the alembic steps that ship in `migrations`.

Steps are numbered (`versions/v0001_….py`), each follows the one before, and the highest is the head. Whether
there is anything to do is seen from that alone: alembic is loaded only when there is, for it
takes longer to load than a store to open.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from pfs.errors import BadRecord
from pfs.meta.database import Database, translated_errors

if TYPE_CHECKING:
    from alembic.config import Config

_STEP = re.compile(r"v([0-9]{4})_\w+\.py")


@functools.cache
def head() -> str:
    """The number of the last step."""
    names = (entry.name for entry in importlib.resources.files("migrations").joinpath("versions").iterdir())
    return max(match[1] for name in names if (match := _STEP.fullmatch(name)))


def upgrade(database: Database) -> None:
    """Creates or upgrades the tables; does nothing where they are current. Atomic, and safe
    against a second process that does the same. A database from a newer version is refused."""
    # Locked from the first connection on: to give a new SQLite file its write-ahead log does not wait for others.
    with translated_errors(), database.exclusive(), database.engine.connect() as conn:
        current = _current(conn)
        if current == head():
            return
        if current is not None and current > head():
            raise BadRecord("database", f"its schema {current} comes from a newer version than this one ({head()})")
        _run_steps(database, conn)


def _current(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    found: str | None = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def alembic_config() -> Config:
    """Where alembic finds the steps."""
    from alembic.config import Config  # noqa: PLC0415 -- see the module

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def _run_steps(database: Database, conn: Connection) -> None:
    from alembic import command  # noqa: PLC0415 -- see the module

    # connections are in autocommit mode, so that the transaction is begun by hand
    conn.exec_driver_sql("BEGIN IMMEDIATE" if database.is_sqlite else "BEGIN")
    if not database.is_sqlite:
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({database.WRITER_LOCK})")
    config = alembic_config()
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    conn.commit()
