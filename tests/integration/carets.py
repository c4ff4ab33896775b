"""The command `caret` as people and scripts run it: a process, told everything by its environment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .server import REPOSITORY, Server, clean_environment


@dataclass(frozen=True)
class Caret:
    server: Server
    variables: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = REPOSITORY

    def environment(self) -> dict[str, str]:
        told = {
            "CARET_ENDPOINT": self.server.url,
            "CARET_ACCESS_KEY": self.server.access_key,
            "CARET_SECRET_KEY": self.server.secret_key,
            "TZ": "UTC",
        }
        return clean_environment(**{**told, **self.variables})

    def run(self, *arguments: object, code: int = 0, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Fails unless the command leaves with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(),
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """What it prints."""
        return self.run(*arguments, code=code).stdout.decode()

    def error(self, *arguments: object, code: int = 1) -> str:
        """What it says on standard error, while it leaves with `code`."""
        return self.run(*arguments, code=code).stderr.decode()

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """The running command; standard output and error are pipes."""
        # Tests that run in a shell's background ignore Ctrl-C, and what they start would inherit that.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
