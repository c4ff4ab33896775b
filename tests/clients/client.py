"""What is common to the tests of outside clients: a client's row in the table, and how to call it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.install import Recipe, Unavailable, install
from tests.clients.table import Row
from tests.integration.server import REPOSITORY, Server, clean_environment


@dataclass(frozen=True)
class Client:
    """A row of the table of clients. Each test module names its one as `CLIENT`.

    One that is not `required` may be missing in CI too.
    """

    name: str
    does: str
    recipe: Recipe
    required: bool = True

    @property
    def row(self) -> Row:
        return Row(self.name, self.recipe.version, self.does)

    def installed(self) -> Path:
        """Its folder. Where it cannot be installed the test skips; in CI it fails."""
        try:
            return install(self.recipe)
        except Unavailable as exc:
            end = pytest.fail if self.required and os.environ.get("CI") == "true" else pytest.skip
            end(f"{self.name} {self.recipe.version} cannot be installed: {exc}")


@dataclass(frozen=True)
class Command:
    """A client that is a program. Each call is a process of its own."""

    begin: Sequence[str | Path]
    environment: Mapping[str, str]
    wait_s: float = 300

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        """Standard output of a call that succeeds."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, _story(done)
        return done.stdout.decode()

    def refused(self, *arguments: str | Path) -> str:
        """Standard error of a call that fails."""
        done = self.run(*arguments)
        assert done.returncode != 0, _story(done)
        return done.stderr.decode()

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.begin, *arguments],
            input=stdin,
            env=dict(self.environment),
            capture_output=True,
            timeout=self.wait_s,
            check=False,
        )


def _story(done: subprocess.CompletedProcess[bytes]) -> str:
    output = (done.stdout + done.stderr).decode(errors="replace")
    return f"{' '.join(map(str, done.args))} left with {done.returncode}:\n{output[-6000:]}"


def environment(server: Server, home: Path, **more: str) -> dict[str, str]:
    """What the AWS tools and SDKs agree upon, and nothing of the machine's own settings."""
    return clean_environment(
        HOME=str(home),
        AWS_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID=server.access_key,
        AWS_SECRET_ACCESS_KEY=server.secret_key,
        AWS_REGION=server.region,
        AWS_DEFAULT_REGION=server.region,
        AWS_EC2_METADATA_DISABLED="true",
        **more,
    )


def run_program(name: str, python: Path, server: Server, bucket: str, home: Path, **more: str) -> str:
    """Runs `tests.clients.programs.<name>` with a client's own Python: what it printed, if all went well."""
    certificate = str(server.certificate.path) if server.certificate else ""
    settings = environment(server, home, CA_FILE=certificate, BUCKET=bucket, **more)
    settings["PYTHONPATH"] = str(REPOSITORY)
    return Command([python, "-m", f"tests.clients.programs.{name}"], settings)()
