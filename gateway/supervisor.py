"""The parent process: binds the ports, starts workers, replaces those that die, drains them all.

A listening socket is bound once and inherited by every worker of its role, so that none loses a
connection when another dies. A worker is a fresh interpreter in `main` below. Its standard
input is a pipe from the parent: it brings the orders, and its end tells a worker that the
parent is gone, however it went.

    running ── SIGTERM, SIGINT ──► draining ── all workers gone ──► stopped
       │                              └── a second signal, or the time is up: SIGKILL ──┘
       └── a worker died at once, several times in a row: WorkersFailed

All that happens (a signal, a worker's end, a replacement that falls due) arrives in one
queue and is handled by one loop, in the main thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pickle
import pkgutil
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from gateway.config import Config

_BACKLOG = 1024
_DIED_AT_ONCE_S = 5.0  # a worker that lived longer had started well
_GIVE_UP_AFTER = 5  # such deaths in a row
_FIRST_DELAY_S = 0.1  # before a replacement; doubles with each death at once
_KILL_GRACE_S = 2.0  # beyond the drain timeout, for a worker to close its store
_METRICS_PREFIX = "caret-metrics-"
# The argument is the folder that holds this package, for a source tree that is not installed.
_WORKER_MAIN = "import sys; sys.path.append(sys.argv[1]); from gateway.supervisor import main; main()"

_log = logging.getLogger(__name__)


class StartError(Exception):
    """The gateway cannot start; the message says why and what to do."""


class WorkersFailed(Exception):
    """Workers die as soon as they start; their own messages came before."""


# ---------------------------------------------------------------- the socket


def bind(host: str, port: int, flag: str = "--s3-port") -> socket.socket:
    """A listening socket. Raises StartError where the address is in use, forbidden or unknown; it names `flag`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(
            address[:2],
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
        )
    except socket.gaierror as error:
        raise StartError(f"the address {host!r} is unknown: {error.strerror}") from error
    except PermissionError as error:
        raise StartError(
            f"port {port} needs privileges that this process does not have; take one above 1023 with {flag}"
        ) from error
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}, port {port}: {error.strerror}; is another gateway running? "
            f"Take another port with {flag}"
        ) from error


def log_to_stderr(level: str) -> None:
    """How every process of the gateway logs, the parent and the workers alike."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s",
        force=True,
    )
    if level != "debug":
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells about every look at the schema
    logging.getLogger("alembic").setLevel(logging.WARNING)


# ---------------------------------------------------------------- the parent


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of worker: `count` processes, each of which calls the function that `worker` names (`module:function`)
    with the settings and the listener; it serves until SIGTERM, drains, and returns."""

    worker: str
    listener: socket.socket
    count: int


@dataclass(frozen=True, slots=True)
class _Signalled:
    number: int


@dataclass(eq=False, slots=True)
class _Slot:
    """One worker's place: successive processes take it."""

    role: Role
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths_at_once: int = 0


@dataclass(frozen=True, slots=True)
class _Ended:
    slot: _Slot
    process: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class _Due:
    slot: _Slot


_Event = _Signalled | _Ended | _Due


@dataclass(frozen=True, slots=True)
class _Orders:
    """What a worker gets through its pipe. `listener_fd` has the same number in both processes."""

    config: Config
    listener_fd: int
    worker: str


@dataclass(eq=False)
class Supervisor:
    """Runs the processes of all roles."""

    config: Config
    roles: Sequence[Role]
    _events: queue.SimpleQueue[_Event] = field(default_factory=queue.SimpleQueue, init=False)
    _slots: list[_Slot] = field(default_factory=list, init=False)
    _metrics: Path = field(init=False)

    def run(self) -> None:
        """Returns once asked to stop and all workers have left. Raises WorkersFailed. Main thread only."""
        with _metrics_folder() as self._metrics, self._signals():
            self._slots = [_Slot(role) for role in self.roles for _ in range(role.count)]
            try:
                for slot in self._slots:
                    self._start(slot)
                self._watch()
                self._drain()
            finally:
                self._kill()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT become events; SimpleQueue.put is safe inside a signal handler."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = [signal.signal(number, lambda number, _: self._events.put(_Signalled(number))) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _start(self, slot: _Slot) -> None:
        slot.process = process = subprocess.Popen(
            # -P: the working folder is the operator's; a folder `gateway` in it is not this package
            [sys.executable, "-P", "-c", _WORKER_MAIN, str(Path(__file__).resolve().parents[1])],
            stdin=subprocess.PIPE,
            pass_fds=[slot.role.listener.fileno()],
            # prometheus_client reads it when it is imported
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(self._metrics)},
        )
        slot.started_at = time.monotonic()
        threading.Thread(target=self._await_end, args=(slot, process), daemon=True).start()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # dead already: its end is an event of its own
            process.stdin.write(pickle.dumps(_Orders(self.config, slot.role.listener.fileno(), slot.role.worker)))
            process.stdin.flush()

    def _await_end(self, slot: _Slot, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._events.put(_Ended(slot, process))

    def _watch(self) -> None:
        """Replaces workers until a signal asks to stop."""
        while True:
            event = self._events.get()
            match event:
                case _Signalled():
                    _log.info("%s: draining", signal.Signals(event.number).name)
                    return
                case _Ended():
                    self._ended(event)
                    self._replace(event.slot, event.process.returncode)
                case _Due():
                    self._start(event.slot)

    def _ended(self, event: _Ended) -> None:
        event.slot.process = None
        _close_pipe(event.process)
        mark_process_dead(event.process.pid, str(self._metrics))  # type: ignore[no-untyped-call]

    def _replace(self, slot: _Slot, code: int) -> None:
        lived_s = time.monotonic() - slot.started_at
        if lived_s >= _DIED_AT_ONCE_S:
            slot.deaths_at_once = 0
            delay_s = 0.0
        else:
            slot.deaths_at_once += 1
            delay_s = _FIRST_DELAY_S * 2 ** (slot.deaths_at_once - 1)
        if slot.deaths_at_once >= _GIVE_UP_AFTER:
            raise WorkersFailed(
                f"a worker died {_GIVE_UP_AFTER} times in a row as soon as it started ({_how_it_ended(code)}); "
                "the reason is in the messages above"
            )
        _log.error("a worker %s after %.1f s; starting another", _how_it_ended(code), lived_s)
        timer = threading.Timer(delay_s, self._events.put, [_Due(slot)])
        timer.daemon = True
        timer.start()

    def _drain(self) -> None:
        """Asks all workers to leave, and returns when they have, or their time is up, or a second signal came."""
        for process in self._running():
            process.terminate()
        deadline = time.monotonic() + self.config.drain_timeout_s + _KILL_GRACE_S
        while self._running():
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                _log.warning("workers are still busy after %g s: killing them", self.config.drain_timeout_s)
                return
            if isinstance(event, _Ended):
                self._ended(event)
            elif isinstance(event, _Signalled):
                _log.warning("%s again: killing the workers", signal.Signals(event.number).name)
                return

    def _kill(self) -> None:
        for process in self._running():
            process.kill()
            process.wait()
            _close_pipe(process)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [slot.process for slot in self._slots if slot.process is not None]


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # closing flushes what it never read
        process.stdin.close()


def _how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"


@contextlib.contextmanager
def _metrics_folder() -> Iterator[Path]:
    """A folder for the workers' counters, removed at the end.

    In memory where that can be had, and never in the data folder: the counters are memory-mapped,
    and touching a mapped page of a file on a full disk ends a process with SIGBUS.
    """
    shared_memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    place = shared_memory if os.access(shared_memory, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=_METRICS_PREFIX, dir=place))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Removes what killed supervisors left: folders that nobody has locked, a minute old to spare new ones."""
    for folder in place.glob(_METRICS_PREFIX + "*"):
        with contextlib.suppress(OSError):  # another user's, or another sweeper was first
            if time.time() - folder.stat().st_mtime < 60:
                continue
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)


# ---------------------------------------------------------------- a worker


def main() -> None:
    """A worker process, from its orders to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    orders: _Orders = pickle.load(sys.stdin.buffer)  # noqa: S301 - the parent's own
    config = orders.config
    log_to_stderr(config.log_level)
    give_up_s = config.drain_timeout_s + _KILL_GRACE_S
    threading.Thread(target=_leave_with_parent, args=(sys.stdin.fileno(), give_up_s), daemon=True).start()
    run_worker = pkgutil.resolve_name(orders.worker)
    run_worker(config, socket.socket(fileno=orders.listener_fd))


def _leave_with_parent(pipe: int, give_up_s: float) -> None:
    """Waits for the pipe's end, then asks this process to drain, and ends it when that takes too long."""
    os.read(pipe, 1)  # not through sys.stdin: its lock would be held for ever, interpreter shutdown included
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(give_up_s)
    os._exit(1)
