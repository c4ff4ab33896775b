"""An upgraded database equals `pfs.meta.tables`, and an upgrade harms nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import gateway.sync.tables  # noqa: F401 -- it adds its own
from gateway.access.directory import STEPS as PEOPLE
from gateway.access.tables import metadata as people_tables
from pfs import BadRecord, StoreConfig, open_store
from pfs.meta import migrate
from pfs.meta.database import Database
from pfs.meta.migrate import upgrade
from pfs.meta.tables import metadata
from tests.stores import PROJECT, Checkout, PostgreSQL


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/caret.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    opened = Database(url, tmp_path / "write.lock")
    yield opened
    opened.close()


def stamp(database: Database) -> str | None:
    with database.engine.connect() as conn:
        return MigrationContext.configure(conn).get_current_revision()


def differences(database: Database) -> list[Any]:
    """What alembic would change. Descending indexes are beyond it: see `test_indexes_are_as_the_code_says`."""
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda item, name, *_: name != "entries_key",
    }
    with database.engine.connect() as conn:
        return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))


def test_an_upgraded_database_has_the_tables_that_the_code_knows(database: Database) -> None:
    upgrade(database)
    assert differences(database) == []


def test_an_upgraded_database_has_the_gateways_own_tables(database: Database) -> None:
    upgrade(database, PEOPLE)
    options = {"compare_type": True, "compare_server_default": True, "version_table": PEOPLE.version_table}
    with database.engine.connect() as conn:
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, people_tables) == []
        assert context.get_current_revision() == migrate.head(PEOPLE)


def test_both_lines_of_steps_lead_through_one_database(database: Database) -> None:
    for _ in range(2):
        upgrade(database)
        upgrade(database, PEOPLE)
    tables = set(inspect(database.engine).get_table_names())
    assert tables == {*metadata.tables, *people_tables.tables, "alembic_version", "gateway_version"}


def test_the_comparison_sees_a_difference(database: Database) -> None:
    upgrade(database)
    with database.engine.connect() as conn:
        conn.execute(text("ALTER TABLE entries ADD COLUMN stray TEXT"))
        conn.execute(text("DROP INDEX entries_changes"))
        conn.commit()
    assert {difference[0] for difference in differences(database)} == {"remove_column", "add_index"}


def test_indexes_are_as_the_code_says(database: Database) -> None:
    """Autogenerate is blind to an index's condition and order."""
    upgrade(database)
    made = _index_definitions(database)
    with database.engine.connect() as conn:
        for table in ("alembic_version", *metadata.tables):
            conn.execute(text(f"DROP TABLE {table}"))
        conn.commit()
    metadata.create_all(database.engine)
    assert made == _index_definitions(database)
    assert "entries_live" in made


def _index_definitions(database: Database) -> dict[str, str]:
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if database.is_sqlite
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%pk%'"
    )
    with database.engine.connect() as conn:
        rows = conn.execute(text(query)).all()
    return {name: " ".join(sql.split()) for name, sql in rows if not name.endswith("_pkey") and "alembic" not in name}


def test_every_step_can_be_made_on_its_own(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that some older version left at any step is brought to the last."""
    steps = [step.revision for step in ScriptDirectory.from_config(migrate.alembic_config()).walk_revisions()]
    real = command.upgrade
    for revision in reversed(steps):
        monkeypatch.setattr(command, "upgrade", lambda config, _, revision=revision: real(config, revision))
        upgrade(database)
        assert stamp(database) == revision


def test_opening_again_changes_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StoreConfig(tmp_path / "data", database_url=url)
    store = open_store(config)
    Checkout.create(store, "images").put("key", b"v")
    store.close()

    def unexpected(*_: Any) -> None:
        raise AssertionError("a current database was upgraded")

    monkeypatch.setattr(command, "upgrade", unexpected)
    store = open_store(config)
    assert Checkout(store, store.branch(PROJECT, "images")).get("key") == b"v"
    store.close()


def test_a_newer_database_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    config = StoreConfig(tmp_path / "data", database_url=url)
    open_store(config).close()
    database = Database(url, None)
    with database.engine.connect() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        conn.commit()
    with pytest.raises(BadRecord, match="9999 comes from a newer version"):
        open_store(config)
    assert stamp(database) == "9999"
    database.close()


def test_a_step_that_breaks_leaves_the_database_as_it_was(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    create, made = Operations.create_table, []

    def break_half_way(self: Operations, name: str, *args: Any, **kwargs: Any) -> Any:
        made.append(name)
        if name == "parts":
            raise ZeroDivisionError
        return create(self, name, *args, **kwargs)

    monkeypatch.setattr(Operations, "create_table", break_half_way)
    with pytest.raises(ZeroDivisionError):
        upgrade(database)
    assert len(made) > 5
    monkeypatch.undo()
    assert inspect(database.engine).get_table_names() == []
    upgrade(database)
    assert stamp(database) is not None


def test_two_processes_may_make_it_at_once(url: str, tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def make(_: int) -> str | None:
        database = Database(url, tmp_path / "write.lock")
        barrier.wait()
        upgrade(database)
        found = stamp(database)
        database.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make, range(4))) == [migrate.head()] * 4
