"""The access log: one JSON line per answered request, written in batches.

Fields: time (ISO 8601, UTC), request_id, remote, access_key, operation, method, path, status, error,
received, sent (bytes of bodies), ms, user_agent. A query string is not logged: it may be a presigned URL's signature.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_DELAY_S = 0.2
_MOST_LINES = 1_000


class AccessLog:
    """`target`: "on" (standard error), "off", or a file, which is appended to. Used from the loop alone."""

    def __init__(self, target: str) -> None:
        self._lines: list[str] = []
        self._scheduled = False
        self._fd = -1
        if target == "on":
            self._fd = os.dup(sys.stderr.fileno())
        elif target != "off":
            self._fd = os.open(Path(target), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.is_on = self._fd >= 0

    def write(self, **fields: str | int | float | None) -> None:
        """Adds a line; fields that are None or "" are left out."""
        if not self.is_on:
            return
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        kept = {name: value for name, value in fields.items() if value is not None and value != ""}
        self._lines.append(json.dumps({"time": stamp, **kept}))
        if len(self._lines) >= _MOST_LINES:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(_DELAY_S, self.flush)

    def flush(self) -> None:
        """Writes what is kept. A log that cannot be written (a full disk) does not stop the service."""
        self._scheduled = False
        if self._lines:
            text = "\n".join(self._lines) + "\n"
            self._lines.clear()
            with suppress(OSError):
                os.write(self._fd, text.encode())

    def close(self) -> None:
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd, self.is_on = -1, False
