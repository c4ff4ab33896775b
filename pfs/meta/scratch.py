"""What a check of a whole repo has to remember, in a temporary database of its own: on disk once it outgrows a cache.

It is SQLite's unnamed database: private, and gone with its connection or its process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_TABLES = """
CREATE TABLE timelines (uid BLOB PRIMARY KEY, last_seq INTEGER, branch INTEGER DEFAULT 0) WITHOUT ROWID;
CREATE TABLE commits (timeline BLOB, seq INTEGER, id BLOB UNIQUE, PRIMARY KEY (timeline, seq)) WITHOUT ROWID;
CREATE TABLE merged (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE contents (
    layout INTEGER, digest BLOB, size INTEGER, least INTEGER DEFAULT 0, found INTEGER DEFAULT 0,
    PRIMARY KEY (layout, digest)
) WITHOUT ROWID;
"""


class Scratch:
    """Used by one thread at a time."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")

    def close(self) -> None:
        self._db.close()

    def add_timeline(self, uid: bytes, last_seq: int) -> bool:
        """Whether it was new."""
        return self._run("INSERT OR IGNORE INTO timelines (uid, last_seq) VALUES (?, ?)", uid, last_seq)

    def add_commit(self, timeline: bytes, seq: int, commit_id: bytes) -> bool:
        """The timeline's next one. Whether it was new."""
        self._run("UPDATE timelines SET last_seq = ? WHERE uid = ?", seq, timeline)
        return self._run("INSERT OR IGNORE INTO commits VALUES (?, ?, ?)", timeline, seq, commit_id)

    def commit_at(self, timeline: bytes, seq: int) -> bytes | None:
        row = self._db.execute("SELECT id FROM commits WHERE timeline = ? AND seq = ?", (timeline, seq)).fetchone()
        return row[0] if row else None

    def has_commit(self, commit_id: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM commits WHERE id = ?", (commit_id,)).fetchone() is not None

    def add_merged(self, commit_id: bytes) -> None:
        self._run("INSERT OR IGNORE INTO merged VALUES (?)", commit_id)

    def merged_but_absent(self) -> bytes | None:
        row = self._db.execute(
            "SELECT id FROM merged m WHERE NOT EXISTS (SELECT 1 FROM commits c WHERE c.id = m.id)"
        ).fetchone()
        return row[0] if row else None

    def add_branch(self, timeline: bytes, head_seq: int) -> bool:
        """Whether the timeline ends there, and is no other branch's."""
        return self._run(
            "UPDATE timelines SET branch = 1 WHERE uid = ? AND last_seq = ? AND branch = 0", timeline, head_seq
        )

    def add_name(self, name: str) -> bool:
        """Whether it was new."""
        return self._run("INSERT OR IGNORE INTO names VALUES (?)", name)

    def want(self, layout: int, digest: bytes, size: int) -> bool:
        """Somebody refers to a content of that size. Whether all do with the same."""
        self._run("INSERT OR IGNORE INTO contents (layout, digest, size) VALUES (?, ?, ?)", layout, digest, size)
        return self._run(
            "UPDATE contents SET size = ?1 WHERE layout = ?2 AND digest = ?3 AND (size IS NULL OR size = ?1)",
            size,
            layout,
            digest,
        )

    def want_part(self, layout: int, digest: bytes, least: int) -> None:
        """Somebody refers to the first `least` bytes of a content, or to some of them."""
        self._run(
            "INSERT INTO contents (layout, digest, least) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET least = max(least, excluded.least)",
            layout,
            digest,
            least,
        )

    def found(self, layout: int, digest: bytes, size: int) -> bool:
        """Whether it was referred to, and as something that this can be."""
        return self._run(
            "UPDATE contents SET found = 1 WHERE layout = ?1 AND digest = ?2"
            " AND (size IS NULL OR size = ?3) AND least <= ?3",
            layout,
            digest,
            size,
        )

    def not_found(self) -> bytes | None:
        row = self._db.execute("SELECT digest FROM contents WHERE found = 0 LIMIT 1").fetchone()
        return row[0] if row else None

    def wanted(self, layout: int) -> Iterator[bytes]:
        """By digest."""
        page = "SELECT digest FROM contents WHERE layout = ? AND digest > ? ORDER BY digest LIMIT 500"
        after = b""
        while rows := self._db.execute(page, (layout, after)).fetchall():
            for (after,) in rows:
                yield after

    def _run(self, sql: str, *values: object) -> bool:
        return self._db.execute(sql, values).rowcount > 0
