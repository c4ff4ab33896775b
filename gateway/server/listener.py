"""aiohttp's low-level server on a listening socket: connections, keep-alive, draining.

Only what S3 needs differently is changed: bodies are never decompressed, and bytes that are no HTTP
request are answered with S3's XML.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
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
_BACKLOG = 1024


class _Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ()

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
        self._config = config
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
        self._listening: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        self._listening = await asyncio.get_running_loop().create_server(
            self._server, sock=listener, ssl=_tls(self._config), backlog=_BACKLOG
        )

    async def drain(self) -> None:
        """Takes no more connections, lets running requests finish within the drain timeout, closes the rest."""
        if self._listening is not None:
            self._listening.close()
        self._server.pre_shutdown()
        await self._server.shutdown(self._config.drain_timeout_s)


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls_cert, config.tls_key)
    return context
