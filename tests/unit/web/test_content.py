"""Contents on their way through the console, from a gateway that does not keep its word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.client import Credentials, Refusal, Unreachable
from gateway.config import Config
from gateway.web.content import Objects, pass_on, wanted_range

KEYS = Credentials("access", "secret")


def answering(answer: bytes, ask: Callable[[Objects], Awaitable[None]]) -> None:
    """Runs `ask` against a gateway that sends these bytes and closes the connection."""

    async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer_one, "127.0.0.1", 0) as gateway:
            objects = Objects(Config(s3_port=gateway.sockets[0].getsockname()[1]))
            try:
                await ask(objects)
            finally:
                await objects.close()

    asyncio.run(run())


def test_a_content_that_ends_early_is_a_short_read() -> None:
    async def ask(objects: Objects) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            async with objects.send(KEYS, "GET", "b", "k", headers=wanted_range(request)) as reply:
                return await pass_on(request, reply, {"Content-Type": "application/octet-stream"})

        app = web.Application()
        app.router.add_get("/", handle)
        async with (
            TestServer(app) as console,
            aiohttp.ClientSession() as browser,
            browser.get(console.make_url("/")) as reply,
        ):
            assert (reply.status, reply.content_length) == (200, 100)
            with pytest.raises(aiohttp.ClientPayloadError):
                await reply.read()

    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", ask)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent", b"220 mail ready\r\n"])
def test_what_is_no_answer_is_no_gateway(answer: bytes) -> None:
    async def ask(objects: Objects) -> None:
        with pytest.raises(Unreachable):
            async with objects.send(KEYS, "GET", "b", "k"):
                pytest.fail("an answer")

    answering(answer, ask)


def test_a_refusal_has_its_code() -> None:
    body = b"<Error><Code>NoSuchKey</Code><Message>Gone.</Message></Error>"

    async def ask(objects: Objects) -> None:
        with pytest.raises(Refusal, match="NoSuchKey") as refused:
            async with objects.send(KEYS, "GET", "b", "k"):
                pytest.fail("an answer")
        assert refused.value.status == 404

    answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body), ask)
