"""STS's way of a request: read → authenticate → parse → answer in a thread → XML, and whatever can fail on it.

It is served on the port of S3, at `/`, and told apart by the service that a request is signed for. STS signs a
request's body, which is therefore read before anybody is known; it is small.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from gateway import metrics
from gateway.access.chain import Record
from gateway.access.principals import Principal
from gateway.handlers.faults import translate
from gateway.handlers.sts import Caller, TokenService
from gateway.s3.errors import S3Error
from gateway.s3.operations import Payload
from gateway.s3.request import Request
from gateway.s3.response import Response
from gateway.server.auditing import Auditor, asked_by
from gateway.server.authenticate import Authenticator
from gateway.server.bodies import RequestBody
from gateway.server.wire import Exchange
from gateway.sts.errors import InternalFailure, MissingAuthenticationToken, StsError, from_s3
from gateway.sts.operations import AssumeRole, GetCallerIdentity, Identity, Input, Output
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
    caller: Principal | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    is_audited: bool = False  # or was to be


class StsApi:
    """One per process; knows nothing between requests."""

    def __init__(
        self,
        store: Store,
        threads: Executor,
        authenticator: Authenticator,
        service: TokenService,
        body_idle_timeout_s: float,
        auditor: Auditor,
    ) -> None:
        self._auditor = auditor
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
            await self._refuse(exchange, request, served, exc)
        except S3Error as exc:
            await self._refuse(exchange, request, served, from_s3(exc))
        except StoreError as exc:
            if isinstance(exc, Corruption):
                metrics.CORRUPTIONS.inc()
            _log.error("request %s: the directory: %s", exchange.request_id, exc)
            await self._refuse(exchange, request, served, from_s3(translate(exc)))
        except Exception:  # noqa: BLE001 - the last resort of every request: logged with its traceback
            _log.exception("request %s failed", exchange.request_id)
            await self._refuse(exchange, request, served, InternalFailure())
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
        served.caller = credential.principal
        given = parameters(request, content)
        action = given.get("Action", "")
        if action in ACTIONS:
            served.operation = action
        asked, caller = parse(given), Caller(credential, request.remote)
        served.about = _facts(asked)
        loop = asyncio.get_running_loop()
        output = await loop.run_in_executor(self._threads, self._service.answer, asked, caller)
        await self._audit(request, served, output)
        return render(action, output, exchange.request_id)

    async def _audit(self, request: Request, served: ServedSts, output: Output) -> None:
        """Records a log-in in the project that it is for, before its secrets are told. Raises ServiceUnavailable."""
        caller, about = served.caller, served.about
        issued = None if isinstance(output, Identity) else output.issued
        if issued is not None:
            caller = self._authenticator.holder(issued.access_key) or caller
            about = {**about, "issued": issued.access_key}
        elif caller is None or not caller.audits_everything:
            return
        served.is_audited = True
        session = served.caller.session if served.caller else ""
        asked = asked_by(caller, served.access_key, request, request.remote, about=about)
        await self._auditor.record(replace(asked, operation=served.operation, session=session))

    async def _refuse(self, exchange: Exchange, request: Request, served: ServedSts, error: StsError) -> None:
        try:
            await self._audit_refusal(request, served, error)
        except S3Error as exc:
            error = from_s3(exc)
        _refuse(exchange, served, error)

    async def _audit_refusal(self, request: Request, served: ServedSts, error: StsError) -> None:
        """Records what is refused, or fails, where that is to be. Raises S3Error."""
        if served.is_audited:
            return
        served.is_audited = True
        caller, access_key = served.caller, served.access_key
        if caller is None:
            access_key, caller = self._authenticator.claimant(request)

        def asked() -> Record:
            facts = asked_by(caller, access_key, request, request.remote, about=served.about)
            return replace(facts, operation=served.operation)

        await self._auditor.record_refusal(caller, error.status, error.code, asked)


def _facts(asked: Input) -> Mapping[str, object]:
    """What is recorded of a request: never a code."""
    if isinstance(asked, GetCallerIdentity):
        return {}
    facts: dict[str, object] = {"second_factor": asked.factor is not None}
    if isinstance(asked, AssumeRole):
        facts |= {"role": str(asked.role), "session_name": asked.session_name}
    return facts


def _refuse(exchange: Exchange, served: ServedSts, error: StsError) -> None:
    served.error_code = error.code
    if not exchange.http.content.is_eof():
        exchange.keep_alive = False
    exchange.send(render_error(error, exchange.request_id))
