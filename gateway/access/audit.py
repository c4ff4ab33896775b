"""The audit log, as those use it who append to it, search it or verify it.

All records that wait (see `pfs.grouping`) are added in one transaction, so that requests at the same time share one
fsync. `gateway.access.chain` has the format.

Promises: when `append` returns, or a future of `submit` resolves, the records are on disk, one behind the other. When
it raises, none of them is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from gateway.access.chain import Entry, Page, Prepared, Query, Record, Verified, add, find, find_newest, prepare, verify
from pfs.sql import Database, Group, Groups


class AuditLog:
    """Thread-safe. Does not close the database. `now_us` is the clock: µs since the epoch."""

    def __init__(self, database: Database, now_us: Callable[[], int] | None = None) -> None:
        self._database = database
        self._now_us = now_us or (lambda: time.time_ns() // 1000)
        self._groups: Groups[Sequence[Prepared]] = Groups("audit", self._add)

    def submit(self, records: Sequence[Record]) -> Future[None]:
        """Queues records; cancelling the future before its group begins drops them. It may end with a StoreError.
        Raises StoreClosed."""
        now_us = self._now_us()
        return self._groups.submit([prepare(record, now_us) for record in records])

    def append(self, records: Sequence[Record]) -> None:
        """Durable when it returns. Raises StoreError."""
        self.submit(records).result()

    def close(self) -> None:
        """Writes what is queued, then stops; nothing may be submitted any more."""
        self._groups.close()

    def search(self, query: Query) -> Iterator[Entry]:
        """In the order of the log. Raises StoreError."""
        with self._database.connection() as conn:
            yield from find(conn, query)

    def newest(self, query: Query, before: int | None = None, *, most: int = 100, patience_s: float = 2.0) -> Page:
        """The newest first, before the record `before` where that is given. Where few are like the query it looks for
        no longer than `patience_s`, or a little more: the page then says where to go on. Raises StoreError."""
        end = time.monotonic() + patience_s
        with self._database.connection() as conn:
            return find_newest(conn, query, before, most, lambda: time.monotonic() >= end)

    def verify(self, noted: bytes | None = None) -> Verified:
        """Computes the whole chain anew. `noted`: the hash of a record that was the last when it was noted. Raises
        StoreError."""
        with self._database.snapshot() as conn:
            return verify(conn, noted)

    def _add(self, group: Group[Sequence[Prepared]]) -> None:
        try:
            with self._database.transaction() as conn:
                add(conn, (record for records, _ in group for record in records))
        except BaseException as exc:  # noqa: BLE001 -- it goes to those who wait
            for _, future in group:
                future.set_exception(exc)
        else:
            for _, future in group:
                future.set_result(None)
