"""S3 requests as bytes, signed before a clock runs; and a plain connection for those made one at a time."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from report import MIB

from gateway.s3.sigv4 import UNSIGNED_PAYLOAD, Credentials, sign_v4

EMPTY = hashlib.sha256().hexdigest()
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ETAG = re.compile(rb"\r\netag: *(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A server to be measured: where it listens and whom it knows. Without a key nothing is signed."""

    name: str
    port: int
    access_key: str = ""
    secret_key: str = ""
    region: str = "us-east-1"
    host: str = "127.0.0.1"

    def head(
        self, method: str, path: str, query: str = "", *, payload: str = EMPTY, length: int | None = None
    ) -> bytes:
        """A request's head, signed now: good for 15 minutes. `payload`: the body's SHA-256 in hex."""
        headers = {"host": f"{self.host}:{self.port}"}
        if self.access_key:
            credentials = Credentials(self.access_key, self.secret_key)
            now = datetime.now(UTC)
            headers, _ = sign_v4(
                credentials, method, path, query, headers, now=now, region=self.region, payload_hash=payload
            )
        if length is not None:
            headers["content-length"] = str(length)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path}{'?' + query if query else ''} HTTP/1.1\r\n{lines}\r\n".encode()

    def put(self, path: str, body: bytes, query: str = "") -> bytes:
        """A whole PUT request."""
        return self.head("PUT", path, query, payload=hashlib.sha256(body).hexdigest(), length=len(body)) + body


@dataclass(frozen=True)
class Reply:
    status: int
    head: bytes
    size: int
    body: bytes

    @property
    def etag(self) -> str:
        found = _ETAG.search(self.head)
        assert found is not None
        return found[1].decode()


class RequestFailed(Exception):
    """A server refused what it should have done: no figure can be made of it."""


class Connection:
    """One keep-alive connection; a request at a time, waited for."""

    def __init__(self, target: Target, timeout_s: float = 300) -> None:
        self._target = target
        self._socket = socket.create_connection((target.host, target.port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(MIB))

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, method: str, path: str, query: str = "", body: bytes = b"", *, keep: bool = True) -> Reply:
        """Sends, and returns a 2xx answer; its body only where it is to be kept. Raises RequestFailed."""
        length = len(body) if method in ("PUT", "POST") else None
        payload = hashlib.sha256(body).hexdigest()
        self._socket.sendall(self._target.head(method, path, query, payload=payload, length=length) + body)
        return self._reply(method, path, keep)

    def upload(
        self, path: str, pieces: Iterable[bytes], size: int, query: str = "", *, payload: str = UNSIGNED_PAYLOAD
    ) -> Reply:
        """A PUT whose body is made as it is sent."""
        self._socket.sendall(self._target.head("PUT", path, query, payload=payload, length=size))
        for piece in pieces:
            self._socket.sendall(piece)
        return self._reply("PUT", path, keep=True)

    def download(self, path: str) -> int:
        """GETs an object and drops its bytes; how many there were."""
        return self.call("GET", path, keep=False).size

    def _reply(self, method: str, path: str, keep: bool) -> Reply:
        """Any answer here has a length or no body: chunked ones are not expected of what is asked."""
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        head, rest = data[: end + 2], data[end + 4 :]
        status = int(head[9:12])
        announced = _LENGTH.search(head)
        length = int(announced[1]) if announced and method != "HEAD" else 0
        keep = keep or status >= 300
        kept, got = [rest] if keep else [], len(rest)
        while got < length:
            count = self._socket.recv_into(self._buffer)
            if not count:
                raise RequestFailed(
                    f"{self._target.name}: the connection ended after {got} of {length} bytes of {path}"
                )
            got += count
            if keep:
                kept.append(bytes(self._buffer[:count]))
        reply = Reply(status, head, got, b"".join(kept))
        if status >= 300:
            raise RequestFailed(f"{self._target.name}: {method} {path}: {status} {reply.body[:300]!r}")
        return reply

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RequestFailed(f"{self._target.name}: the connection ended instead of an answer")
        return data


class Content:
    """Bodies of one size that all differ, cheap to make: shared random bytes and a tail of their own."""

    _TAIL = 16

    def __init__(self, size: int) -> None:
        self._base = hashlib.shake_128(b"benchmark").digest(max(0, size - self._TAIL))
        self._tail = min(size, self._TAIL)

    def body(self, key: str) -> bytes:
        return self._base + hashlib.blake2b(key.encode(), digest_size=self._TAIL).digest()[: self._tail]


def large_pieces(seed: str, size: int, piece: int = MIB) -> Sequence[bytes]:
    """`size` bytes, a multiple of `piece`; only the first piece depends on the seed, the rest is one and the same
    buffer, so that a client holds no more than two pieces."""
    same = hashlib.shake_128(b"benchmark").digest(piece)
    return [hashlib.shake_128(seed.encode()).digest(piece), *[same] * (size // piece - 1)]
