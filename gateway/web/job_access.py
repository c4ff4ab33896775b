"""Who may use the job API: whoever bears the token; without one whoever is on this machine; root, logged in.

Jobs are root's unless they come with keys, so nobody else may. A browser on this machine is on this machine whatever
page it shows: what changes something is refused where the browser says that another site sent it, and whatever comes
by another name than this machine's own.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps

from aiohttp import web

from gateway.access.chain import Record
from gateway.api.errors import ApiError
from gateway.client import Unreachable
from gateway.sync.job import TargetBusy, UnknownJob
from gateway.web.guard import check_origin, is_local
from gateway.web.site import SITE, VISITOR
from gateway.web.visitor import Visitor
from pfs import StoreError

Route = Callable[[web.Request], Awaitable[web.StreamResponse]]
JobRoute = Callable[[web.Request, str], Awaitable[web.StreamResponse]]
"""Takes the name of whoever asks as well."""


def admitted(operation: str, *, changes: bool = False) -> Callable[[JobRoute], Route]:
    """A route for those who may; its refusals as JSON, those of whoever may not in the audit log."""

    def admit(handler: JobRoute) -> Route:
        @wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                who = await _admit(request, operation, changes)
                return await handler(request, who)
            except ApiError as exc:
                return refusal(exc)
            except UnknownJob as exc:
                return refusal(ApiError("NoSuchJob", str(exc), status=404))
            except TargetBusy as exc:
                return refusal(ApiError("DestinationBusy", str(exc), status=409, id=exc.job_id))
            except (StoreError, Unreachable) as exc:
                return refusal(ApiError("Busy", f"Try again in a moment: {exc}"))

        return guarded

    return admit


def refusal(error: ApiError) -> web.Response:
    document = {"error": {"code": error.code, "message": error.message, "details": error.details}}
    headers = {"WWW-Authenticate": 'Bearer realm="caret"'} if error.status == 401 else None
    return web.json_response(document, status=error.status, headers=headers)


async def record(request: web.Request, about: Record) -> None:
    """Durable in the audit log when it returns."""
    site = request.app[SITE]
    await site.work(lambda: site.audit.append([replace(about, address=request.remote or "")]))


async def _admit(request: web.Request, operation: str, changes: bool) -> str:
    try:
        return _who(request, changes)
    except ApiError as exc:
        await record(request, Record(operation, "refused", exc.code))
        raise


def _who(request: web.Request, changes: bool) -> str:
    """Raises ApiError for whoever may not."""
    if changes:
        try:
            check_origin(request)
        except web.HTTPForbidden as exc:
            raise ApiError("AccessDenied", exc.text or "", status=403) from exc
    token = request.app[SITE].config.console_token
    visitor: Visitor | None = request.get(VISITOR)
    root = visitor if visitor is not None and visitor.is_operator else None
    if token is not None and _bears(request, token):
        return "token"
    if token is None and is_local(request):
        return root.name if root else "local"
    if root is not None:
        if changes and not _is_same(request.headers.get("X-CSRF-Token", ""), root.csrf):
            raise ApiError(
                "AccessDenied", "The header X-CSRF-Token is missing, or old: load the page again.", status=403
            )
        return root.name
    if token is not None:
        raise ApiError("Unauthorized", "The job API asks for its token: Authorization: Bearer TOKEN.", status=401)
    message = "Without console_token the job API answers this machine alone, asked by its own name."
    raise ApiError("AccessDenied", message, status=403)


def _bears(request: web.Request, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _is_same(given.strip(), token)


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())
