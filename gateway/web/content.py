"""Objects' contents between the gateway and the browser: passed on while they come, in both directions.

Nothing is kept, on no disk either: whichever side is slower makes the other one wait. What an upload came to is held
against what was sent, by the digest in its ETag.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
from aiohttp import hdrs, web
from blake3 import blake3
from yarl import URL

from gateway.client import Credentials, Refusal, Unreachable
from gateway.client.connection import refusal_of
from gateway.client.content import object_path
from gateway.client.endpoint import only, parse_endpoint
from gateway.config import Config
from gateway.s3.sigv4 import sign_v4

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_SILENCE_S = 75.0  # the gateway's own limit for a body that stands still comes first
_PASSED_ON = (hdrs.CONTENT_LENGTH, hdrs.CONTENT_RANGE, hdrs.ETAG, hdrs.LAST_MODIFIED, hdrs.ACCEPT_RANGES)
_LARGEST_ERROR = 64 * 1024
_ETAG = re.compile(r'"[!#-~]*"')


class Objects:
    """The gateway's S3, asynchronous, for whoever's credentials are given. One per process, made on its loop."""

    def __init__(self, config: Config) -> None:
        self._origin, self._host = parse_endpoint(config.endpoint)
        self._region = config.region
        ssl = only(config.tls_cert) if config.tls_cert is not None else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_SILENCE_S),
            auto_decompress=False,  # what is stored is what is passed on
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
        )

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def send(
        self,
        credentials: Credentials,
        method: str,
        bucket: str,
        key: str,
        *,
        rev: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: AsyncIterator[bytes] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request about an object; its answer's body is still to be read. Raises Refusal, Unreachable."""
        path = object_path(bucket, key)
        query = "" if rev is None else f"versionId={quote(rev, safe='-_.~')}"
        named = {name.lower(): value for name, value in (headers or {}).items()}
        length = named.pop("content-length", None)
        signed, _ = sign_v4(
            credentials,
            method,
            path,
            query,
            {"host": self._host, **named},
            now=datetime.now(UTC),
            region=self._region,
        )
        if length is not None:
            signed["content-length"] = length
        url = URL(f"{self._origin}{path}{f'?{query}' if query else ''}", encoded=True)
        try:
            async with self._session.request(method, url, headers=signed, data=body, allow_redirects=False) as reply:
                if reply.status >= 300:
                    raise await _refusal(reply)
                yield reply
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise Unreachable(f"no gateway answers at {self._origin}: {exc}") from exc


OBJECTS = web.AppKey("objects", Objects)


async def _refusal(reply: aiohttp.ClientResponse) -> Refusal:
    try:
        body = await reply.content.read(_LARGEST_ERROR)
    except aiohttp.ClientError:
        body = b""  # the status alone says enough
    return refusal_of(reply.status, reply.reason, reply.headers, body)


# ---------------------------------------------------------------- to the browser


async def pass_on(
    request: web.Request, reply: aiohttp.ClientResponse, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answers with the content: whole, or the range that it is. A browser that leaves ends it, and where the gateway
    does so early the connection is cut: a short read is honest."""
    response = web.StreamResponse(status=reply.status, headers=headers)
    for name in _PASSED_ON:
        if name in reply.headers:
            response.headers[name] = reply.headers[name]
    try:
        await response.prepare(request)
        async for chunk in reply.content.iter_chunked(_CHUNK):
            await response.write(chunk)
    except ConnectionResetError:
        _log.debug("the browser left %s", request.path)
    except (aiohttp.ClientError, TimeoutError) as exc:
        _log.warning("%s ended early: %s", request.path, exc)
        if request.transport is not None:
            request.transport.abort()
    return response


def wanted_range(request: web.Request) -> Mapping[str, str]:
    """What asks the gateway for the part that the browser asks for: a range, which under If-Range is refused with 412
    where the content has changed; all of it is wanted then (RFC 9110, section 13.1.5)."""
    part, condition = request.headers.get(hdrs.RANGE), request.headers.get(hdrs.IF_RANGE)
    if part is None or not part.isascii() or not (condition is None or _ETAG.fullmatch(condition)):
        return {}  # a condition by date, too: all of it is always right
    return {hdrs.RANGE: part} if condition is None else {hdrs.RANGE: part, hdrs.IF_MATCH: condition}


# ---------------------------------------------------------------- from the browser


class Received:
    """A request's body while it comes in, and the ETag that its content has. `is_broken`: it ended early."""

    def __init__(self, request: web.Request) -> None:
        self.is_broken = False
        self._content = request.content
        self._digest = blake3()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._content.iter_any():
                self._digest.update(chunk)
                yield chunk
        except (OSError, web.RequestPayloadError):
            self.is_broken = True
            raise

    @property
    def etag(self) -> str:
        return f'"{self._digest.hexdigest()}-1"'
