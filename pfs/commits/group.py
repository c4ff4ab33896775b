"""Group commit: many writers, one transaction, one fsync.

All operations that are queued (see `pfs.grouping`) are applied in order, each as its own commit; the transaction is
committed once, and then each caller is woken with its own result.

Promises: when a future resolves with a result, the operation is on disk. When it resolves with an error,
nothing of the operation is. Operations take effect in the order of the groups, and within a group in
the order of `submit`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from pfs.commits.transaction import Transaction
from pfs.errors import StoreError
from pfs.grouping import Group, Groups
from pfs.meta.database import Database
from pfs.timelines import Timelines

T = TypeVar("T")
Operation = Callable[[Transaction], T]
Observer = Callable[[int, int], None]
"""Told of each durable group: how many operations and how many commits it held."""


class Committer:
    """The one place where a process writes. Thread-safe."""

    def __init__(self, database: Database, timelines: Timelines, observer: Observer | None = None) -> None:
        self._database, self._timelines, self._observer = database, timelines, observer
        self._groups: Groups[Operation[Any]] = Groups("committer", self._commit)

    def submit(self, operation: Operation[T]) -> Future[T]:
        """Queues an operation; cancelling the future before its group begins drops it."""
        return self._groups.submit(operation)

    def close(self) -> None:
        """Carries out what is queued, then stops."""
        self._groups.close()

    def _commit(self, group: Group[Operation[Any]]) -> None:
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

    def _apply(self, group: Group[Operation[Any]]) -> tuple[list[tuple[Any, StoreError | None]], int]:
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
