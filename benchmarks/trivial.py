"""The ceiling of the HTTP side: aiohttp's low-level server on uvloop, one process, 4 KiB to every request."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

_BODY = bytes(4096)


async def answer(_: web.BaseRequest) -> web.Response:
    return web.Response(body=_BODY)


async def serve(port: int) -> None:
    server = web.Server(answer, access_log=None)
    await asyncio.get_running_loop().create_server(server, "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
