"""A request's way: address → authenticate → authorise → parse → handle → render → send, and whatever can fail on it.

Every refusal is an S3Error and answered as S3's XML; the unexpected becomes InternalError with the
request's id, its traceback goes to the log. Once an answer has begun, failing means to cut the connection.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from aiohttp import web

from gateway import metrics
from gateway.access.chain import Record
from gateway.access.principals import Principal
from gateway.api.endpoints import PREFIX as API_PREFIX
from gateway.config import Config
from gateway.handlers.authorise import authorise
from gateway.handlers.context import Context
from gateway.handlers.cross_origin import response_headers
from gateway.handlers.faults import translate
from gateway.handlers.objects import Download
from gateway.s3.address import build_request, unaddressed_request
from gateway.s3.errors import AccessDenied, AccessForbidden, InternalError, S3Error
from gateway.s3.multipart_form import form_boundary
from gateway.s3.parse_payload import parse_payload
from gateway.s3.parse_post import Form, access_headers, read_form
from gateway.s3.render import render_error
from gateway.s3.request import Request
from gateway.s3.response import Response
from gateway.s3.route import Body, Operation, route
from gateway.server.access_log import AccessLog
from gateway.server.auditing import ADMINISTRATION, Auditor, asked_by, revision_of
from gateway.server.authenticate import Authenticator
from gateway.server.bodies import RequestBody
from gateway.server.rest import RestApi, Served
from gateway.server.sending import Sender
from gateway.server.service import PREFIX, ServiceEndpoints
from gateway.server.sts_api import ServedSts, StsApi
from gateway.server.tsd_api import ServedTsd, TsdApi, is_tsd
from gateway.server.wire import Answered, Exchange
from gateway.sts.parse import is_sts
from pfs import Corruption, Store, StoreError

Handler = Callable[[Context, Any], Awaitable[Any]]

_log = logging.getLogger(__name__)
_SKIP_MOST = 1024 * 1024
# After how long a refusal is sent: at once it would tell, by how long that took, whether what is refused is there.
_EVEN_S = 0.01
_PARSED_HERE = 32 * 1024  # bytes of XML; more keeps the loop for too long
_ids = itertools.count(secrets.randbits(64))


def new_request_id() -> str:
    """16 hex digits, unlike any other's: they begin at a random place in each process."""
    return f"{next(_ids) & 0xFFFFFFFFFFFFFFFF:016X}"


@dataclass(slots=True)
class _Record:
    """What the logs and the metrics are told of a request."""

    request: Request
    operation: str = "Unknown"
    access_key: str = ""
    error_code: str | None = None
    received: int = 0
    caller: Principal | None = None
    is_audited: bool = False  # or was to be


class Pipeline:
    """aiohttp's request handler. One per process; between requests it knows only which are in flight."""

    def __init__(
        self,
        config: Config,
        store: Store,
        threads: Executor,
        authenticator: Authenticator,
        handlers: Mapping[str, Handler],
        service: ServiceEndpoints,
        api: RestApi,
        sts: StsApi,
        tsd: TsdApi,
        access_log: AccessLog,
        auditor: Auditor,
    ) -> None:
        self._config, self._store, self._threads = config, store, threads
        self._authenticator, self._handlers = authenticator, handlers
        self._service, self._api, self._sts, self._tsd = service, api, sts, tsd
        self._access_log, self._auditor = access_log, auditor
        self._sender = Sender(store, threads, config.body_idle_timeout_s)
        self._in_flight: set[Exchange] = set()
        self._drained: asyncio.Event | None = None  # there is one once draining has begun

    async def __call__(self, http: web.BaseRequest) -> Answered:
        started = perf_counter()
        metrics.request_started()
        exchange = Exchange(http, new_request_id())
        exchange.keep_alive = exchange.keep_alive and self._drained is None
        self._in_flight.add(exchange)
        record = _Record(self._unaddressed(exchange))
        try:
            await self._answer(exchange, record)
        except ConnectionError:
            record.error_code = "ClientGone"
            exchange.abort()
        finally:
            self._in_flight.discard(exchange)
            if self._drained is not None and not self._in_flight:
                self._drained.set()
            self._finish(exchange, record, perf_counter() - started)
        return Answered(exchange.keep_alive)

    async def drain(self) -> None:
        """Makes every answer its connection's last, and returns when no request is being answered."""
        self._drained = asyncio.Event()
        for exchange in self._in_flight:
            exchange.keep_alive = False
        if self._in_flight:
            await self._drained.wait()

    async def _answer(self, exchange: Exchange, record: _Record) -> None:
        began = perf_counter()
        try:
            if exchange.http.raw_path.startswith(PREFIX):
                await self._answer_beside(exchange, record)
                return
            record.request = self._addressed(exchange)
            if is_sts(record.request):
                _note(record, await self._sts.answer(exchange, record.request))
                return
            if is_tsd(record.request):
                _note(record, await self._tsd.answer(exchange, record.request))
                return
            await self._carry_out(exchange, record)
        except ConnectionError:
            raise
        except (AccessDenied, AccessForbidden) as exc:
            await asyncio.sleep(began + _EVEN_S - perf_counter())
            await self._refuse(exchange, record, exc)
        except S3Error as exc:
            await self._refuse(exchange, record, exc)
        except StoreError as exc:
            if isinstance(exc, Corruption):
                metrics.CORRUPTIONS.inc()
                _log.error("request %s: corruption: %s", exchange.request_id, exc)
            await self._refuse(exchange, record, translate(exc))
        except Exception:  # noqa: BLE001 - the last resort of every request: logged with its traceback
            _log.exception("request %s failed", exchange.request_id)
            await self._refuse(exchange, record, InternalError())

    async def _answer_beside(self, exchange: Exchange, record: _Record) -> None:
        """What is served beside the buckets."""
        if not exchange.http.raw_path.startswith(API_PREFIX + "/"):
            record.operation = "Service"
            await self._service.answer(exchange)
            return
        _note(record, await self._api.answer(exchange))

    async def _carry_out(self, exchange: Exchange, record: _Record) -> None:
        request = record.request
        body = RequestBody(exchange, self._store, self._threads, self._config.body_idle_timeout_s)
        if "origin" in request.headers:
            await self._tell_origin(exchange, request, self._authenticator.presume(request), body)
        operation = route(request)
        record.operation = operation.name
        if operation.is_public:
            caller = self._authenticator.presume(request)
        else:
            identity = self._authenticator.identify(request)
            caller, record.access_key, body.signer = identity.principal, identity.access_key, identity.signer
        record.caller = caller
        try:
            await self._run(exchange, record, operation, caller, body)
        except S3Error:
            if not exchange.has_begun and not await body.skip(_SKIP_MOST):
                exchange.keep_alive = False
            raise
        finally:
            record.received = body.received

    async def _run(
        self, exchange: Exchange, record: _Record, operation: Operation, caller: Principal, body: RequestBody
    ) -> None:
        request = record.request
        source: bytes | Form = b""
        if operation.body is Body.FORM:
            source = read_form(await body.form(form_boundary(request)))
            identity = self._authenticator.identify_form(source, request.bucket)
            caller, record.access_key = identity.principal, identity.access_key
            record.caller = caller
            if "origin" in request.headers:
                await self._tell_origin(exchange, request, caller, body)
            request = replace(request, key=source.fields["key"], headers={**request.headers, **access_headers(source)})
        context = self._context(request, operation.name, caller, body)
        if not operation.is_public:
            await authorise(context)
        if operation.body is Body.XML:
            source = await body.whole(parse_payload(request), operation.max_body)
        if isinstance(source, bytes) and len(source) > _PARSED_HERE:
            parsed = await context.work(operation.parse, record.request, source)
        else:
            parsed = operation.parse(record.request, source)
        output = await self._handlers[operation.name](context, parsed)
        is_download = isinstance(output, Download)
        response = operation.render(output.output if is_download else output)
        if caller.audits_everything or operation.name in ADMINISTRATION:
            await self._audit(record, request, response, output.size if is_download else len(response.body))
        if is_download:
            await self._sender.send(exchange, response, output.segments)
        else:
            exchange.send(response)

    async def _audit(self, record: _Record, request: Request, response: Response, size: int) -> None:
        """Records what is about to be answered, `size` bytes. Raises ServiceUnavailable."""
        record.is_audited = True
        asked = asked_by(record.caller, record.access_key, request, request.remote)
        await self._auditor.record(
            replace(
                asked,
                operation=record.operation,
                version_id=revision_of(response) or asked.version_id,
                bytes=0 if request.method == "HEAD" else size,
            )
        )

    async def _audit_refusal(self, record: _Record, error: S3Error) -> None:
        """Records what is refused, or fails, where that is to be. Raises S3Error."""
        if record.is_audited:
            return
        record.is_audited = True
        caller, access_key = record.caller, record.access_key
        if caller is None:
            access_key, caller = self._authenticator.claimant(record.request)

        def asked() -> Record:
            request = record.request
            return replace(asked_by(caller, access_key, request, request.remote), operation=record.operation)

        await self._auditor.record_refusal(caller, error.status, error.code, asked)

    async def _tell_origin(self, exchange: Exchange, request: Request, caller: Principal, body: RequestBody) -> None:
        """Has the answer, whatever it will be, say what the rules of the caller's bucket let the browser do with it."""
        exchange.more_headers = await response_headers(
            self._context(request, "PreflightRequest", caller, body), request
        )

    def _context(self, request: Request, operation: str, caller: Principal, body: RequestBody) -> Context:
        return Context(self._store, self._threads, caller, self._config.region, body, request, operation)

    async def _refuse(self, exchange: Exchange, record: _Record, error: S3Error) -> None:
        if not exchange.has_begun:
            try:
                await self._audit_refusal(record, error)
            except S3Error as exc:
                error = exc
        record.error_code = error.code
        if exchange.has_begun:
            exchange.abort()
            return
        if not exchange.http.content.is_eof():
            exchange.keep_alive = False
        exchange.send(render_error(error, record.request))

    def _addressed(self, exchange: Exchange) -> Request:
        http = exchange.http
        return build_request(
            http.method,
            http.raw_path,
            http.raw_headers,
            secure=http.secure,
            remote=http.remote or "",
            request_id=exchange.request_id,
            domains=self._config.domain,
        )

    def _unaddressed(self, exchange: Exchange) -> Request:
        http = exchange.http
        return unaddressed_request(http.method, http.raw_path, remote=http.remote or "", request_id=exchange.request_id)

    def _finish(self, exchange: Exchange, record: _Record, seconds: float) -> None:
        metrics.request_finished(
            record.operation,
            exchange.status,
            seconds,
            received=record.received,
            sent=exchange.sent,
            error_code=record.error_code,
        )
        if self._access_log.is_on:
            request = record.request
            self._access_log.write(
                request_id=exchange.request_id,
                remote=request.remote,
                access_key=record.access_key,
                operation=record.operation,
                method=request.method,
                path=request.raw_path,
                status=exchange.status,
                error=record.error_code,
                received=record.received,
                sent=exchange.sent,
                ms=round(seconds * 1000, 3),
                user_agent=exchange.http.headers.get("User-Agent", ""),
            )


def _note(record: _Record, served: Served | ServedSts | ServedTsd) -> None:
    record.operation, record.access_key = served.operation, served.access_key
    record.error_code, record.received = served.error_code, served.received
