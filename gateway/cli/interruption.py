"""SIGINT and SIGTERM for commands that work on large things step by step."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED = 128  # and the signal's number: what a shell tells of a command that a signal ended
_SHOW_CURSOR = b"\x1b[?25h"


class Interruption:
    """A context manager within which a signal raises KeyboardInterrupt; where the command goes `gently`, the first one
    only asks it to stop, and the second ends the process at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_gentle = False

    @property
    def exit_code(self) -> int:
        return _SIGNALLED + (self.number or signal.SIGINT)

    @property
    def is_asked_for(self) -> bool:
        return self.number is not None

    @contextlib.contextmanager
    def gently(self) -> Iterator[None]:
        self._is_gentle = True
        try:
            yield
        finally:
            self._is_gentle = False

    def __enter__(self) -> Interruption:
        # what runs in a shell's background ignores Ctrl-C, and goes on to
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._arrived) for number in heeded}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        # Nothing is printed here: whatever was interrupted may hold the stream.
        is_first, self.number = self.number is None, number
        if not self._is_gentle:
            raise KeyboardInterrupt
        if not is_first:
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), _SHOW_CURSOR)
            os._exit(self.exit_code)
