"""The REST API's way of a request: route → authenticate → decode → handle → JSON, and whatever can fail on it.

It is signed as S3 is (SigV4, service `s3`) and served on the same port, below a path that can be no bucket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from gateway import metrics
from gateway.access.chain import Record
from gateway.access.principals import Principal
from gateway.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from gateway.api.errors import ApiError
from gateway.api.model import Input
from gateway.api.openapi import PATH as DOCUMENT_PATH
from gateway.api.openapi import openapi
from gateway.handlers.api.faults import translate
from gateway.handlers.api.locate import refuse_unrelated
from gateway.handlers.context import Call
from gateway.s3.address import build_request, percent_decode
from gateway.s3.errors import S3Error, ServiceUnavailable
from gateway.s3.parse_payload import parse_payload
from gateway.s3.request import Request
from gateway.s3.response import Response
from gateway.server.auditing import Auditor, asked_by
from gateway.server.authenticate import Authenticator
from gateway.server.bodies import RequestBody
from gateway.server.wire import ClientGone, Exchange
from pfs import Corruption, NoSuchCommit, Store, StoreError

ApiHandler = Callable[[Call, Any], Awaitable[Any]]

_log = logging.getLogger(__name__)
_MAX_BODY = 1024 * 1024
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Served:
    """What the log and the metrics are told of a call."""

    operation: str
    access_key: str = ""
    error_code: str | None = None
    received: int = 0


class RestApi:
    """One per process; knows nothing between calls."""

    def __init__(
        self,
        store: Store,
        threads: Executor,
        authenticator: Authenticator,
        handlers: Mapping[str, ApiHandler],
        body_idle_timeout_s: float,
        auditor: Auditor,
    ) -> None:
        self._store, self._threads, self._authenticator = store, threads, authenticator
        self._auditor = auditor
        self._handlers, self._body_idle_timeout_s = handlers, body_idle_timeout_s
        self._streams: set[asyncio.Task[None]] = set()
        self._is_draining = False

    async def answer(self, exchange: Exchange) -> Served:
        """Answers whatever comes below `PREFIX`."""
        call = _Call(exchange)
        try:
            await self._carry_out(call)
        except ConnectionError:
            raise
        except ApiError as exc:
            await self._refuse(call, exc)
        except S3Error as exc:
            await self._refuse(call, _as_api(exc))
        except StoreError as exc:
            if isinstance(exc, Corruption):
                metrics.CORRUPTIONS.inc()
                _log.error("request %s: corruption: %s", exchange.request_id, exc)
            await self._refuse(call, translate(exc))
        except Exception:  # noqa: BLE001 - the last resort of every request: logged with its traceback
            _log.exception("request %s failed", exchange.request_id)
            await self._refuse(call, ApiError("InternalError", "Something went wrong; the log says what."))
        return Served(call.operation, call.access_key, call.error_code, call.received)

    def end_streams(self) -> None:
        """Ends all answers that would go on by themselves, and those that begin later. What was sent is whole."""
        self._is_draining = True
        for stream in self._streams:
            stream.cancel()

    async def _carry_out(self, call: _Call) -> None:
        if call.request.raw_path == DOCUMENT_PATH:
            self._describe(call)
            return
        endpoint, fields = route(call.exchange.http.method, call.request.raw_path)
        call.operation = endpoint.name
        identity = self._authenticator.identify(call.request)
        call.access_key, call.caller = identity.access_key, identity.principal
        if identity.principal.is_anonymous:
            raise ApiError("AccessDenied", "Sign the request: AWS signature version 4, service s3.")
        body = RequestBody(call.exchange, self._store, self._threads, self._body_idle_timeout_s)
        body.signer = identity.signer
        try:
            content = await body.whole(parse_payload(call.request), _MAX_BODY)
        finally:
            call.received = body.received
        call.about = fields if endpoint.has_body else {**_query(endpoint, call.request), **fields}
        request = decode(endpoint, fields, call.request, content)
        answer = await self._handle(endpoint, Call(self._store, self._threads, identity.principal), fields, request)
        if endpoint.streams:
            await self._audit(call, endpoint, None)
            await self._stream(call.exchange, answer)
            return
        response = Response(endpoint.status, []) if answer is None else _json(endpoint.status, answer)
        await self._audit(call, endpoint, len(response.body))
        call.exchange.send(response)

    async def _audit(self, call: _Call, endpoint: Endpoint, size: int | None) -> None:
        """Records what is about to be answered: how many bytes of a stream that will be, nobody knows. Raises
        ServiceUnavailable."""
        assert call.caller is not None
        if call.caller.audits_everything or endpoint.method != "GET":
            call.is_audited = True
            await self._auditor.record(replace(call.record(), bytes=size))

    async def _refuse(self, call: _Call, error: ApiError) -> None:
        try:
            await self._audit_refusal(call, error)
        except S3Error as exc:
            error = _as_api(exc)
        call.refuse(error)

    async def _audit_refusal(self, call: _Call, error: ApiError) -> None:
        """Records what is refused, or fails, where that is to be. Raises S3Error."""
        if call.is_audited or call.exchange.has_begun:
            return
        call.is_audited = True
        if call.caller is None:
            call.access_key, call.caller = self._authenticator.claimant(call.request)
        await self._auditor.record_refusal(call.caller, error.status, error.code, call.record)

    def _describe(self, call: _Call) -> None:
        """The OpenAPI document, to whoever asks: it tells nothing that the source does not."""
        call.operation = "openapi"
        if call.exchange.http.method != "GET":
            raise ApiError("MethodNotAllowed", "This path takes GET.", allowed=["GET"])
        call.let_go()
        call.exchange.send(Response(200, [("Content-Type", "application/json")], self._document))

    @cached_property
    def _document(self) -> bytes:
        return _encoder.encode(openapi())

    async def _handle(self, endpoint: Endpoint, call: Call, fields: Mapping[str, str], request: Input) -> Any:
        handler = self._handlers.get(endpoint.name)
        if handler is None:
            raise ApiError("NotImplemented", f"{endpoint.name} is not offered.")
        try:
            return await handler(call, request)
        except NoSuchCommit as exc:
            await refuse_unrelated(call, fields["repo"], exc)
            raise

    async def _stream(self, exchange: Exchange, events: AsyncGenerator[bytes, None]) -> None:
        """Events until there are no more of them, or the gateway drains; the connection's end is the answer's."""
        exchange.keep_alive = False
        exchange.begin(Response(200, [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]))
        if self._is_draining:
            return
        stream = asyncio.ensure_future(_send_events(exchange, events, self._body_idle_timeout_s))
        self._streams.add(stream)
        try:
            await stream
        except asyncio.CancelledError:
            if not self._is_draining:
                raise
        finally:
            stream.cancel()
            self._streams.discard(stream)


class _Call:
    """A call on its way, and what becomes of it."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.operation = "Unknown"
        self.access_key = ""
        self.error_code: str | None = None
        self.received = 0
        self.caller: Principal | None = None
        self.about: Mapping[str, str] = {}
        self.is_audited = False  # or was to be

    def record(self) -> Record:
        """What the audit log is told, but for how it went. Never the body, which may hold secrets."""
        address = self.exchange.http.remote or ""
        asked = asked_by(self.caller, self.access_key, self.request, address, about=self.about)
        return replace(asked, operation=self.operation, bucket="", key=self.about.get("key", ""))

    @cached_property
    def request(self) -> Request:
        """As signatures and payloads read it. Raises S3Error."""
        http = self.exchange.http
        return build_request(
            http.method, http.raw_path, http.raw_headers, secure=http.secure, request_id=self.exchange.request_id
        )

    def let_go(self) -> None:
        """A body that nobody has read ends the connection after the answer."""
        if not self.exchange.http.content.is_eof():
            self.exchange.keep_alive = False

    def refuse(self, error: ApiError) -> None:
        self.error_code = error.code
        if self.exchange.has_begun:
            self.exchange.abort()
            return
        self.let_go()
        details = {"request_id": self.exchange.request_id, "details": error.details}
        document = {"error": {"code": error.code, "message": error.message, **details}}
        self.exchange.send(_json(error.status, document))


def route(method: str, raw_path: str) -> tuple[Endpoint, Mapping[str, str]]:
    """The endpoint, and the fields that its path names, decoded. Raises ApiError."""
    path = raw_path.removeprefix(PREFIX)
    allowed = []
    for endpoint in ENDPOINTS.values():
        match = endpoint.pattern.fullmatch(path)
        if match is None:
            continue
        if endpoint.method == method:
            return endpoint, _decoded(match.groupdict())
        allowed.append(endpoint.method)
    if allowed:
        raise ApiError("MethodNotAllowed", f"This path takes {' and '.join(allowed)}.", allowed=allowed)
    raise ApiError("NoSuchEndpoint", f"There is nothing at {raw_path}; {PREFIX}/openapi.json lists what there is.")


def _decoded(fields: Mapping[str, str]) -> Mapping[str, str]:
    try:
        return {name: percent_decode(text) for name, text in fields.items()}
    except ValueError as exc:
        raise ApiError("InvalidArgument", "The path holds a broken percent-encoding.", at="path") from exc


def decode(endpoint: Endpoint, fields: Mapping[str, str], request: Request, content: bytes) -> Input:
    """The endpoint's Input, from the path's fields and the query or the body. Raises ApiError."""
    if not endpoint.has_body:
        return _convert(endpoint, {**_query(endpoint, request), **_headers(endpoint, request), **fields}, strict=False)
    if request.query:
        raise ApiError("InvalidArgument", "This endpoint takes its parameters from the body.", at="query")
    try:
        document = msgspec.json.decode(content) if content else {}
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ApiError("InvalidBody", f"The body is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise ApiError("InvalidBody", "The body is not a JSON object.")
    named = sorted(document.keys() & fields.keys() & set(endpoint.path_fields))
    if named:
        raise ApiError("InvalidBody", f"{named[0]} is named by the path, not by the body.", at=named[0])
    return _convert(endpoint, {**document, **fields}, strict=True)


def _query(endpoint: Endpoint, request: Request) -> Mapping[str, str]:
    values = {name: value for name, value in request.query if not name.startswith("X-Amz-")}
    if len(values) != sum(not name.startswith("X-Amz-") for name, _ in request.query):
        raise ApiError("InvalidArgument", "A parameter is given twice.", at="query")
    if misplaced := sorted(values.keys() & endpoint.headers.keys()):
        raise ApiError("InvalidArgument", f"{misplaced[0]} is a header: {endpoint.headers[misplaced[0]]}.", at="query")
    return values


def _headers(endpoint: Endpoint, request: Request) -> Mapping[str, str]:
    """What the endpoint takes from headers. One that holds nothing counts as not sent."""
    values = {name: request.header(header.lower()) for name, header in endpoint.headers.items()}
    found = {name: value for name, value in values.items() if value}
    for name, value in found.items():
        if not value.isascii():
            raise ApiError("InvalidArgument", f"The header {endpoint.headers[name]} is not ASCII.", at="headers")
    return found


def _convert(endpoint: Endpoint, values: Mapping[str, Any], *, strict: bool) -> Input:
    try:
        return msgspec.convert(values, endpoint.input, strict=strict)
    except msgspec.ValidationError as exc:
        code = "InvalidBody" if endpoint.has_body else "InvalidArgument"
        raise ApiError(code, str(exc)) from exc


def _as_api(error: S3Error) -> ApiError:
    if isinstance(error, ServiceUnavailable):
        return ApiError("Busy", error.detail)
    return ApiError(error.code, error.detail, status=error.status)


def _json(status: int, document: object) -> Response:
    return Response(status, [("Content-Type", "application/json")], _encoder.encode(document))


async def _send_events(exchange: Exchange, events: AsyncGenerator[bytes, None], idle_timeout_s: float) -> None:
    """Each one when the client has taken enough of those before. Raises ClientGone where it takes nothing for long."""
    async with aclosing(events):
        async for event in events:
            exchange.transport.write(event)
            exchange.sent += len(event)
            try:
                async with asyncio.timeout(idle_timeout_s):
                    await exchange.drain()
            except TimeoutError as exc:
                raise ClientGone from exc
