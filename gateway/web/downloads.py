"""Contents for the browser: to be saved, or, of images alone, to be drawn.

Nothing that somebody stored is ever a page of the console: what is saved is an attachment, what is drawn has the type
that its first bytes show, and both are sandboxed should they be opened after all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import quote

import aiohttp
from aiohttp import hdrs, web

from gateway.client import Refusal
from gateway.web.content import OBJECTS, pass_on, wanted_range
from gateway.web.places import Asked, Place
from gateway.web.preview import image_type
from gateway.web.site import VISITOR, ask

routes = web.RouteTableDef()

LARGEST_IMAGE = 32 * 1024 * 1024
_SANDBOX = "default-src 'none'; sandbox"
_IMAGE_HEAD = 32
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+-]")


@routes.get("/repos/{repo}/download")
async def download(request: web.Request) -> web.StreamResponse:
    async with _opened(request, request.method, wanted_range(request)) as reply:
        name = request.query.get("key", "").rstrip("/").rpartition("/")[2]
        headers: Mapping[str, str] = {
            hdrs.CONTENT_TYPE: "application/octet-stream",
            hdrs.CONTENT_DISPOSITION: attachment(name),
            hdrs.CONTENT_SECURITY_POLICY: _SANDBOX,
        }
        return await pass_on(request, reply, headers)


@routes.get("/repos/{repo}/image")
async def image(request: web.Request) -> web.StreamResponse:
    async with _opened(request, "GET", {hdrs.RANGE: f"bytes=0-{_IMAGE_HEAD - 1}"}) as reply:
        content_type = image_type(await reply.read())
    if content_type is None:
        raise web.HTTPUnsupportedMediaType(text="This is no image that is shown here.")
    async with _opened(request, request.method, {}) as reply:
        if int(reply.headers[hdrs.CONTENT_LENGTH]) > LARGEST_IMAGE:
            raise web.HTTPUnsupportedMediaType(text="This image is too large to be shown here.")
        drawn: Mapping[str, str] = {hdrs.CONTENT_TYPE: content_type, hdrs.CONTENT_SECURITY_POLICY: _SANDBOX}
        return await pass_on(request, reply, drawn)


@asynccontextmanager
async def _opened(
    request: web.Request, method: str, headers: Mapping[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The object that the address names. Raises Refusal, Unreachable."""
    place = await ask(request, partial(Place.find, asked=Asked.by(request)))
    send = partial(
        request.app[OBJECTS].send,
        request[VISITOR].credentials,
        method,
        place.branch.bucket,
        request.query.get("key", ""),
        rev=place.commit.id,
    )
    async with AsyncExitStack() as stack:
        try:
            reply = await stack.enter_async_context(send(headers=headers))
        except Refusal as refusal:
            if refusal.status != 412:
                raise
            reply = await stack.enter_async_context(send())
        yield reply


def attachment(name: str) -> str:
    """Content-Disposition of a file to be saved (RFC 6266): the name in UTF-8, and in ASCII for those who know only
    that."""
    plain = _NOT_PLAIN.sub("_", name)[:120].strip(" .") or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name or plain, safe='')}"
