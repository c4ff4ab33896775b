"""The original's way to log in, over HTTP: route → read → parse → answer in a thread → JSON, and whatever can fail.

It is served on the port of S3, below `/v1/`, and refuses with `{"message": …}`, as clients of the original expect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import msgspec

from gateway import metrics
from gateway.access.chain import Outcome, Record
from gateway.handlers.faults import translate
from gateway.handlers.tsd import BUCKET, MAX_BODY, Asked, LoginService, TsdError, parse, route
from gateway.s3.errors import MaxMessageLengthExceeded, S3Error, ServiceUnavailable
from gateway.s3.operations import Payload
from gateway.s3.request import Request
from gateway.s3.response import Response
from gateway.server.auditing import Auditor, outcome_of
from gateway.server.bodies import RequestBody
from gateway.server.wire import Exchange
from pfs import Corruption, Store, StoreError

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ServedTsd:
    """What the log and the metrics are told of a request."""

    operation: str = "Tsd"
    access_key: str = ""
    error_code: str | None = None
    received: int = 0
    asked: Asked | None = None
    is_audited: bool = False  # or was to be


def is_tsd(request: Request) -> bool:
    return request.bucket == BUCKET and request.key is not None


class TsdApi:
    """One per process; knows nothing between requests."""

    def __init__(
        self,
        store: Store,
        threads: Executor,
        service: LoginService,
        body_idle_timeout_s: float,
        auditor: Auditor,
    ) -> None:
        self._store, self._threads, self._service = store, threads, service
        self._body_idle_timeout_s, self._auditor = body_idle_timeout_s, auditor

    async def answer(self, exchange: Exchange, request: Request) -> ServedTsd:
        """Answers a request that `is_tsd`. Raises ConnectionError where the client is gone."""
        served = ServedTsd()
        try:
            exchange.send(await self._carry_out(exchange, request, served))
        except ConnectionError:
            raise
        except TsdError as exc:
            await self._refuse(exchange, request, served, exc)
        except S3Error as exc:
            await self._refuse(exchange, request, served, _from_s3(exc))
        except StoreError as exc:
            if isinstance(exc, Corruption):
                metrics.CORRUPTIONS.inc()
            _log.error("request %s: the directory: %s", exchange.request_id, exc)
            await self._refuse(exchange, request, served, _from_s3(translate(exc)))
        except Exception:  # noqa: BLE001 - the last resort of every request: logged with its traceback
            _log.exception("request %s failed", exchange.request_id)
            error = TsdError(500, "InternalError", "Something went wrong; the log says what.")
            await self._refuse(exchange, request, served, error)
        return served

    async def _carry_out(self, exchange: Exchange, request: Request, served: ServedTsd) -> Response:
        to = route(request.method, request.key or "")
        served.operation = to.operation
        body = RequestBody(exchange, self._store, self._threads, self._body_idle_timeout_s)
        try:
            content = await body.whole(Payload(), MAX_BODY)
        finally:
            served.received = body.received
        asked = parse(to, request.params, request.header("authorization"), content, request.remote)
        served.asked = asked
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._service.answer, asked)
        await self._audit(request, served, "allowed", "")
        return _json(201, answer, {"Cache-Control": "no-store"})

    async def _audit(self, request: Request, served: ServedTsd, outcome: Outcome, code: str) -> None:
        """Records a log-in before its secrets are told, or that it was refused. Raises S3Error.

        A name is recorded where it is a user's alone: people type passwords where names belong.
        """
        served.is_audited = True
        who, asked = "", served.asked
        try:
            if asked is not None:
                loop = asyncio.get_running_loop()
                who = await loop.run_in_executor(self._threads, self._service.known, asked.login.user_name)
        except StoreError as exc:
            raise ServiceUnavailable from exc
        record = Record(
            served.operation,
            outcome,
            code,
            project=asked.project if asked else "",
            who=who,
            address=request.remote,
            request_id=request.request_id,
            about={"type": asked.kind} if asked and asked.kind else {},
        )
        await self._auditor.record(record)

    async def _refuse(self, exchange: Exchange, request: Request, served: ServedTsd, error: TsdError) -> None:
        outcome = outcome_of(error.status, error.code)
        if outcome == "refused" and not served.is_audited:
            try:
                await self._audit(request, served, outcome, error.code)
            except S3Error as exc:
                error = _from_s3(exc)
        _refuse(exchange, served, error)


def _from_s3(error: S3Error) -> TsdError:
    status = 413 if isinstance(error, MaxMessageLengthExceeded) else error.status
    return TsdError(status, error.code, error.detail)


def _refuse(exchange: Exchange, served: ServedTsd, error: TsdError) -> None:
    served.error_code = error.code
    if not exchange.http.content.is_eof():
        exchange.keep_alive = False
    exchange.send(_json(error.status, {"message": error.message}, error.headers))


def _json(status: int, document: object, headers: Mapping[str, str]) -> Response:
    return Response(status, [("Content-Type", "application/json"), *headers.items()], msgspec.json.encode(document))
