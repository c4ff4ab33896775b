"""Starting what is measured: Caret, its peers, nginx. Each on a free loopback port, ended by its process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from report import NotMeasured
from s3client import Connection, RequestFailed, Target

REPOSITORY = Path(__file__).resolve().parents[1]
PEERS = Path("~/.cache/caret-bench/bin").expanduser()
ACCESS_KEY, SECRET_KEY = "benchmark-access", "benchmark-secret-key"
_START_S = 30.0
_STOP_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find(program: str) -> str | None:
    """A program on PATH, among what administrators start, or where peers are kept."""
    return shutil.which(program, path=f"{PEERS}:{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")


@contextlib.contextmanager
def process(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command, and ends it by SIGTERM (or, where that is in vain, SIGKILL)."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def wait_for(holds: Callable[[], object], running: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once `holds` neither raises nor is false. Raises NotMeasured where that does not come."""
    end = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError, RequestFailed):
            if holds():
                return
        if time.monotonic() > end or running.poll() is not None:
            raise NotMeasured(f"a server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


# ---------------------------------------------------------------- Caret


@contextlib.contextmanager
def caret(
    folder: Path, workers: int, name: str = "Caret", program: Sequence[str] = ("-m", "gateway")
) -> Iterator[tuple[Target, int]]:
    """Caret with its default settings on a data folder; its target and the parent's process id."""
    target = Target(name, free_port(), ACCESS_KEY, SECRET_KEY)
    log = folder.with_suffix(".log")
    command = [
        *(sys.executable, *program, "serve", "--data", str(folder)),
        *("--s3-port", str(target.port), "--workers", str(workers)),
    ]
    keys = {"CARET_ROOT_ACCESS_KEY": ACCESS_KEY, "CARET_ROOT_SECRET_KEY": SECRET_KEY}
    with process(command, log, keys) as running:
        wait_for(lambda: _answers(target), running, log)
        yield target, running.pid


def processes_of(pid: int) -> list[int]:
    """A process and all that come from it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and all that come from it have taken."""
    ticks = 0
    for each in processes_of(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- peers


@contextlib.contextmanager
def minio(folder: Path) -> Iterator[Target]:
    target = Target("MinIO", free_port(), ACCESS_KEY, SECRET_KEY)
    command = [
        *(_need("minio"), "server", str(folder), "--address", f"127.0.0.1:{target.port}"),
        *("--console-address", f"127.0.0.1:{free_port()}"),
    ]
    settings = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"}
    yield from _peer(target, command, folder, settings)


@contextlib.contextmanager
def versitygw(folder: Path) -> Iterator[Target]:
    target = Target("Versity", free_port(), ACCESS_KEY, SECRET_KEY)
    command = [
        *(_need("versitygw"), "--port", f"127.0.0.1:{target.port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY),
        *("--region", target.region, "--keep-alive", "--quiet", "posix", str(folder)),
    ]
    yield from _peer(target, command, folder, {})


PEER_STARTS: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Target]]] = {
    "minio": minio,
    "versitygw": versitygw,
}


def _peer(target: Target, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Target]:
    folder.mkdir(parents=True)
    log = folder.with_suffix(".log")
    with process(command, log, environment) as running:
        wait_for(lambda: _answers(target), running, log)
        yield target


# ---------------------------------------------------------------- to compare with


@contextlib.contextmanager
def nginx(root: Path, folder: Path) -> Iterator[Target]:
    """nginx that serves the files below `root` by sendfile; `folder` takes its configuration and log."""
    target = Target("nginx", free_port())
    user = "user root;" if os.geteuid() == 0 else ""  # the workers must be able to read our private files
    config, log = folder / "nginx.conf", folder / "nginx.log"
    config.write_text(
        f"""{user} worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {log};
        events {{}}
        http {{
          access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
          client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
          fastcgi_temp_path {folder}/nginx-fastcgi; uwsgi_temp_path {folder}/nginx-uwsgi;
          scgi_temp_path {folder}/nginx-scgi;
          server {{ listen 127.0.0.1:{target.port}; root {root}; }}
        }}"""
    )
    log.touch()
    with process([_need("nginx"), "-c", str(config)], log) as running:
        wait_for(lambda: _listens(target), running, log)
        yield target


@contextlib.contextmanager
def trivial(folder: Path) -> Iterator[Target]:
    """aiohttp's low-level server with uvloop, which answers 4 KiB to everything: see trivial.py."""
    target = Target("aiohttp", free_port())
    log = folder / "trivial.log"
    with process([sys.executable, str(REPOSITORY / "benchmarks" / "trivial.py"), str(target.port)], log) as running:
        wait_for(lambda: _listens(target), running, log)
        yield target


def _need(program: str) -> str:
    found = find(program)
    if found is None:
        raise NotMeasured(f"{program} is not installed")
    return found


def _listens(target: Target) -> bool:
    with socket.create_connection((target.host, target.port), 1):
        return True


def _answers(target: Target) -> bool:
    with Connection(target, 5) as connection:
        return connection.call("GET", "/").status == 200
