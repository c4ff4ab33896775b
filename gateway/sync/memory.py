"""What is remembered from run to run, in one SQLite file: ETags of files, and what was under way.

    side          a folder or bucket by its name; no credentials
    file          a file whose ETags are known: (side, path) → size, mtime, inode, when it was looked at, ETags
    transaction   the transaction that a sync from one side to the other has open
    upload        the multipart upload that a file of such a sync is being sent by

Several processes may use it at once. All of it can be made again: a file that is broken, or somebody else's, is set
aside; where it cannot be read or written the sync goes on without, and says so in the log.

A row counts while the file's size, mtime and inode stay. A file that was written at the very moment that it was looked
at may change again within the same mtime, so such a row does not count (git's index has the same rule).
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from gateway.sync.manifest import Item

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_Row = tuple[str, int, int, int, int, str]

_APPLICATION_ID = 0x43525359  # "CRSY"
_VERSION = 1
_BUSY_S = 15.0
_HELD_ROWS, _PAGE_ROWS = 1000, 5000
_MOST_ETAGS = 4
# How coarse mtimes are: a clock tick; a file system without fractions of a second keeps every other one.
_TICK_NS, _COARSE_TICK_NS, _SECOND_NS = 50_000_000, 2_000_000_000, 1_000_000_000

_SCHEMA = (
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_VERSION}",
    "CREATE TABLE side (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE file (
        side INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL, looked_ns INTEGER NOT NULL, etags TEXT NOT NULL, PRIMARY KEY (side, path)
    ) WITHOUT ROWID""",
    "CREATE TABLE open_transaction (pair TEXT PRIMARY KEY, repo TEXT NOT NULL, id TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE upload (
        pair TEXT NOT NULL, path TEXT NOT NULL, stamp TEXT NOT NULL, bucket TEXT NOT NULL, upload_id TEXT NOT NULL,
        part_size INTEGER NOT NULL, PRIMARY KEY (pair, path)
    ) WITHOUT ROWID""",
)


def default_memory_path() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caret" / "sync.db"


@dataclass(frozen=True, slots=True)
class KeptUpload:
    """A multipart upload under way. `stamp` is that of the item which it was begun for."""

    stamp: str
    bucket: str
    upload_id: str
    part_size: int


class Memory:
    """Thread-safe; a context manager that closes it. What it learns of files is written in groups, the rest at once."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection, self._path = connection, path
        self._lock = threading.RLock()
        self._sides: dict[str, int] = {}
        self._held: list[tuple[int, str, int, int, int, int, str]] = []

    @classmethod
    def open(cls, path: Path) -> Memory:
        """Never fails: where there can be no file, what is told is forgotten when it is closed."""
        for _ in range(2):
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                return cls(_connect(path), path)
            except sqlite3.DatabaseError as exc:
                if isinstance(exc, sqlite3.OperationalError) and "locked" in str(exc):
                    break
                _set_aside(path, exc)
            except OSError as exc:
                _log.warning("what a sync remembers cannot be kept at %s: %s", path, exc)
                break
        return cls(_connect(None), None)

    def close(self) -> None:
        self.flush()
        self._connection.close()

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- files

    def recalled(self, side: str, items: Iterable[Item], is_covered: Callable[[str], bool]) -> Iterator[Item]:
        """The items, in order, with the ETags that are known of them. Rows of paths that are gone, of those that
        `is_covered`, are forgotten."""
        number = self._side(side)
        if number is None:
            yield from items
            return
        rows = self._rows(number)
        row = next(rows, None)
        gone: list[tuple[int, str]] = []
        for item in items:
            while row is not None and row[0] < item.path:
                gone.append((number, row[0]))
                row = next(rows, None)
            if row is not None and row[0] == item.path:
                if row[1:4] == (item.size, item.mtime_ns, item.inode) and _is_settled(item.mtime_ns, row[4]):
                    item = Item(item.path, item.size, item.mtime_ns, item.inode, tuple(row[5].split(" ")))
                row = next(rows, None)
            yield item
        while row is not None:
            gone.append((number, row[0]))
            row = next(rows, None)
        stale = [key for key in gone if is_covered(key[1])]
        if stale:
            self._write(lambda sql: sql.executemany("DELETE FROM file WHERE side = ? AND path = ?", stale))

    def _rows(self, side: int) -> Iterator[_Row]:
        statement = (
            "SELECT path, size, mtime_ns, inode, looked_ns, etags FROM file "
            "WHERE side = ? AND path > ? ORDER BY path LIMIT ?"
        )
        last = ""
        while page := self._page(statement, side, last):
            yield from page
            last = page[-1][0]

    def _page(self, statement: str, side: int, after: str) -> list[_Row]:
        nothing: list[_Row] = []
        return self._read(lambda sql: sql.execute(statement, (side, after, _PAGE_ROWS)).fetchall(), nothing)

    def learn(self, side: str, item: Item, etag: str, looked_ns: int) -> None:
        """The file has this ETag. `looked_ns`: when it began to be read."""
        known = [etag, *(other for other in item.etags if other != etag)][:_MOST_ETAGS]
        with self._lock:
            number = self._side(side)
            if number is None:
                return
            self._held.append((number, item.path, item.size, item.mtime_ns, item.inode, looked_ns, " ".join(known)))
            if len(self._held) >= _HELD_ROWS:
                self.flush()

    def flush(self) -> None:
        with self._lock:
            rows, self._held = self._held, []
            if rows:
                self._write(
                    lambda sql: sql.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                )

    def _side(self, name: str) -> int | None:
        """Its number; None where it cannot be written down."""

        def find(sql: sqlite3.Connection) -> int:
            sql.execute("INSERT OR IGNORE INTO side (name) VALUES (?)", (name,))
            found: int = sql.execute("SELECT id FROM side WHERE name = ?", (name,)).fetchone()[0]
            return found

        with self._lock:
            if name not in self._sides:
                number = self._write(find)
                if number is None:
                    return None
                self._sides[name] = number
            return self._sides[name]

    # ---------------------------------------------------------------- what is under way

    def transaction(self, pair: str) -> tuple[str, str] | None:
        """Repo and id of the transaction that is open for the pair, as far as is known."""
        found: tuple[str, str] | None = self._read(
            lambda sql: sql.execute("SELECT repo, id FROM open_transaction WHERE pair = ?", (pair,)).fetchone(), None
        )
        return found

    def keep_transaction(self, pair: str, repo: str, transaction_id: str) -> None:
        row = (pair, repo, transaction_id)
        self._write(lambda sql: sql.execute("INSERT OR REPLACE INTO open_transaction VALUES (?, ?, ?)", row))

    def forget_transaction(self, pair: str) -> None:
        """Its uploads went with it."""

        def forget(sql: sqlite3.Connection) -> None:
            sql.execute("DELETE FROM open_transaction WHERE pair = ?", (pair,))
            sql.execute("DELETE FROM upload WHERE pair = ?", (pair,))

        self._write(forget)

    def upload(self, pair: str, path: str) -> KeptUpload | None:
        statement = "SELECT stamp, bucket, upload_id, part_size FROM upload WHERE pair = ? AND path = ?"
        found = self._read(lambda sql: sql.execute(statement, (pair, path)).fetchone(), None)
        return KeptUpload(*found) if found else None

    def keep_upload(self, pair: str, path: str, kept: KeptUpload) -> None:
        row = (pair, path, kept.stamp, kept.bucket, kept.upload_id, kept.part_size)
        self._write(lambda sql: sql.execute("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?)", row))

    def forget_upload(self, pair: str, path: str) -> None:
        self._write(lambda sql: sql.execute("DELETE FROM upload WHERE pair = ? AND path = ?", (pair, path)))

    @contextmanager
    def exclusively(self, pair: str) -> Iterator[bool]:
        """Whether nobody else, in this process or another, has the pair at the moment; if so nobody else gets it
        before the end."""
        descriptor = None if self._path is None else _locked(self._lock_path(self._path, pair))
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    @staticmethod
    def _lock_path(path: Path, pair: str) -> Path:
        """One of a few files: two pairs that share one by chance only lose what a continued run would save."""
        return path.with_name(f"{path.name}-{hashlib.sha256(pair.encode()).hexdigest()[:2]}.lock")

    # ---------------------------------------------------------------- SQL

    def _read(self, query: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
        try:
            with self._lock:
                return query(self._connection)
        except sqlite3.Error as exc:
            _log.warning("what earlier syncs remembered cannot be read: %s", exc)
            return otherwise

    def _write(self, change: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        try:
            with self._lock, self._connection as transaction:
                transaction.execute("BEGIN IMMEDIATE")
                return change(transaction)
        except sqlite3.Error as exc:
            _log.warning("what this sync would remember cannot be written: %s", exc)
            return None


def _is_settled(mtime_ns: int, looked_ns: int) -> bool:
    tick = _TICK_NS if mtime_ns % _SECOND_NS else _COARSE_TICK_NS
    return mtime_ns + tick < looked_ns


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        if not _is_ours(connection):
            connection.execute("BEGIN IMMEDIATE")  # another process may be making it
            if not _is_ours(connection):
                _make(connection)
            connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_ours(connection: sqlite3.Connection) -> bool:
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return found == [_APPLICATION_ID, _VERSION]


def _make(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise sqlite3.DatabaseError("it is another program's, or another version's")
    for statement in _SCHEMA:
        connection.execute(statement)


def _set_aside(path: Path, why: sqlite3.Error) -> None:
    aside = path.with_name(f"{path.name}.broken")
    _log.warning("%s is set aside as %s: %s", path, aside, why)
    for suffix in ("", "-wal", "-shm"):
        try:
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
        except FileNotFoundError:
            continue


def _locked(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        _log.warning("%s cannot be locked: %s", path, exc)
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
