"""Streams to clients that take nothing, or not enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.api.endpoints import ENDPOINTS
from gateway.api.errors import ApiError
from gateway.s3.request import Request
from gateway.server.rest import _send_events, decode
from gateway.server.wire import ClientGone


class StalledExchange:
    """An exchange whose client takes nothing after the first few writes."""

    def __init__(self, takes: int) -> None:
        self.takes, self.sent, self.written = takes, 0, 0
        self.transport = self

    def write(self, _: bytes) -> None:
        self.written += 1

    async def drain(self) -> None:
        if self.written > self.takes:
            await asyncio.Event().wait()


def test_a_client_that_takes_nothing_is_given_up_and_no_more_is_read_for_it() -> None:
    asked, closed = 0, False

    async def events() -> AsyncGenerator[bytes, None]:
        nonlocal asked, closed
        try:
            while True:
                asked += 1
                yield b"x" * 1000
        finally:
            closed = True

    exchange: Any = StalledExchange(takes=3)
    with pytest.raises(ClientGone):
        asyncio.run(_send_events(exchange, events(), 0.05))
    assert asked == exchange.written == 4
    assert closed


@pytest.mark.parametrize(("sent", "read"), [({}, None), ({"last-event-id": ""}, None), ({"last-event-id": "ab"}, "ab")])
def test_a_field_is_read_from_the_header_that_the_endpoint_names(sent: dict[str, str], read: str | None) -> None:
    request: Any = decode(
        ENDPOINTS["follow_feed"], {"repo": "r", "branch": "b"}, Request("GET", "/", "", headers=sent), b""
    )
    assert (request.repo, request.last_event_id) == ("r", read)


def test_a_header_that_is_no_text_is_refused() -> None:
    request = Request("GET", "/", "", headers={"last-event-id": "\udcff"})
    with pytest.raises(ApiError) as refused:
        decode(ENDPOINTS["follow_feed"], {"repo": "r", "branch": "b"}, request, b"")
    assert refused.value.code == "InvalidArgument"
