"""The real aws-cli v1 at one version; its botocore is its own, so it can differ from boto3's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.clients.install import Pip
from tests.clients.install import install as install_client

from .server import Server, clean_environment

VERSION1 = Pip("awscli", "1.46.2")


def install() -> Path:
    """The `aws` executable."""
    return install_client(VERSION1) / "bin" / "aws"


class Aws:
    """`aws` with the server as its endpoint; each call is a process of its own."""

    def __init__(self, executable: Path, server: Server, home: Path) -> None:
        self.executable = executable
        self.endpoint = server.url
        config = home / "config"
        config.write_text(f"[default]\nregion = {server.region}\noutput = json\ns3 =\n  addressing_style = path\n")
        self.environment = clean_environment(
            HOME=str(home),
            AWS_CONFIG_FILE=str(config),
            AWS_SHARED_CREDENTIALS_FILE=str(home / "none"),
            AWS_ACCESS_KEY_ID=server.access_key,
            AWS_SECRET_ACCESS_KEY=server.secret_key,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_MAX_ATTEMPTS="1",
        )
        if server.certificate:
            self.environment["AWS_CA_BUNDLE"] = str(server.certificate.path)

    def run(
        self, *arguments: str | Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        command = [self.executable, "--endpoint-url", self.endpoint, *arguments]
        settings = {**self.environment, **(environment or {})}
        return subprocess.run(command, input=stdin, env=settings, capture_output=True, timeout=120, check=False)

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        """Standard output of a command that succeeds."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"aws {' '.join(map(str, arguments))}: {done.stderr.decode()}"
        return done.stdout.decode()

    def api(self, *arguments: str | Path) -> Any:
        """What `aws s3api …` answers, parsed; {} where it answers nothing."""
        return json.loads(self("s3api", *arguments) or "{}")

    def refused(self, *arguments: str | Path, **environment: str) -> str:
        """Standard error of a command that fails."""
        done = self.run(*arguments, environment=environment)
        assert done.returncode != 0, f"aws {' '.join(map(str, arguments))} was not refused: {done.stdout.decode()}"
        return done.stderr.decode()
