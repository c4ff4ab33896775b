"""What holds a run back: whoever wants it to end, the rate that it keeps to, and a gateway that does not answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import urllib3

from gateway.client.connection import Refusal, Unreachable
from gateway.sync.faults import Cancelled
from gateway.sync.model import SyncError

_Result = TypeVar("_Result")

_PATIENCE_S = 30.0  # how long a request is tried again, from its first failure on
_FIRST_PATIENCE_S = 5.0  # the same at the beginning: what was never there is soon told
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_ALERT_S = 0.1  # how long a wait goes on that nobody wants any more
_LEAST_SLICE, _LARGEST_SLICE = 4096, 1024 * 1024
_SLICES_PER_S = 20
# What may pass by itself. 501 and 507 do not.
_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES = frozenset({"RequestTimeout", "SlowDown", "OperationAborted", "Throttling"})


class Control:
    """One per run; thread-safe. All that waits here is ended by `should_stop`, and by `stop`. `first_patience_s`: how
    long the endpoint is asked again until anything has been answered."""

    def __init__(
        self,
        should_stop: Callable[[], bool],
        rate_bytes_s: float | None = None,
        *,
        first_patience_s: float = _FIRST_PATIENCE_S,
    ) -> None:
        self._should_stop, self._rate, self._first_patience_s = should_stop, rate_bytes_s, first_patience_s
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._was_answered = False

    def stop(self) -> None:
        """Nothing more is to be begun."""
        self._stopped.set()

    def check(self) -> None:
        """Raises Cancelled where nothing more is to be begun."""
        if self._stopped.is_set() or self._should_stop():
            raise Cancelled("cancelled")

    def wait(self, seconds: float) -> None:
        """Raises Cancelled as soon as it is told."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            self._stopped.wait(min(left, _ALERT_S))
        self.check()

    # ---------------------------------------------------------------- the rate

    @property
    def slice_bytes(self) -> int:
        """How much is to be sent at a time, for an even flow."""
        if self._rate is None:
            return _LARGEST_SLICE
        return int(min(max(self._rate / _SLICES_PER_S, _LEAST_SLICE), _LARGEST_SLICE))

    def take(self, count: int) -> None:
        """Returns when so many bytes may be moved, by all threads together. Raises Cancelled."""
        self.check()
        if self._rate is None:
            return
        with self._lock:
            begin = max(time.monotonic(), self._free_at)
            self._free_at = begin + count / self._rate
        self.wait(begin - time.monotonic())

    # ---------------------------------------------------------------- a gateway that does not answer

    def persist(self, request: Callable[[], _Result]) -> _Result:
        """The request's result; tried again, after pauses that grow, while it may yet succeed.

        Raises Cancelled; SyncError where the endpoint stays away; Refusal for an answer that is final.
        """
        give_up_at, pause_s = None, _FIRST_PAUSE_S
        while True:
            self.check()
            try:
                result = request()
            except (Unreachable, Refusal) as exc:
                if isinstance(exc, Refusal) and not _passes(exc):
                    raise
                if _is_impostor(exc):
                    raise SyncError(str(exc)) from exc
                now = time.monotonic()
                if give_up_at is None:
                    give_up_at = now + (_PATIENCE_S if self._was_answered else self._first_patience_s)
                pause = pause_s * random.uniform(0.5, 1.0)  # noqa: S311
                if now + pause > give_up_at:
                    raise SyncError(str(exc)) from exc
            else:
                self._was_answered = True
                return result
            self.wait(pause)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _is_impostor(exc: Exception) -> bool:
    """Whether whoever answered has no certificate of the endpoint: ssl and urllib3 each have an error for that, and
    both are ValueErrors."""
    cause = exc.__cause__
    return isinstance(cause, urllib3.exceptions.SSLError) and any(isinstance(why, ValueError) for why in cause.args)


def _passes(refusal: Refusal) -> bool:
    return refusal.status in _PASSING_STATUSES or refusal.code in _PASSING_CODES
