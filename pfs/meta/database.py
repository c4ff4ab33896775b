"""Connections, transactions and compiled statements over SQLite and PostgreSQL.

Queries are SQLAlchemy Core clauses wrapped in `Statement`: compiled once per dialect and
then executed by the driver itself, since a read spends more time in per-execution engine
work than in the database. Connections are in autocommit mode; transactions are explicit.

One writer at a time, over all threads and processes: on SQLite a file lock that blocks (its own
busy handling polls), on PostgreSQL an advisory lock that ends with the transaction.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import ClauseElement, Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.pool import NullPool

from pfs.errors import BadRecord, StoreBusy, StoreClosed, StoreError, StoreFull

Row = tuple[Any, ...]


_BUSY_TIMEOUT_MS = 60_000
_STREAMED = 500
_SQLITE_PRAGMAS = (
    f"busy_timeout={_BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "cache_size=-16384",
    "mmap_size=67108864",
    "temp_store=MEMORY",
    "wal_autocheckpoint=16000",
)


STORE_LOCK = 0x6361726574  # "caret"


class Statement:
    """A Core clause, compiled at its first use on a dialect. Parameters are its bindparams.

    `variants` are what takes its place on the dialects of their names.
    """

    __slots__ = ("_clause", "_compiled", "_variants")

    def __init__(self, clause: ClauseElement, **variants: ClauseElement) -> None:
        self._clause, self._variants = clause, variants
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def on(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        """SQL text, the order of positional parameters (None: by name), and defaults of literals."""
        found = self._compiled.get(dialect.name)
        if found is None:
            clause = self._variants.get(dialect.name, self._clause)
            compiled: Any = clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            order = tuple(compiled.positiontup) if compiled.positional else None
            literals = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
            found = self._compiled[dialect.name] = (str(compiled), order, literals)
        return found


class Connection:
    """A driver's connection, with statements for its methods. Used by one thread at a time."""

    __slots__ = ("_dialect", "_execute", "raw")

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self.raw = raw
        self._dialect = dialect
        self._execute = raw.execute

    def _cursor(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        sql, order, literals = statement.on(self._dialect)
        if literals:
            values = {**literals, **values}
        return self._execute(sql, values if order is None else [values[name] for name in order])

    def one(self, statement: Statement, **values: Any) -> Row | None:
        row: Row | None = self._cursor(statement, values).fetchone()
        return row

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        rows: list[Row] = self._cursor(statement, values).fetchall()
        return rows

    def stream(self, statement: Statement, **values: Any) -> Iterator[Row]:
        """The rows one after the other, however many: some hundreds are in memory at a time. Inside a transaction."""
        sql, order, literals = statement.on(self._dialect)
        values = {**literals, **values}
        if order is not None:
            yield from self._execute(sql, [values[name] for name in order])
            return
        with self.raw.cursor(name=f"stream_{secrets.token_hex(8)}") as cursor:
            cursor.itersize = _STREAMED
            yield from cursor.execute(sql, values)

    def run(self, statement: Statement, **values: Any) -> int:
        """Executes; returns the number of rows that changed."""
        count: int = self._cursor(statement, values).rowcount
        return count

    def many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executes once per row of values."""
        for values in rows:
            self._cursor(statement, values)

    def script(self, sql: str) -> None:
        self._execute(sql)


class Database:
    """One database, opened. Thread-safe; connections are opened as threads need them and kept.

    Writers are kept apart by `lock_file` on one machine, by `writer_lock`, an advisory lock's number, on PostgreSQL.
    """

    def __init__(self, url: str | URL, lock_file: Path | None, writer_lock: int = STORE_LOCK) -> None:
        self.writer_lock = writer_lock
        self.url = make_url(url)
        self.engine = _engine(self.url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._idle: deque[Connection] = deque()
        self._closed = False
        self._writer = threading.Lock()  # a file lock does not keep a process's own threads apart
        self._lock_fd = -1
        if lock_file is not None:
            self._lock_fd = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Closes what is idle, now and later: a connection in use is closed when it is given back."""
        self._closed = True
        self._close_idle()
        self.engine.dispose()
        with self._writer:
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection without a transaction: each statement sees the latest committed state."""
        if self._closed:
            raise StoreClosed("the store is closed")
        try:
            conn = self._idle.pop()
        except IndexError:
            conn = self._connect()
        try:
            yield conn
        except StoreError:
            self._keep(conn)
            raise
        except BaseException as exc:
            conn.raw.close()
            if (error := _translated(exc)) is not None:
                raise error from exc
            raise
        else:
            self._keep(conn)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction: all statements see one and the same committed state."""
        with self.connection() as conn:
            conn.script("BEGIN" if self.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield conn
            finally:
                conn.script("ROLLBACK")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The one write transaction of the moment; durable when the block has ended.

        Waits for other writers, in whichever process. An exception rolls everything back.
        """
        with self.exclusive(), self.connection() as conn:
            conn.script("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
            try:
                if not self.is_sqlite:
                    conn.script(f"SELECT pg_advisory_xact_lock({self.writer_lock})")
                yield conn
                conn.script("COMMIT")
            except BaseException:
                _roll_back(conn)
                raise

    def _keep(self, conn: Connection) -> None:
        self._idle.append(conn)
        if self._closed:
            self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().raw.close()

    def _connect(self) -> Connection:
        with translated_errors():
            raw: Any = self.engine.raw_connection()
        driver = raw.dbapi_connection
        raw.detach()
        return Connection(driver, self.engine.dialect)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps out other writers, of this process and (on SQLite) of others on this machine."""
        with self._writer:
            if self._lock_fd < 0:
                yield
                return
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    engine = create_engine(url, poolclass=NullPool)
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(raw: psycopg.Connection[Any], _record: object) -> None:
    raw.autocommit = True


def _prepare_sqlite(raw: sqlite3.Connection, _record: object) -> None:
    raw.isolation_level = None  # autocommit: transactions are begun explicitly
    for pragma in _SQLITE_PRAGMAS:
        raw.execute(f"PRAGMA {pragma}")


def _roll_back(conn: Connection) -> None:
    """After a failed statement SQLite may have rolled back by itself, and a lost connection has."""
    with contextlib.suppress(sqlite3.Error, psycopg.Error):
        conn.script("ROLLBACK")


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Raises the store's own errors for the driver's, where their cause lies outside of the program."""
    try:
        yield
    except Exception as exc:
        if (error := _translated(exc)) is not None:
            raise error from exc
        raise


def _translated(exc: BaseException) -> StoreError | None:
    """The store's own error for a driver's, where the cause lies outside of the program."""
    cause = getattr(exc, "orig", None) or exc
    if isinstance(cause, sqlite3.OperationalError):
        name = getattr(cause, "sqlite_errorname", "")
        # a full disk shows as FULL, or as an I/O error of the write-ahead log
        if name == "SQLITE_FULL" or name.startswith(("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHM", "SQLITE_IOERR_TRUNC")):
            return StoreFull(f"the database could not grow: {cause}")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")):
            return StoreBusy(f"the database is not available: {cause}")
    if isinstance(cause, sqlite3.DatabaseError) and cause.sqlite_errorname in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return BadRecord("database", str(cause))
    if isinstance(cause, psycopg.errors.DiskFull):
        return StoreFull(f"the database could not grow: {cause}")
    if isinstance(cause, psycopg.OperationalError):
        return StoreBusy(f"the database is not available: {cause}")
    return None
