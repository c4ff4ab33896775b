"""The real aws-cli v1, in an environment of its own, at one version.

It lives in `.venv-clients/awscli1` beside the code (git-ignored) and is installed by the first
test that asks for it; its botocore is its own, so it can differ from boto3's.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .server import REPOSITORY, Server, clean_environment

VERSION = "1.46.2"
FOLDER = REPOSITORY / ".venv-clients" / "awscli1"


def install() -> Path:
    """The `aws` executable. Test processes that come at the same time wait for the one that installs."""
    FOLDER.parent.mkdir(exist_ok=True)
    marker = FOLDER / f"installed-{VERSION}"
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
            pip = str(FOLDER / "bin" / "pip")
            subprocess.run([pip, "install", "--quiet", "--disable-pip-version-check", f"awscli=={VERSION}"], check=True)
            marker.touch()
    return FOLDER / "bin" / "aws"


class Aws:
    """`aws` with the server as its endpoint; each call is a process of its own."""

    def __init__(self, executable: Path, server: Server, home: Path) -> None:
        self.executable = executable
        config = home / "config"
        config.write_text(f"[default]\nregion = {server.region}\noutput = json\ns3 =\n  addressing_style = path\n")
        self.environment = clean_environment(
            HOME=str(home),
            AWS_CONFIG_FILE=str(config),
            AWS_SHARED_CREDENTIALS_FILE=str(home / "none"),
            AWS_ACCESS_KEY_ID=server.access_key,
            AWS_SECRET_ACCESS_KEY=server.secret_key,
            AWS_ENDPOINT_URL=server.url,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_MAX_ATTEMPTS="1",
        )
        if server.certificate:
            self.environment["AWS_CA_BUNDLE"] = str(server.certificate.path)

    def run(
        self, *arguments: str | Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        command = [self.executable, *arguments]
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
