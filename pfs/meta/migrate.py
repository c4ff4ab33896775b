"""Brings a database's tables to this version's, with alembic's steps: the store's own ship in `migrations`.

Steps are numbered (`versions/v0001_….py`), each follows the one before, and the highest is the head. Whether
there is anything to do is seen from that alone: alembic is loaded only when there is, for it
takes longer to load than a store to open.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from pfs.errors import BadRecord
from pfs.meta.database import Database, translated_errors

if TYPE_CHECKING:
    from alembic.config import Config

_STEP = re.compile(r"v([0-9]{4})_\w+\.py")


@dataclass(frozen=True, slots=True)
class Steps:
    """One line of steps: the package that they are in, and the table that tells how far a database has come.
    Several lines can lead through one database."""

    package: str
    version_table: str


STORE = Steps("migrations", "alembic_version")


@functools.cache
def head(steps: Steps = STORE) -> str:
    """The number of the last step."""
    names = (entry.name for entry in importlib.resources.files(steps.package).joinpath("versions").iterdir())
    return max(match[1] for name in names if (match := _STEP.fullmatch(name)))


def upgrade(database: Database, steps: Steps = STORE) -> None:
    """Creates or upgrades the tables; does nothing where they are current. Atomic, and safe
    against a second process that does the same. A database from a newer version is refused."""
    # Locked from the first connection on: to give a new SQLite file its write-ahead log does not wait for others.
    with translated_errors(), database.exclusive(), database.engine.connect() as conn:
        current, last = _current(conn, steps), head(steps)
        if current == last:
            return
        if current is not None and current > last:
            raise BadRecord("database", f"its schema {current} comes from a newer version than this one ({last})")
        _run_steps(database, conn, steps)


def _current(conn: Connection, steps: Steps) -> str | None:
    if not inspect(conn).has_table(steps.version_table):
        return None
    found: str | None = conn.execute(select(column("version_num")).select_from(table(steps.version_table))).scalar()
    return found


def alembic_config(steps: Steps = STORE) -> Config:
    """Where alembic finds the steps."""
    from alembic.config import Config  # noqa: PLC0415 -- see the module

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files(steps.package)))
    config.set_main_option("path_separator", "os")
    return config


def _run_steps(database: Database, conn: Connection, steps: Steps) -> None:
    from alembic import command  # noqa: PLC0415 -- see the module

    # connections are in autocommit mode, so that the transaction is begun by hand
    conn.exec_driver_sql("BEGIN IMMEDIATE" if database.is_sqlite else "BEGIN")
    if not database.is_sqlite:
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({database.writer_lock})")
    config = alembic_config(steps)
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    conn.commit()
