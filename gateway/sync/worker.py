"""Carries jobs out, in threads of a console process: some at a time, the others wait.

    created, for this process ──┐
    put back, or left by one ───┴─► claimed ──► a thread runs it ──► finished
    that died                                        ├──► its lease was lost: another process has it
                                                     └──► this process leaves: put back, another goes on

One thread looks after all of them: it renews the leases, writes their progress, sees what is cancelled, and begins
what waits. It writes a few times a second however many calls there are.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from gateway.sync.job import Ending, Job, JobState
from gateway.sync.jobs import Jobs
from gateway.sync.model import Failure, Plan, Progress
from pfs import StoreError

_log = logging.getLogger(__name__)

AT_ONCE = 4
_LOOK_EVERY_S = 0.4
_RENEWALS = 4  # in the time of a lease
_PAUSE_S = 1.0  # before an ending that could not be written is tried again
_FAILED_HERE = "Something went wrong here; the log of the gateway says what."


@dataclass(eq=False)
class Run:
    """A job that is carried out here: its observer, and what tells the engine to stop. `keep_commit` writes the id of a
    commit that the job has made before it is done."""

    job: Job
    held_until: float
    is_leaving: Callable[[], bool]
    keep_commit: Callable[[str], object]
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _lost: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _progress: Progress = field(default_factory=lambda: Progress(0, 0, 0, 0))
    _failures: list[Failure] = field(default_factory=list)
    _is_news: bool = False

    def should_stop(self) -> bool:
        return self._cancelled.is_set() or self.is_leaving() or self.is_lost

    @property
    def is_lost(self) -> bool:
        """Whether another process may have it by now."""
        return self._lost.is_set() or time.monotonic() > self.held_until

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()

    def lose(self) -> None:
        self._lost.set()

    def planned(self, plan: Plan) -> None:
        """What follows at once says how much it is."""

    def advanced(self, progress: Progress) -> None:
        with self._lock:
            self._progress, self._is_news = progress, True

    def failed(self, failure: Failure) -> None:
        with self._lock:
            self._failures.append(failure)
            self._is_news = True

    def news(self) -> tuple[Progress, list[Failure]] | None:
        """What was told since the last call; None where that is nothing."""
        with self._lock:
            if not self._is_news:
                return None
            self._is_news = False
            return self._progress, list(self._failures)


CarryOut = Callable[[Job, Run], Ending]
"""Does what the job says, and returns how it ended; it stops as soon as `should_stop` says so, as cancelled."""


class Worker:
    """`holder` is its name among all that share the database."""

    def __init__(self, jobs: Jobs, carry_out: CarryOut, at_once: int = AT_ONCE) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._jobs, self._carry_out, self._at_once = jobs, carry_out, at_once
        self._runs: dict[int, Run] = {}
        self._lock = threading.Lock()
        self._leaving, self._woken = threading.Event(), threading.Event()
        self._renew_at = 0.0
        self._thread = threading.Thread(target=self._look_after, name="jobs", daemon=True)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stops at the next file operation of each job, and puts them back. The process is to end then: a request that
        takes longer than `timeout_s`, as one to a gateway that leaves too, ends with it."""
        end = time.monotonic() + timeout_s
        self._leaving.set()
        self._woken.set()
        for thread in (self._thread, *self._threads):
            thread.join(max(0.0, end - time.monotonic()))
        try:
            self._jobs.put_back(self.holder)
        except StoreError as exc:
            _log.warning("jobs go on when their leases are over: %s", exc)

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def cancel(self, job_id: int) -> None:
        """At once, where it runs here."""
        with self._lock:
            run = self._runs.get(job_id)
        if run is not None:
            run.cancel()

    # ---------------------------------------------------------------- the one that looks after them

    def _look_after(self) -> None:
        while True:
            try:
                self._renew()
                self._write_news()
                self._begin()
                if self._leaving.is_set() and not self._threads_alive():
                    return
            except StoreError as exc:
                _log.warning("jobs have to wait: %s", exc)
            except Exception:  # noqa: BLE001 -- logged with its traceback; the next look may go well
                _log.exception("a look after the jobs failed")
            self._woken.wait(_LOOK_EVERY_S)
            self._woken.clear()

    def _renew(self) -> None:
        now = time.monotonic()
        if now < self._renew_at:
            return
        held = self._jobs.renew(self.holder)
        self._renew_at = now + self._jobs.lease_s / _RENEWALS
        for run in self._present():
            if run.job.id not in held:
                run.lose()
                continue
            run.held_until = now + self._jobs.lease_s
            if held[run.job.id]:
                run.cancel()

    def _write_news(self) -> None:
        for run in self._present():
            self._write(run)

    def _write(self, run: Run) -> None:
        news = run.news()
        if news is not None and not self._jobs.note(run.job.id, self.holder, *news):
            run.lose()

    def _begin(self) -> None:
        while len(running := self._present()) < self._at_once and not self._leaving.is_set():
            now = time.monotonic()
            job = self._jobs.claim(self.holder, {run.job.id for run in running})
            if job is None:
                return
            keep_commit = partial(self._jobs.note_commit, job.id, self.holder)
            run = Run(job, now + self._jobs.lease_s, self._leaving.is_set, keep_commit)
            if job.is_cancelled:
                run.cancel()
            with self._lock:
                self._runs[job.id] = run
            thread = threading.Thread(target=self._carry, args=(run,), name=f"job-{job.id}", daemon=True)
            self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
            thread.start()

    def _present(self) -> list[Run]:
        with self._lock:
            return list(self._runs.values())

    def _threads_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    # ---------------------------------------------------------------- a job's own thread

    def _carry(self, run: Run) -> None:
        _log.info("job %d: %r to %s begins", run.job.id, run.job.source, run.job.dest)
        try:
            ending = self._carry_out(run.job, run)
        except Exception:  # noqa: BLE001 -- logged with its traceback, and told as the job's end
            _log.exception("job %d failed", run.job.id)
            ending = Ending(state=JobState.ERROR, reason=_FAILED_HERE)
        try:
            self._end(run, ending)
        finally:
            with self._lock:
                del self._runs[run.job.id]
            self._woken.set()

    def _end(self, run: Run, ending: Ending) -> None:
        """Writes how it ended, as soon as the database takes it; nothing where others are to go on with it."""
        while not run.is_lost:
            if self._leaving.is_set() and ending.state is not JobState.SUCCESS and not run.is_cancelled:
                _log.info("job %d is left for the next process", run.job.id)
                return
            try:
                self._write(run)
                self._jobs.finish(run.job.id, self.holder, ending)
                _log.info("job %d: %s %r", run.job.id, ending.state.value, ending.reason)
                return
            except StoreError as exc:
                _log.warning("the end of job %d has to wait: %s", run.job.id, exc)
                self._leaving.wait(_PAUSE_S)
        _log.warning("job %d went to another process", run.job.id)
