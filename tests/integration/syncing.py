"""Sides of syncs on a real gateway, what an observer saw, and a proxy that counts and can be told when to act."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.client import Credentials, Reach
from gateway.sync import Bucket, Failure, Folder, Memory, Options, Outcome, Plan, Progress, Side, State, synchronise

from .server import REPOSITORY, Server, clean_environment

MIB = 1024 * 1024


def side_of(server: Server, name: str, prefix: str = "", *, is_ours: bool = True, url: str | None = None) -> Bucket:
    reach = Reach(url or server.url, Credentials(server.access_key, server.secret_key), server.region)
    return Bucket(reach, name, prefix, is_ours=is_ours)


@dataclass
class Seen:
    """An observer that keeps what it is told; `act` is called with each progress."""

    act: Callable[[Progress], None] = lambda progress: None
    plans: list[Plan] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def advanced(self, progress: Progress) -> None:
        self.progress.append(progress)
        self.act(progress)

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)


def sync(source: Side, destination: Side, memory: Path | Memory, seen: Seen | None = None, **options: Any) -> Outcome:
    """With a memory of its own for each, as each run of the command has."""
    should_stop = options.pop("should_stop", lambda: False)
    with contextlib.ExitStack() as stack:
        opened = memory if isinstance(memory, Memory) else stack.enter_context(Memory.open(memory))
        return synchronise(
            source, destination, Options(**options), opened, observer=seen or Seen(), should_stop=should_stop
        )


def done(source: Side, destination: Side, memory: Path | Memory, **options: Any) -> Outcome:
    outcome = sync(source, destination, memory, **options)
    assert outcome.state is State.DONE, outcome
    return outcome


# ---------------------------------------------------------------- trees


def grow(folder: Path, **files: bytes | int) -> Folder:
    """Files by their names, in which `__` is a slash; a number stands for so many random bytes."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(content) if isinstance(content, int) else content)
    return Folder(folder)


def tree(folder: Path | Folder) -> dict[str, bytes]:
    root = folder.path if isinstance(folder, Folder) else folder
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def keys(client: Any, name: str) -> dict[str, str]:
    """Keys and ETags of up to 1,000 objects."""
    listed = client.list_objects_v2(Bucket=name).get("Contents", [])
    return {entry["Key"]: entry["ETag"].strip('"') for entry in listed}


def contents(client: Any, name: str) -> dict[str, bytes]:
    return {key: client.get_object(Bucket=name, Key=key)["Body"].read() for key in keys(client, name)}


def commits(server: Server, repo: str) -> list[str]:
    """Messages, newest first, without the root's."""
    with contextlib.closing(server.api()) as api:
        return [commit.message for commit in api.call("log", repo=repo, limit=100).commits][:-1]


# ---------------------------------------------------------------- between a sync and its gateway


@dataclass
class Proxy:
    """Counts the bytes on their way to the gateway; at `limit` calls `act` once, and goes on."""

    server: Server
    limit: int | None = None
    act: Callable[[], None] = lambda: None
    received: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):  # a gateway that is away ends the connection
            upstream = socket.create_connection(("127.0.0.1", self.server.port))
            with upstream:
                back = threading.Thread(target=_pass_on, args=(upstream, client), daemon=True)
                back.start()
                while data := client.recv(65_536):
                    self._count(len(data))
                    upstream.sendall(data)
                with contextlib.suppress(OSError):
                    upstream.shutdown(socket.SHUT_WR)
                back.join()

    def _count(self, count: int) -> None:
        with self._lock:
            self.received += count
            is_time = self.limit is not None and self.received >= self.limit
            if is_time:
                self.limit = None
        if is_time:
            self.act()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):  # whoever sends to us is to notice
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server)
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def through(proxy: Proxy, side: Bucket) -> Bucket:
    return replace(side, reach=replace(side.reach, endpoint=proxy.url))


# ---------------------------------------------------------------- a process that syncs


def begin(source: Folder, url: str, server: Server, name: str, memory: Path) -> subprocess.Popen[bytes]:
    """A sync of its own, two pieces at a time, to a bucket of `server`, which it reaches at `url`."""
    command = [sys.executable, "-m", "tests.integration.syncing", str(source.path), url, name, str(memory)]
    keys = {"ACCESS": server.access_key, "SECRET": server.secret_key, "REGION": server.region}
    return subprocess.Popen(command, cwd=REPOSITORY, env=clean_environment(**keys))


def main() -> int:
    source, url, name, memory = sys.argv[1:]
    reach = Reach(url, Credentials(os.environ["ACCESS"], os.environ["SECRET"]), os.environ["REGION"])
    outcome = sync(Folder(Path(source)), Bucket(reach, name), Path(memory), jobs=2)
    return 0 if outcome.state is State.DONE else 1


if __name__ == "__main__":
    sys.exit(main())
