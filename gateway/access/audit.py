"""The audit log, as those use it who append to it, search it or verify it.

A thread takes all records that wait and adds them in one transaction, so that requests at the same time share one
fsync; while one group is made durable the next one gathers. `gateway.access.chain` has the format.

Promises: when `append` returns, or a future of `submit` resolves, the records are on disk, one behind the other. When
it raises, none of them is.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from gateway.access.chain import Entry, Prepared, Query, Record, Verified, add, find, prepare, verify
from pfs.sql import Database

_MAX_GROUP = 512
_Item = tuple[Sequence[Prepared], "Future[None]"]


class AuditLog:
    """Thread-safe. Does not close the database. `now_us` is the clock: µs since the epoch."""

    def __init__(self, database: Database, now_us: Callable[[], int] | None = None) -> None:
        self._database = database
        self._now_us = now_us or (lambda: time.time_ns() // 1000)
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def submit(self, records: Sequence[Record]) -> Future[None]:
        """Queues records; cancelling the future before its group begins drops them. It may end with a StoreError."""
        future: Future[None] = Future()
        now_us = self._now_us()
        self._queue.put(([prepare(record, now_us) for record in records], future))
        return future

    def append(self, records: Sequence[Record]) -> None:
        """Durable when it returns. Raises StoreError."""
        self.submit(records).result()

    def close(self) -> None:
        """Writes what is queued, then stops; nothing may be submitted any more."""
        self._queue.put(None)
        self._thread.join()

    def search(self, query: Query) -> Iterator[Entry]:
        """In the order of the log. Raises StoreError."""
        with self._database.connection() as conn:
            yield from find(conn, query)

    def verify(self, noted: bytes | None = None) -> Verified:
        """Computes the whole chain anew. `noted`: the hash of a record that was the last when it was noted. Raises
        StoreError."""
        with self._database.snapshot() as conn:
            return verify(conn, noted)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            group, last = [item], False
            while len(group) < _MAX_GROUP and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                group.append(more)
            self._add([item for item in group if item[1].set_running_or_notify_cancel()])
            if last:
                return

    def _add(self, group: Sequence[_Item]) -> None:
        if not group:
            return
        try:
            with self._database.transaction() as conn:
                add(conn, (record for records, _ in group for record in records))
        except BaseException as exc:  # noqa: BLE001 -- it goes to those who wait
            for _, future in group:
                future.set_exception(exc)
        else:
            for _, future in group:
                future.set_result(None)
