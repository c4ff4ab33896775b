"""Threads that do what a plan asks for, a bounded number of things at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType

from gateway.sync.control import Control

Task = Callable[[], None]


class Crew:
    """A context manager: at its end all tasks are done, or the first error that a task raised is raised.

    With the first error the others are told to stop, by `control`, and what was not begun is forgotten.
    """

    def __init__(self, size: int, control: Control) -> None:
        self._control, self._backlog = control, 2 * size
        self._tasks: deque[Task] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._error: BaseException | None = None
        self._is_over = False
        self._threads = [threading.Thread(target=self._work, name=f"sync-{number}") for number in range(size)]

    def __enter__(self) -> Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._tasks and not self._busy)
        except BaseException as interruption:
            self._fail(interruption)
            raise
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()
            for thread in self._threads:
                thread.join()
        if self._error is not None and self._error is not error:
            raise self._error  # which made the others, and perhaps whoever gave the tasks, stop

    def give(self, task: Task) -> None:
        """From outside: waits while many tasks wait. Raises what `check` does."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._tasks) < self._backlog or self._error is not None)
            self._tasks.append(task)
            self._changed.notify_all()
        self._control.check()

    def add(self, task: Task) -> None:
        """From a task: what is to be done before all that waits, in the order in which it was added last."""
        with self._changed:
            self._tasks.appendleft(task)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if self._error is None:
                self._error = error
            self._tasks.clear()
            self._changed.notify_all()
        self._control.stop()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._is_over)
                if not self._tasks:
                    return
                task = self._tasks.popleft()
                self._busy += 1
                self._changed.notify_all()
            try:
                if self._error is None:
                    task()
            except BaseException as error:  # noqa: BLE001  # raised again where the crew ends
                self._fail(error)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
