"""aiohttp's low-level server on a listening socket: connections, keep-alive, draining.

Only what S3 needs differently is changed: bodies are never decompressed, and bytes that are no HTTP
request are answered with S3's XML.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.config import Config
from gateway.s3.address import unaddressed_request
from gateway.s3.errors import InternalError, InvalidRequest, RequestHeaderSectionTooLarge, S3Error
from gateway.s3.render import render_error
from gateway.server.pipeline import Pipeline, new_request_id
from gateway.server.wire import Answered, Exchange

_log = logging.getLogger(__name__)
_READ_BUFFER = 512 * 1024
_ACCEPT_PAUSE_S = 0.1
_CLOSE_S = 0.5  # for a connection to close; 0 would be no limit to aiohttp


class _Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ()

    def close_if_idle(self) -> None:
        """Closes the connection unless a request is being answered; the answer's `Connection: close` will do it then.

        aiohttp's own `close` would go deaf to the rest of a running request's body.
        """
        if not self._request_in_progress and not self._messages:
            self.force_close()

    def handle_error(  # type: ignore[override]
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> Answered:
        """What is no HTTP request, or has too long a head; and what the pipeline let through."""
        error: S3Error
        if status >= 500:
            _log.error("a request failed outside of the pipeline", exc_info=exc)
            error = InternalError()
        elif exc is not None and "too long" in f"{exc} {message}".lower():
            error = RequestHeaderSectionTooLarge()
        else:
            error = InvalidRequest("The request is not HTTP/1.1 as RFC 9112 has it.")
        exchange = Exchange(request, new_request_id())
        exchange.keep_alive = False
        if not request.writer.output_size:
            head = unaddressed_request(request.method, "/", request_id=exchange.request_id)
            exchange.send(render_error(error, head))
        return Answered(keep_alive=False)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Listener:
    """Serves the pipeline on a socket until it is drained."""

    def __init__(self, config: Config, pipeline: Pipeline) -> None:
        self._config, self._pipeline = config, pipeline
        options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": config.keepalive_timeout_s,
            "lingering_time": 2.0,
            "max_line_size": config.max_header_bytes,
            "max_field_size": config.max_header_bytes,
            "read_bufsize": _READ_BUFFER,
        }
        self._server = _Server(pipeline, **options)  # type: ignore[arg-type]
        self._tls = _tls(config)
        self._handshakes: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accepts connections until cancelled, one at a time.

        The socket is shared with the other workers; whoever took all that wait (as a loop's own server
        does) would leave the others idle.
        """
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as exc:
                _log.warning("no connection could be accepted: %s", exc)
                await asyncio.sleep(_ACCEPT_PAUSE_S)  # out of descriptors, most likely
                continue
            handshake = loop.create_task(self._begin(connection))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._server, connection, ssl=self._tls)
        except (OSError, ssl.SSLError) as exc:
            _log.debug("a connection ended before its first request: %s", exc)

    async def drain(self) -> None:
        """Lets running requests finish within the drain timeout, and closes all connections."""
        for handshake in tuple(self._handshakes):
            handshake.cancel()  # or it would become a connection that nobody has told to close
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for connection in self._server.connections:
            if isinstance(connection, _Connection):
                connection.close_if_idle()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._pipeline.drain(), self._config.drain_timeout_s)
        await self._server.shutdown(_CLOSE_S)


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls_cert, config.tls_key)
    return context
