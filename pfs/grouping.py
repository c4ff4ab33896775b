"""Work that is done in groups: while one is being done, the next one gathers.

So groups grow with the load, and a lone item never waits. What a group shares (a transaction, and its fsync) is up to
whoever carries it out.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from pfs.errors import StoreClosed

Item = TypeVar("Item")
Group = list[tuple[Item, "Future[Any]"]]

_MAX_GROUP = 512


class Groups(Generic[Item]):
    """A thread that hands all that has been submitted meanwhile, in its order, to `carry_out`, which resolves each
    future of the group and raises nothing. Thread-safe."""

    def __init__(self, name: str, carry_out: Callable[[Group[Item]], None]) -> None:
        self._carry_out = carry_out
        self._queue: queue.SimpleQueue[tuple[Item, Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Future[Any]:
        """Queues it; cancelling the future before its group begins drops it. Raises StoreClosed."""
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise StoreClosed("the store is closed")
            self._queue.put((item, future))
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
        while (found := self._queue.get()) is not None:
            group, last = [found], False
            while len(group) < _MAX_GROUP and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                group.append(more)
            wanted = [(item, future) for item, future in group if future.set_running_or_notify_cancel()]
            if wanted:
                self._carry_out(wanted)
            if last:
                return
