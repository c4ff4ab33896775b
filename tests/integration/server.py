"""A real gateway process: started, watched and stopped as an operator would.

Every test that speaks HTTP goes through here, the crash tests and the conformance runner
too. Nothing of the gateway is imported: all that is known of it is its command line.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from gateway.access.keyring import FRESH_S
from gateway.client.connection import Connection, Credentials

ACCESS_KEY = "caret-root-access"
SECRET_KEY = "caret/root+secret=0123456789"
REGION = "eu-central-1"
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for localhost. It is marked as no authority's, or rustls would refuse it."""

    path: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        """Made by the openssl command; FileNotFoundError where there is none."""
        made = cls(folder / "cert.pem", folder / "key.pem")
        what = [
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            str(made.key),
            "-out",
            str(made.path),
        ]
        who = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        who += ["-addext", "basicConstraints=critical,CA:FALSE"]
        subprocess.run(["openssl", "req", *what, *who], check=True, capture_output=True)
        return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """`caret serve` on one data folder; stopped, killed and started again at will, on one port."""

    data: Path
    certificate: Certificate | None = None
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    region: str = REGION
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    port: int = field(default_factory=free_port)
    console_port: int | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Standard output and error of all starts on this port, in one file."""
        return self.data.parent / f"{self.data.name}-{self.port}.log"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def console_url(self) -> str:
        """Of a gateway that was given a `console_port`."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.console_port}"

    def command(self) -> list[str]:
        tls: list[str] = []
        if self.certificate:
            tls = ["--tls-cert", str(self.certificate.path), "--tls-key", str(self.certificate.key)]
        return [
            *(sys.executable, "-m", "gateway", "serve", "--data", str(self.data), "--host", "127.0.0.1"),
            *("--s3-port", str(self.port), "--workers", str(self.workers), "--region", self.region),
            *tls,
            *(["--console-port", str(self.console_port)] if self.console_port else []),
            *self.options,
        ]

    def start(self, wait_s: float = 30) -> Server:
        """Returns once /-/readyz answers 200."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=REPOSITORY,
                env=clean_environment(
                    **{
                        "CARET_ROOT_ACCESS_KEY": self.access_key,
                        "CARET_ROOT_SECRET_KEY": self.secret_key,
                        **self.environment,
                    }
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that `kill` can take the workers along
            )
        until(self._is_ready, wait_s, f"{self.url} to be ready")
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway left with {self.process.returncode}:\n{self.log_tail()}")
        try:
            return self.get("/-/readyz")[0] == 200 and (self.console_port is None or self._has_console())
        except (OSError, http.client.HTTPException):
            return False

    def _has_console(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.console_port or 0), timeout=5):
            return True

    def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """An unsigned GET: status, headers, body."""
        connection = self.http()
        with contextlib.closing(connection):
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()

    def http(self, port: int | None = None) -> http.client.HTTPConnection:
        """To the port of S3, or another one."""
        if self.certificate is None:
            return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        context = ssl.create_default_context(cafile=str(self.certificate.path))
        return http.client.HTTPSConnection("127.0.0.1", port or self.port, timeout=30, context=context)

    def stop(self, wait_s: float = 30) -> int:
        """SIGTERM, as a service manager sends it; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the gateway did not leave within {wait_s} s:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL for the supervisor and all its workers at once: a power cut, as far as processes go."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def files(self, folder: str) -> set[Path]:
        """All files below a folder of the data folder, `blobs` or `tmp`."""
        return {path for path in (self.data / folder).rglob("*") if path.is_file()}

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def fsck(self) -> subprocess.CompletedProcess[str]:
        """`caret fsck`, which reads and hashes every blob too."""
        command = [sys.executable, "-m", "gateway", "fsck", "--verify-data", "--data", str(self.data)]
        return subprocess.run(
            command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def api(self, *, access_key: str | None = None, secret_key: str | None = None) -> Connection:
        """The REST API, as root unless told otherwise."""
        credentials = Credentials(access_key or self.access_key, secret_key or self.secret_key)
        ca_bundle = str(self.certificate.path) if self.certificate else None
        return Connection(self.url, credentials, region=self.region, ca_bundle=ca_bundle)

    def client(
        self,
        *,
        access_key: str | None = None,
        secret_key: str | None = None,
        signature: str = "s3v4",
        addressing: str = "path",
        endpoint: str | None = None,
    ) -> Any:
        """A boto3 client that never tries twice, so that a test sees each answer."""
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.url,
            region_name=self.region,
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            verify=str(self.certificate.path) if self.certificate else None,
            config=Config(
                signature_version=signature,
                s3={"addressing_style": addressing},
                retries={"total_max_attempts": 1},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=32,
            ),
        )


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """`server` started; at the end it must leave with 0 when asked to, unless the test stopped it itself."""
    try:
        server.start()
        yield server
        if server.is_running:
            assert server.stop() == 0, server.log_tail()
    finally:
        if server.is_running:
            server.kill()


def wait_for_news() -> None:
    """Returns when every worker goes by what the directory said before this was called."""
    time.sleep(1.5 * FRESH_S)


def until(holds: Callable[[], object], wait_s: float, what: str) -> None:
    """Returns as soon as `holds()` is true; fails after `wait_s`, naming what was waited for."""
    end = time.monotonic() + wait_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited {wait_s} s in vain for {what}")
        time.sleep(0.05)


def clean_environment(**extra: str) -> dict[str, str]:
    """Ours without what would steer a gateway or an AWS client from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("AWS_", "CARET_"))}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **extra}
