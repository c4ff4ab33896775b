"""A closed-loop load generator: processes with a few connections each, and one request under way on each of them.

Requests are built and signed before the clock runs, an answer costs one search for its length: about
25 µs of processor time per request in all, so that on a small machine the server is measured and not this.
Any answer but the expected one ends the measurement: a rate of refusals is no figure.
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import re
import select
import socket
import statistics
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection as Pipe

from report import KIB
from s3client import Content, RequestFailed, Target

_RECEIVE = 256 * KIB
_PATIENCE_S = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_END_OF_CHUNKS = b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Plan:
    """One measurement: `operation` on keys `prefix` + number, from `first` on.

    put: new keys, `count` at most; get, head: in random order among `count` keys; list: the first
    1,000 keys below the prefix. `query` goes with each request. Ends after `seconds`, or with the last request.
    """

    target: Target
    operation: str
    bucket: str
    prefix: str
    count: int
    first: int = 0
    size: int = 4 * KIB
    query: str = ""
    seconds: float = 5.0
    connections: int = 16

    def split(self, processes: int) -> list[Plan]:
        """The plan for each of several processes; their keys are apart where they write."""
        connections = max(1, self.connections // processes)
        if self.operation != "put":
            return [replace(self, connections=connections)] * processes
        share = self.count // processes
        return [
            replace(self, connections=connections, first=self.first + number * share, count=share)
            for number in range(processes)
        ]

    def requests(self) -> Iterator[bytes]:
        """All requests, ready to be sent."""
        path = f"/{self.bucket}"
        if self.operation == "list":
            query = f"list-type=2&max-keys=1000&prefix={self.prefix}"
            return itertools.repeat(self.target.head("GET", path, query))
        keys = [f"{self.prefix}{number:08}" for number in range(self.first, self.first + self.count)]
        if self.operation == "put":
            content = Content(self.size)
            return iter([self.target.put(f"{path}/{key}", content.body(key), self.query) for key in keys])
        method = self.operation.upper()
        random.Random(self.first).shuffle(keys)
        return itertools.cycle([self.target.head(method, f"{path}/{key}", self.query) for key in keys])


@dataclass
class Sample:
    """What one process, or all together, measured: when it began and ended, and how long each answer took."""

    began: float = field(default_factory=time.perf_counter)
    ended: float = 0.0
    waits: array[float] = field(default_factory=lambda: array("d"))

    @classmethod
    def merge(cls, samples: Sequence[Sample]) -> Sample:
        waits = array("d", itertools.chain.from_iterable(sample.waits for sample in samples))
        return cls(min(s.began for s in samples), max(s.ended for s in samples), waits)

    def add(self, sent: float) -> None:
        """An answer, complete now."""
        self.ended = time.perf_counter()
        self.waits.append(self.ended - sent)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.waits) / (self.ended - self.began)

    def wait_ms(self, percent: int) -> float:
        return statistics.quantiles(self.waits, n=100, method="inclusive")[percent - 1] * 1000


class Generator:
    """Processes that wait for plans. A context manager: they end with it."""

    def __init__(self, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Pipe] = []
        self._processes = []
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(_PATIENCE_S)

    def run(self, plan: Plan) -> Sample:
        """Raises RequestFailed."""
        for pipe, share in zip(self._pipes, plan.split(len(self._pipes)), strict=True):
            pipe.send(share)
        for pipe in self._pipes:
            pipe.recv()  # its requests are ready
        for pipe in self._pipes:
            pipe.send(None)
        outcomes = [pipe.recv() for pipe in self._pipes]
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return Sample.merge(outcomes)


def _serve(pipe: Pipe) -> None:
    """A generator process: plan, "ready", go, outcome; until the pipe ends."""
    try:
        while True:
            plan: Plan = pipe.recv()
            requests = plan.requests()
            pipe.send("ready")
            pipe.recv()
            try:
                pipe.send(drive(plan.target, requests, plan.connections, plan.seconds))
            except (OSError, RequestFailed) as exc:
                pipe.send(RequestFailed(f"{plan.target.name}, {plan.operation}: {exc}"))
    except EOFError:
        return


class _Line:
    """A connection with one request under way: `missing` bytes of its answer, None before its head is read,
    -1 where only its last bytes tell that it is whole."""

    __slots__ = ("data", "head_only", "missing", "sent_at", "socket")

    def __init__(self, target: Target) -> None:
        self.socket = socket.create_connection((target.host, target.port), _PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.missing: int | None = None
        self.head_only = False
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.data, self.missing, self.head_only = b"", None, request.startswith(b"HEAD ")
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Takes what has arrived; whether the answer is whole."""
        data = self.socket.recv(_RECEIVE)
        if not data:
            raise RequestFailed("the connection ended instead of an answer")
        if self.missing is None:
            self.data += data
            return self._begin()
        if self.missing < 0:
            self.data = self.data[-len(_END_OF_CHUNKS) :] + data
            return self.data.endswith(_END_OF_CHUNKS)
        self.missing -= len(data)
        return self.missing == 0

    def _begin(self) -> bool:
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self.data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 204")):
            raise RequestFailed(f"answered {self.data[:400]!r}")
        length = _LENGTH.search(self.data, 0, end + 2)
        if self.head_only:
            return True
        if length is not None:
            self.missing = end + 4 + int(length[1]) - len(self.data)
            return self.missing == 0
        if _CHUNKED.search(self.data, 0, end + 2) is None:
            raise RequestFailed(f"an answer without a length: {self.data[:400]!r}")
        self.missing = -1
        return self.data.endswith(_END_OF_CHUNKS)


def drive(target: Target, requests: Iterable[bytes], connections: int, seconds: float) -> Sample:
    """Keeps all connections busy until the time is over or the requests are. Raises RequestFailed, OSError."""
    source = iter(requests)
    lines = {line.socket.fileno(): line for line in (_Line(target) for _ in range(connections))}
    poll = select.epoll()
    try:
        for number in lines:
            poll.register(number, select.EPOLLIN)
        sample = Sample()
        end = sample.began + seconds
        busy = sum(_send_next(line, source) for line in lines.values())
        while busy:
            ready = poll.poll(_PATIENCE_S)
            if not ready:
                raise RequestFailed(f"no answer within {_PATIENCE_S:.0f} s")
            for number, _ in ready:
                line = lines[number]
                if line.is_answered():
                    sample.add(line.sent_at)
                    if sample.ended >= end or not _send_next(line, source):
                        busy -= 1
        return sample
    finally:
        poll.close()
        for line in lines.values():
            line.socket.close()


def _send_next(line: _Line, source: Iterator[bytes]) -> bool:
    request = next(source, None)
    if request is not None:
        line.send(request)
    return request is not None
