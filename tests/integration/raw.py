"""S3 requests by hand: any path, any header, any body, over a socket of one's own.

What a proper client would never send can be sent here, properly signed or not. Signatures
are botocore's; the path and the query travel exactly as the test wrote them.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

import xmltodict
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .server import Server

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> dict[str, Any]:
        """The body's root element's content."""
        assert self.headers.get("content-type", "").startswith(("application/xml", "text/xml")), self
        ((_, content),) = xmltodict.parse(self.body).items()
        return content or {}

    @property
    def code(self) -> str:
        """The S3 error code; AssertionError where the body is no S3 error."""
        assert b"<Error>" in self.body, self
        error = self.xml
        assert error["Message"], self
        assert error["RequestId"] == self.headers["x-amz-request-id"], self
        return str(error["Code"])


@dataclass(frozen=True)
class Signature:
    """What a signed head hands on to the signatures of its chunks."""

    value: str
    timestamp: str
    scope: str
    secret_key: str


class Connection:
    """One TCP (or TLS) connection to a server."""

    def __init__(self, server: Server) -> None:
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        if server.certificate:
            context = ssl.create_default_context(cafile=str(server.certificate.path))
            self._socket = context.wrap_socket(self._socket, server_hostname="localhost")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_while_heard(self, data: bytes) -> None:
        """Sends `data`; a server that has stopped listening (it may, once it refused) is no error."""
        with contextlib.suppress(ConnectionError):
            self.send(data)

    def end_sending(self) -> None:
        """Half-closes: the server reads end of file, its answer can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Resets the connection, as a client does that dies."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def receive(self, size: int = 65536) -> bytes:
        return self._socket.recv(size)

    def is_silent(self, wait_s: float) -> bool:
        """Whether the server says nothing for `wait_s`."""
        self._socket.settimeout(wait_s)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
            return False
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(20)

    def is_closed(self) -> bool:
        """Whether the server has nothing more to say and has closed its side."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionError:
            return True

    def reply(self, method: str = "GET") -> Reply:
        """The final answer; an interim one (100 Continue) is passed over."""
        with http.client.HTTPResponse(self._socket, method=method) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())

    def reply_if_any(self, method: str = "GET") -> Reply | None:
        """None where the server closed the connection without a word."""
        try:
            return self.reply(method)
        except (http.client.RemoteDisconnected, ConnectionError):
            return None


class Raw:
    """Requests to one server. `target` is the path and query as they go onto the wire."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def connect(self) -> Connection:
        return Connection(self.server)

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        unsigned: Mapping[str, str] | None = None,
        sign: bool = True,
        **signing: Any,
    ) -> Reply:
        """One request on a connection of its own; `unsigned` headers are left out of the signature."""
        plain = {"Content-Length": str(len(body)), "Connection": "close", **(unsigned or {})}
        with self.connect() as connection:
            if sign:
                signing.setdefault("payload", hashlib.sha256(body).hexdigest())
                head, _ = self.signed(method, target, headers, unsigned=plain, **signing)
            else:
                head = self.head(method, target, {**(headers or {}), **plain})
            connection.send_while_heard(head + body)
            return connection.reply(method)

    def head(self, method: str, target: str, headers: Mapping[str, str]) -> bytes:
        """A request's head as bytes; a Host header unless there is one."""
        named = {"Host": f"127.0.0.1:{self.server.port}", **headers}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def signed(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        payload: str = UNSIGNED,
        unsigned: Mapping[str, str] | None = None,
        host: str | None = None,
        when: datetime | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        region: str | None = None,
    ) -> tuple[bytes, Signature]:
        """A head with a SigV4 Authorization header over `headers`, and the signature that it carries."""
        secret = secret_key or self.server.secret_key
        path, _, query = target.partition("?")
        request = AWSRequest(method, f"http://{host or f'127.0.0.1:{self.server.port}'}{path}?{_canonical(query)}")
        request.context["timestamp"] = timestamp = (when or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        for name, value in {**(headers or {}), "X-Amz-Date": timestamp, "X-Amz-Content-SHA256": payload}.items():
            request.headers[name] = value
        auth = S3SigV4Auth(
            Credentials(access_key or self.server.access_key, secret), "s3", region or self.server.region
        )
        value = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
            f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}, Signature={value}"
        )
        sent = {**dict(request.headers.items()), "Authorization": authorization, **(unsigned or {})}
        if host:
            sent = {"Host": host, **sent}
        return self.head(method, target, sent), Signature(value, timestamp, auth.credential_scope(request), secret)

    def presigned(self, target: str, expires_s: int) -> str:
        """A SigV4 URL for GET; unlike boto3, for any time, senseless ones too."""
        request = AWSRequest("GET", f"{self.server.url}{target}")
        credentials = Credentials(self.server.access_key, self.server.secret_key)
        S3SigV4QueryAuth(credentials, "s3", self.server.region, expires=expires_s).add_auth(request)
        return str(request.url)


def _canonical(query: str) -> str:
    """The query as SigV4 signs it, however it was written (raw `^`, bare `?uploads`); botocore sorts it."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{_encode(unquote(name))}={_encode(unquote(value))}" for name, _, value in pairs)


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
