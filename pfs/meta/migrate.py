"""Brings a database's tables to this version's, with the alembic steps that ship in `migrations`."""

from __future__ import annotations

import functools
import importlib.resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pfs.errors import BadRecord
from pfs.meta.database import Database


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("migrations")))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def _steps() -> tuple[str, frozenset[str]]:
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    assert head is not None
    return head, frozenset(step.revision for step in scripts.walk_revisions())


def upgrade(database: Database) -> None:
    """Creates or upgrades the tables; does nothing where they are current. Atomic, and safe
    against a second process that does the same. A database from a newer version is refused."""
    head, known = _steps()
    with database.engine.connect() as conn:
        current = MigrationContext.configure(conn).get_current_revision()
    if current == head:
        return
    if current is not None and current not in known:
        raise BadRecord("database", f"its schema {current} comes from a newer version than this one ({head})")
    with database.exclusive(), database.engine.connect() as conn:
        # connections are in autocommit mode, so that the transaction is begun by hand
        conn.exec_driver_sql("BEGIN IMMEDIATE" if database.is_sqlite else "BEGIN")
        if not database.is_sqlite:
            conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({database.WRITER_LOCK})")
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        conn.commit()
