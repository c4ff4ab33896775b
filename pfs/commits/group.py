"""Group commit: many writers, one transaction, one fsync.

A thread takes all operations that are queued, applies each in order (each as its own commit), commits
the transaction once and then wakes each caller with its own result. While one group is being made
durable the next one gathers, so that groups grow with the load and a lone writer never waits.

Promises: when a future resolves with a result, the operation is on disk. When it resolves with an error,
nothing of the operation is. Operations take effect in the order of the groups, and within a group in
the order of `submit`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from pfs.commits.transaction import Transaction
from pfs.errors import StoreClosed, StoreError
from pfs.meta.database import Database
from pfs.timelines import Timelines

T = TypeVar("T")
Operation = Callable[[Transaction], T]
Observer = Callable[[int, int], None]
"""Told of each durable group: how many operations and how many commits it held."""

_MAX_GROUP = 512
_Item = tuple[Operation[Any], "Future[Any]"]


class Committer:
    """The one place where a process writes. Thread-safe."""

    def __init__(self, database: Database, timelines: Timelines, observer: Observer | None = None) -> None:
        self._database, self._timelines, self._observer = database, timelines, observer
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation[T]) -> Future[T]:
        """Queues an operation; cancelling the future before its group begins drops it."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreClosed("the store is closed")
            self._queue.put((operation, future))
        return future

    def close(self) -> None:
        """Carries out what is queued, then stops."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            group, last = [item], False
            while len(group) < _MAX_GROUP and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                group.append(more)
            self._commit([item for item in group if item[1].set_running_or_notify_cancel()])
            if last:
                return

    def _commit(self, group: list[_Item]) -> None:
        if not group:
            return
        try:
            outcomes, commits = self._apply(group)
        except BaseException as exc:  # noqa: BLE001 -- it goes to whose operation raised it
            self._timelines.forget()
            if len(group) == 1:
                group[0][1].set_exception(exc)
                return
            # one of them broke the transaction: alone, each gets what it deserves
            for item in group:
                self._commit([item])
            return
        if self._observer is not None:
            self._observer(len(group), commits)
        for (_, future), (result, error) in zip(group, outcomes, strict=True):
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _apply(self, group: list[_Item]) -> tuple[list[tuple[Any, StoreError | None]], int]:
        outcomes: list[tuple[Any, StoreError | None]] = []
        with self._database.transaction() as conn:
            tx = Transaction(conn, self._timelines)
            for operation, _ in group:
                try:
                    outcomes.append((operation(tx), None))
                except StoreError as exc:
                    outcomes.append((None, exc))
            tx.flush()
        return outcomes, tx.commit_count
