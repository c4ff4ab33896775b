"""Work beside the requests, on a schedule: each job is done by one worker of one gateway at a time, once per interval.

The schedule is a lease of the store (`Store.lease`) that lasts for the interval and is never given back: who gets it
does the job, and whoever looks meanwhile does not. A worker that dies at it leaves the job to the next interval.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Executor

from gateway import metrics
from gateway.access.directory import Directory
from pfs import Store, StoreBusy, StoreClosed, StoreError

_log = logging.getLogger(__name__)

Job = Callable[[Store, Callable[[], bool]], bool]
"""Called in a thread with the store, and a question whether to stop, to be asked often. Whether it came to its end."""

_LOOKS = 10  # how often a worker looks within an interval whether a job is due
_LONGEST_LOOK_S = 60.0


class Upkeep:
    """The jobs of one worker, in its event loop."""

    def __init__(self, store: Store, threads: Executor) -> None:
        self._store, self._threads = store, threads
        self._stopping = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, name: str, interval_s: float, job: Job) -> None:
        """Does the job once per interval, over all workers that share the store; never, where that is 0."""
        if interval_s > 0:
            self._tasks.append(asyncio.create_task(self._repeat(name, interval_s, job)))

    def stop(self) -> None:
        """No job begins any more; those under way are told to stop."""
        self._stopping.set()
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """After `stop`: when no job runs any more."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, name: str, interval_s: float, job: Job) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(interval_s / _LOOKS, _LONGEST_LOOK_S))
            running = loop.run_in_executor(self._threads, self._run_if_due, name, interval_s, job)
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                await running
                raise

    def _run_if_due(self, name: str, interval_s: float, job: Job) -> None:
        """Whatever a job fails with is logged and counted, and does not end the schedule."""
        outcome = "failed"
        try:
            if self._stopping.is_set() or not self._store.lease(f"upkeep {name}", secrets.token_hex(16), interval_s):
                return
            outcome = "done" if job(self._store, self._stopping.is_set) else "stopped"
        except StoreClosed:
            outcome = "stopped"
        except StoreError as exc:
            _log.warning("%s failed: %s", name, exc)
        except Exception:  # noqa: BLE001 -- it is logged, and the next run may do better
            _log.exception("%s failed", name)
        metrics.upkeep_ended(name, outcome)


def collect_garbage(store: Store, should_stop: Callable[[], bool]) -> bool:
    """The job that removes what nobody needs any more. An operator's own collection is no failure."""
    with contextlib.suppress(StoreBusy):
        collected = store.collect_garbage(should_stop=should_stop)
        metrics.garbage_collected(collected.counts, collected.bytes)
        return collected.is_complete
    return True


def forget_sessions(directory: Directory, _store: Store, _should_stop: Callable[[], bool]) -> bool:
    """The job that removes sessions that ran out long ago."""
    directory.forget_sessions()
    return True
