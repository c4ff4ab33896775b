"""Content going out: small answers in one write, files by sendfile, the rest in pieces.

A file goes from the page cache to the socket in the kernel (`os.sendfile`, in a thread, on a duplicate of the
connection's descriptor). The thread gives up its place as soon as the client is slower than the
moment that it is worth waiting; the event loop then waits for the socket. Over TLS, and for
blobs that are in no local file, pieces are read in threads and written with back-pressure.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

from gateway.handlers.content import pieces
from gateway.s3.response import Response
from gateway.server.wire import ClientGone, Exchange
from pfs import FileRange, Inline, Segment, Store

_WORTH_WAITING_MS = 20
_SENDFILE_MOST = 8 * 1024 * 1024
_SMALL_FILE = 64 * 1024


class Sender:
    """Sends what handlers answer. `idle_timeout_s`: how long a client may take nothing."""

    def __init__(self, store: Store, threads: Executor, idle_timeout_s: float) -> None:
        self._store, self._threads, self._idle_timeout_s = store, threads, idle_timeout_s

    async def send(self, exchange: Exchange, response: Response, segments: Sequence[Segment]) -> None:
        """Head, then the segments' bytes. After the head an error cuts the connection."""
        if not segments:
            exchange.send(response)
            return
        if len(segments) == 1 and isinstance(segments[0], Inline):
            exchange.send_content(response, segments[0].data)
            return
        exchange.begin(response)
        try:
            async with asyncio.timeout(None) as deadline:
                for segment in segments:
                    await self._send_segment(exchange, segment, deadline)
        except TimeoutError as exc:
            raise ClientGone from exc

    async def _send_segment(self, exchange: Exchange, segment: Segment, deadline: asyncio.Timeout) -> None:
        is_plain = exchange.transport.get_extra_info("sslcontext") is None
        if isinstance(segment, FileRange) and is_plain and segment.length > _SMALL_FILE:
            await self._send_file(exchange, segment, deadline)
        else:
            await self._send_pieces(exchange, pieces(self._store, (segment,)), deadline)

    async def _send_pieces(self, exchange: Exchange, source: Iterator[bytes], deadline: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._threads, next, source, None)) is not None:
            exchange.transport.write(piece)
            exchange.sent += len(piece)
            deadline.reschedule(loop.time() + self._idle_timeout_s)
            await exchange.drain()
            deadline.reschedule(None)

    async def _send_file(self, exchange: Exchange, segment: FileRange, deadline: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        await self._flush(exchange, deadline)
        sock = os.dup(exchange.transport.get_extra_info("socket").fileno())
        file = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        offset, end = segment.offset, segment.offset + segment.length
        try:
            while offset < end:
                offset, blocked = await loop.run_in_executor(self._threads, _sendfile, sock, file, offset, end)
                if blocked:
                    deadline.reschedule(loop.time() + self._idle_timeout_s)
                    await _writable(loop, sock)
                    deadline.reschedule(None)
        finally:
            exchange.sent += offset - segment.offset
            os.close(file)
            os.close(sock)

    async def _flush(self, exchange: Exchange, deadline: asyncio.Timeout) -> None:
        """Waits until all that was written is in the kernel: what sendfile sends comes behind it."""
        loop, transport = asyncio.get_running_loop(), exchange.transport
        low, high = transport.get_write_buffer_limits()
        transport.set_write_buffer_limits(0)
        try:
            deadline.reschedule(loop.time() + self._idle_timeout_s)
            while exchange.transport.get_write_buffer_size():
                await exchange.drain()
                await asyncio.sleep(0)
            deadline.reschedule(None)
        finally:
            transport.set_write_buffer_limits(high, low)


def _sendfile(sock: int, file: int, offset: int, end: int) -> tuple[int, bool]:
    """Sends until the end, or until the client is slow; the new offset, and whether it is."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while offset < end:
        try:
            sent = os.sendfile(sock, file, offset, min(_SENDFILE_MOST, end - offset))
        except BlockingIOError:
            if not poll.poll(_WORTH_WAITING_MS):
                return offset, True
            continue
        if sent == 0:
            raise EOFError("a blob's file is shorter than its record says")
        offset += sent
    return offset, False


async def _writable(loop: asyncio.AbstractEventLoop, sock: int) -> None:
    ready = asyncio.Event()
    loop.add_writer(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock)
