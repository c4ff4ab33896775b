"""Request bodies: streamed into the store at constant memory, verified on the way.

Bytes are taken from the connection in batches of about a mebibyte. While a thread decodes, verifies, hashes and
stores one batch the next is received; there are never more than two. Small bodies, which arrive in one piece, are
dealt with where they are: a thread would cost more than the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Generic, ParamSpec, TypeVar

from aiohttp import ClientPayloadError, web
from aiohttp.web_protocol import RequestPayloadError

from gateway.handlers.context import Received, Sink
from gateway.s3.checksums import Verifier
from gateway.s3.chunked import ChunkedDecoder
from gateway.s3.errors import (
    IncompleteBody,
    MalformedPOSTRequest,
    MaxMessageLengthExceeded,
    MissingContentLength,
    RequestTimeout,
    SignatureDoesNotMatch,
)
from gateway.s3.multipart_form import FileContent, FormHead
from gateway.s3.operations import Payload
from gateway.s3.sigv4 import ChunkSigner
from gateway.server.wire import Exchange
from pfs import Store

P = ParamSpec("P")
T = TypeVar("T")

BATCH = 1024 * 1024
_SMALL = 128 * 1024


class RequestBody:
    """A request's body, not read yet. `received` counts its bytes as they came."""

    def __init__(
        self,
        exchange: Exchange,
        store: Store,
        threads: Executor,
        idle_timeout_s: float,
    ) -> None:
        self.received = 0
        self.signer: ChunkSigner | None = None
        self._exchange = exchange
        self._content = exchange.http.content
        self._store, self._threads = store, threads
        self._idle_timeout_s = idle_timeout_s
        self._asked = False
        self._ahead: list[bytes] = []  # received, and not made use of yet
        self._file: FileContent | None = None

    async def receive(self, payload: Payload) -> Received:
        """See `gateway.handlers.context.Body`."""
        content, checksums = await self._receive(payload, self._store.stage(), _SMALL)
        return Received(content, checksums)

    async def receive_into(self, payload: Payload, sink: Sink[T]) -> tuple[T, dict[str, str]]:
        """See `gateway.handlers.context.Body`."""
        return await self._receive(payload, sink, 0)

    async def _receive(self, payload: Payload, sink: Sink[T], small: int) -> tuple[T, dict[str, str]]:
        """A body of up to `small` bytes is dealt with by the event loop itself."""
        self._check_announced()
        if payload.chunked and payload.length is None:
            raise MissingContentLength("You must provide the x-amz-decoded-content-length HTTP header.")
        intake = _Intake(_Decoder(payload, self.signer, self._file), sink)
        try:
            return await self._take_in(intake, small)
        except BaseException:
            await self._in_thread(intake.discard)
            raise

    async def whole(self, payload: Payload, limit: int) -> bytes:
        """A body that is parsed as one, XML for instance, verified. Raises MaxMessageLengthExceeded."""
        whole = _Whole(_Decoder(payload, self.signer))
        async for batch, _ in self._batches():
            whole.take(batch)
            if whole.size > limit:
                raise MaxMessageLengthExceeded(fields={"MaxMessageLengthBytes": str(limit)})
        return whole.finish()

    async def form(self, boundary: bytes) -> FormHead:
        """Reads a form up to its file; `receive` goes on with that. Raises S3Error."""
        self._check_announced()
        head = FormHead(boundary)
        async with aclosing(self._batches()) as batches:
            async for batch, _ in batches:
                for number, data in enumerate(batch):
                    if head.feed(data):
                        self._ahead = [head.rest, *batch[number + 1 :]]
                        self._file = FileContent(boundary)
                        return head
        raise MalformedPOSTRequest

    def _check_announced(self) -> None:
        headers = self._exchange.http.headers
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            raise MissingContentLength

    async def skip(self, most: int) -> bool:
        """Reads away what is left, if that is at most `most` bytes and on its way; whether all of it is gone."""
        if self._content.is_eof():
            return True
        announced = self._exchange.http.content_length
        is_held_back = self._exchange.expects_continue and not self._asked
        if is_held_back or announced is None or announced - self.received > most:
            return False
        async for _ in self._batches():
            pass
        return True

    async def _take_in(self, intake: _Intake[T], small: int) -> tuple[T, dict[str, str]]:
        running: asyncio.Future[None] | None = None
        try:
            async for batch, is_last in self._batches():
                if running is not None:
                    await running
                    running = None
                if is_last and intake.size + _length(batch) <= small:
                    intake.take(batch)
                    return intake.finish()
                running = self._in_thread(intake.take, batch)
        finally:
            if running is not None:
                await asyncio.wait([running])
        if running is not None:
            running.result()
        return await self._in_thread(intake.finish)

    async def _batches(self) -> AsyncGenerator[tuple[Sequence[bytes], bool], None]:
        """The body in batches, each with whether it is the last. Raises IncompleteBody, RequestTimeout."""
        if not self._asked:
            self._asked = True
            self._exchange.send_continue()
        held, self._ahead = self._ahead, []
        size = _length(held)
        try:
            async with asyncio.timeout(self._idle_timeout_s) as deadline:
                while data := await self._content.readany():
                    held.append(data)
                    size += len(data)
                    self.received += len(data)
                    if size >= BATCH:
                        deadline.reschedule(None)
                        yield held, False
                        held, size = [], 0
                    deadline.reschedule(asyncio.get_running_loop().time() + self._idle_timeout_s)
        except TimeoutError as exc:
            raise RequestTimeout from exc
        except (RequestPayloadError, ClientPayloadError, web.PayloadAccessError) as exc:
            raise IncompleteBody from exc
        yield held, True

    def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))


class _Decoder:
    """From bytes as sent to verified content, in pieces."""

    def __init__(self, payload: Payload, signer: ChunkSigner | None, file: FileContent | None = None) -> None:
        self._verifier = Verifier(payload)
        self._file = file
        if payload.signed and signer is None:
            raise SignatureDoesNotMatch("Signed chunks need a SigV4 signature in the Authorization header.")
        self._chunked = ChunkedDecoder(signer if payload.signed else None, payload.trailer) if payload.chunked else None

    def decode(self, batch: Sequence[bytes]) -> Iterator[bytes | memoryview]:
        for data in batch:
            for piece in self._unpack(data):
                self._verifier.update(piece)
                yield piece

    def _unpack(self, data: bytes) -> Iterable[bytes | memoryview]:
        if self._chunked is not None:
            return self._chunked.feed(data)
        return (data,) if self._file is None else self._file.feed(data)

    def finish(self) -> dict[str, str]:
        """The verified checksums. Raises S3Error unless all that was announced holds."""
        if self._file is not None:
            self._file.finish()
        if self._chunked is None:
            return self._verifier.finish({})
        self._chunked.finish()
        return self._verifier.finish(self._chunked.trailers)


class _Intake(Generic[T]):
    """A body on its way into the store. Used by one thread at a time."""

    def __init__(self, decoder: _Decoder, sink: Sink[T]) -> None:
        self._decoder = decoder
        self._sink = sink
        self.size = 0

    def take(self, batch: Sequence[bytes]) -> None:
        self.size += _length(batch)
        for piece in self._decoder.decode(batch):
            self._sink.write(piece)

    def finish(self) -> tuple[T, dict[str, str]]:
        checksums = self._decoder.finish()
        return self._sink.finish(), checksums

    def discard(self) -> None:
        self._sink.discard()


class _Whole:
    """A small body, kept in memory."""

    def __init__(self, decoder: _Decoder) -> None:
        self._decoder = decoder
        self._pieces = bytearray()

    @property
    def size(self) -> int:
        return len(self._pieces)

    def take(self, batch: Sequence[bytes]) -> None:
        for piece in self._decoder.decode(batch):
            self._pieces += piece

    def finish(self) -> bytes:
        self._decoder.finish()
        return bytes(self._pieces)


def _length(batch: Sequence[bytes]) -> int:
    return sum(map(len, batch))
