"""What has been done so far, told to an observer: one call at a time, and not too many of them."""

from __future__ import annotations

import threading
import time

from gateway.sync.control import Control
from gateway.sync.faults import FileChanged, SyncFault
from gateway.sync.model import Failure, FailureKind, Observer, Plan, Progress

_EVERY_S = 0.1


class Tracker:
    """Counts of one run. Thread-safe."""

    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._lock = threading.RLock()
        self._told_at = 0.0
        self._files_total = self._bytes_total = 0
        self._files_done = self._bytes_done = 0
        self.bytes_sent = 0
        self.failures: list[Failure] = []
        self._told: set[Failure] = set()

    def planned(self, plan: Plan) -> None:
        """Told once; a plan that takes an earlier one's place only changes what is left to do."""
        with self._lock:
            is_first = self._files_total == self._files_done == 0
            self._files_total = self._files_done + len(plan.actions)
            self._bytes_total = self._bytes_done + sum(
                action.size for action in plan.actions if action.kind.value != "delete"
            )
            if self._observer is None:
                return
            if is_first:
                self._observer.planned(plan)
            self._tell("", at_once=True)

    def moved(self, path: str, count: int, *, is_sent: bool = True) -> None:
        """Bytes of a file are at the destination, or (negative) are not after all."""
        with self._lock:
            self._bytes_done += count
            if is_sent:
                self.bytes_sent += count
            self._tell(path)

    def resized(self, difference: int) -> None:
        with self._lock:
            self._bytes_total += difference

    def finished(self, path: str, files: int = 1) -> None:
        with self._lock:
            self._files_done += files
            self._tell(path)

    def failed(self, path: str, fault: SyncFault) -> None:
        kind = FailureKind.CHANGED if isinstance(fault, FileChanged) else FailureKind.FAILED
        failure = Failure(path, kind, str(fault))
        with self._lock:
            self.failures.append(failure)
            # What is looked at a second time may fail a second time.
            if self._observer is not None and failure not in self._told:
                self._told.add(failure)
                self._observer.failed(failure)

    def end(self) -> None:
        with self._lock:
            self._tell("", at_once=True)

    def _tell(self, path: str, *, at_once: bool = False) -> None:
        if self._observer is None:
            return
        now = time.monotonic()
        if at_once or now - self._told_at >= _EVERY_S:
            self._told_at = now
            self._observer.advanced(
                Progress(self._files_done, self._files_total, self._bytes_done, self._bytes_total, path)
            )


class Meter:
    """The bytes of one attempt at a file: kept to the rate, counted, and taken back where the attempt fails."""

    def __init__(self, path: str, control: Control, tracker: Tracker | None) -> None:
        self._path, self._control, self._tracker = path, control, tracker
        self._lock = threading.Lock()
        self._moved = self._there = 0

    def move(self, count: int) -> None:
        """So many more are about to be moved. Raises Cancelled."""
        self._control.take(count)
        if self._tracker is not None:
            with self._lock:
                self._moved += count
            self._tracker.moved(self._path, count)

    def find(self, count: int) -> None:
        """So many need not be moved."""
        if self._tracker is not None:
            with self._lock:
                self._there += count
            self._tracker.moved(self._path, count, is_sent=False)

    def take_back(self, count: int | None = None) -> None:
        """Of what was moved so many bytes, or all."""
        if self._tracker is None:
            return
        with self._lock:
            moved = self._moved if count is None else count
            there = self._there if count is None else 0
            self._moved -= moved
            self._there -= there
        self._tracker.moved(self._path, -moved)
        self._tracker.moved(self._path, -there, is_sent=False)
