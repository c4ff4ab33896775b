"""What the gateway says of itself, beside the buckets: `-` can begin no bucket's name.

/-/healthz    200 while the process serves
/-/readyz     200 while the store answers, else 503; 503 also while draining
/-/metrics    Prometheus' text format, all workers together
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from gateway import metrics
from gateway.s3.response import Response
from gateway.server.wire import Exchange
from pfs import Store, StoreError

T = TypeVar("T")

PREFIX = "/-/"


class ServiceEndpoints:
    def __init__(self, store: Store, threads: Executor) -> None:
        self._store, self._threads = store, threads
        self.is_draining = False

    async def answer(self, exchange: Exchange) -> None:
        path = exchange.http.raw_path.partition("?")[0]
        if exchange.http.method not in ("GET", "HEAD"):
            exchange.keep_alive = False
            exchange.send(_text(405, "method not allowed\n"))
        elif path == "/-/healthz":
            exchange.send(_text(200, "ok\n"))
        elif path == "/-/readyz":
            exchange.send(await self._readiness())
        elif path == "/-/metrics":
            body = await self._in_thread(metrics.exposition)
            exchange.send(Response(200, [("Content-Type", metrics.CONTENT_TYPE)], body))
        else:
            exchange.send(_text(404, "not found\n"))

    async def _readiness(self) -> Response:
        if self.is_draining:
            return _text(503, "draining\n")
        try:
            await self._in_thread(self._store.ping)
        except StoreError as exc:
            return _text(503, f"the store does not answer: {exc}\n")
        return _text(200, "ok\n")

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _text(status: int, text: str) -> Response:
    return Response(status, [("Content-Type", "text/plain; charset=utf-8")], text.encode())
