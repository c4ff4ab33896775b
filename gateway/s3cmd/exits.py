"""What `caret-s3cmd` leaves with where s3cmd does not run: s3cmd's own codes, which follow sysexits.h."""

from __future__ import annotations

DONE = 0
USAGE = 64
FAILED = 65  # a transfer that did not end
DENIED = 77
CONFIG = 78
UNREACHABLE = 111
NO_S3CMD = 127  # as shells say of a command that is not there


class Leave(Exception):
    """The end, with a message that says what to do."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)
