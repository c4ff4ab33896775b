"""Answers as bytes on a connection: one write for head and body together.

aiohttp parses requests and keeps connections; the answers are written by `Exchange` itself, since a
web.Response costs several times as much as all that a small answer needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web

from gateway.s3.dates import format_http_date
from gateway.s3.errors import InvalidArgument
from gateway.s3.response import HOST_ID, Response

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS = frozenset((204, 304))
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientGone(ConnectionError):
    """The connection ended before the answer was sent."""


class Answered:
    """What a handler returns to aiohttp when everything has been written; `keep_alive` decides what
    becomes of the connection."""

    __slots__ = ("keep_alive",)

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to send."""

    async def write_eof(self) -> None:
        """Nothing is left to send."""


class Exchange:
    """One request's connection, for whoever answers it. `sent` counts bytes of the answer's body."""

    __slots__ = ("_head_sent", "http", "keep_alive", "more_headers", "request_id", "sent", "status")

    def __init__(self, http: web.BaseRequest, request_id: str) -> None:
        self.http = http
        self.request_id = request_id
        self.keep_alive = http.keep_alive
        self.status = 0
        self.sent = 0
        self.more_headers: Sequence[tuple[str, str]] = ()  # of whatever the answer will be
        self._head_sent = False

    @property
    def has_begun(self) -> bool:
        """Whether a status line is out: from then on only cutting the connection can tell of an error."""
        return self._head_sent

    @property
    def transport(self) -> asyncio.Transport:
        """Raises ClientGone where the connection is closed."""
        transport = self.http.transport
        if transport is None or transport.is_closing():
            raise ClientGone
        return transport

    @property
    def expects_continue(self) -> bool:
        return self.http.headers.get("Expect", "").lower() == "100-continue"

    def send_continue(self) -> None:
        """Asks for the body, where the client waits to be asked."""
        if self.expects_continue:
            self.transport.write(_CONTINUE)

    def send(self, response: Response) -> None:
        """A whole small answer, head and body in one write. HEAD requests get no body."""
        body = b"" if self.http.method == "HEAD" else response.body
        head = self._head(response, len(response.body))
        self.transport.write(head + body)
        self.sent += len(body)

    def send_content(self, response: Response, content: bytes) -> None:
        """Like `send`, for content whose length is among the headers already."""
        self.transport.write(self._head(response, None) + content)
        self.sent += len(content)

    def begin(self, response: Response) -> None:
        """The head alone, of an answer whose body follows; `response` names its Content-Length."""
        self.transport.write(self._head(response, None))

    async def drain(self) -> None:
        """Waits until the client has taken enough of what was written. Raises a ConnectionError."""
        await self.http.writer.drain()

    def abort(self) -> None:
        """Cuts the connection: after the first byte of a body the only honest way to fail."""
        self.keep_alive = False
        if self.http.transport is not None:
            self.http.transport.abort()

    def _head(self, response: Response, length: int | None) -> bytes:
        self.status = response.status
        lines = [_STATUS_LINES[response.status]]
        headers = [*response.headers, *self.more_headers] if self.more_headers else response.headers
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        if length is not None and response.status not in _BODILESS and not _names_length(headers):
            lines.append(f"Content-Length: {length}\r\n")
        if not self.keep_alive:
            lines.append("Connection: close\r\n")
        elif self.http.version.minor == 0:
            lines.append("Connection: keep-alive\r\n")
        head = "".join(lines)
        # response-* parameters are the client's own text: a line break in one would forge headers
        if head.count("\n") != len(lines) or head.count("\r") != len(lines) or "\0" in head:
            raise InvalidArgument("A header value can not hold a line break.")
        head += f"Date: {format_http_date(datetime.now(UTC))}\r\nServer: caret\r\n"
        head += f"x-amz-request-id: {self.request_id}\r\nx-amz-id-2: {HOST_ID}\r\n\r\n"
        self._head_sent = True
        return head.encode("utf-8", "surrogateescape")


def _names_length(headers: Iterable[tuple[str, str]]) -> bool:
    return any(name.lower() == "content-length" for name, _ in headers)
