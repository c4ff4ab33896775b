"""STS's way of a request: read → authenticate → parse → answer in a thread → XML, and whatever can fail on it.

It is served on the port of S3, at `/`, and told apart by the service that a request is signed for. STS signs a
request's body, which is therefore read before anybody is known; it is small.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass

from gateway import metrics
from gateway.handlers.faults import translate
from gateway.handlers.sts import Caller, TokenService
from gateway.s3.errors import S3Error
from gateway.s3.operations import Payload
from gateway.s3.request import Request
from gateway.s3.response import Response
from gateway.server.authenticate import Authenticator
from gateway.server.bodies import RequestBody
from gateway.server.wire import Exchange
from gateway.sts.errors import InternalFailure, MissingAuthenticationToken, StsError, from_s3
from gateway.sts.parse import ACTIONS, MAX_BODY, parameters, parse
from gateway.sts.render import render, render_error
from pfs import Corruption, Store, StoreError

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ServedSts:
    """What the log and the metrics are told of a request."""

    operation: str = "Sts"
    access_key: str = ""
    error_code: str | None = None
    received: int = 0


class StsApi:
    """One per process; knows nothing between requests."""

    def __init__(
        self,
        store: Store,
        threads: Executor,
        authenticator: Authenticator,
        service: TokenService,
        body_idle_timeout_s: float,
    ) -> None:
        self._store, self._threads, self._authenticator = store, threads, authenticator
        self._service, self._body_idle_timeout_s = service, body_idle_timeout_s

    async def answer(self, exchange: Exchange, request: Request) -> ServedSts:
        """Answers a request that `gateway.sts.parse.is_sts`. Raises ConnectionError where the client is gone."""
        served = ServedSts()
        try:
            exchange.send(await self._carry_out(exchange, request, served))
        except ConnectionError:
            raise
        except StsError as exc:
            _refuse(exchange, served, exc)
        except S3Error as exc:
            _refuse(exchange, served, from_s3(exc))
        except StoreError as exc:
            if isinstance(exc, Corruption):
                metrics.CORRUPTIONS.inc()
            _log.error("request %s: the directory: %s", exchange.request_id, exc)
            _refuse(exchange, served, from_s3(translate(exc)))
        except Exception:  # noqa: BLE001 - the last resort of every request: logged with its traceback
            _log.exception("request %s failed", exchange.request_id)
            _refuse(exchange, served, InternalFailure())
        return served

    async def _carry_out(self, exchange: Exchange, request: Request, served: ServedSts) -> Response:
        body = RequestBody(exchange, self._store, self._threads, self._body_idle_timeout_s)
        try:
            content = await body.whole(Payload(), MAX_BODY)
        finally:
            served.received = body.received
        verified = self._authenticator.verify(request, content, "sts")
        if verified is None:
            raise MissingAuthenticationToken
        served.access_key, credential = verified
        given = parameters(request, content)
        action = given.get("Action", "")
        if action in ACTIONS:
            served.operation = action
        asked, caller = parse(given), Caller(credential, request.remote)
        loop = asyncio.get_running_loop()
        output = await loop.run_in_executor(self._threads, self._service.answer, asked, caller)
        return render(action, output, exchange.request_id)


def _refuse(exchange: Exchange, served: ServedSts, error: StsError) -> None:
    served.error_code = error.code
    if not exchange.http.content.is_eof():
        exchange.keep_alive = False
    exchange.send(render_error(error, exchange.request_id))
