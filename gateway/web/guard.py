"""What every request of the console goes through: the log, the headers that confine a page, who is asking, whether his
own browser meant it, and errors as pages.

A request that changes something is refused unless it comes from a page of ours: the browser says so in Sec-Fetch-Site,
and the form or script sends the visitor's token back (`csrf`, or the header X-CSRF-Token).
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import time

import aiohttp_jinja2
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import structs
from yarl import URL

from gateway.access.principals import ROOT
from gateway.client import Refusal, Unreachable
from gateway.web.site import SITE, VISITOR, Site
from gateway.web.visitor import COOKIE, Visitor, unseal

_log = logging.getLogger(__name__)

_SAFE_METHODS = frozenset({"GET", "HEAD"})
# Paths that need no visitor: the login, and what pages are made of.
_OPEN = ("/login", "/static/", "/-/healthz")
# The job API, for programs: it admits whom `gateway.web.job_access` does, and always answers in JSON.
JOB_API = frozenset({"/sync", "/runnings", "/get", "/cancel"})
_JOB_REST = "/api/"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOGIN = URL("/login")
# Codes of the gateway's which mean that the credentials in the cookie are good for nothing any more.
_LOGGED_OUT = frozenset({"ExpiredToken", "InvalidToken", "InvalidAccessKeyId"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# What a proxy adds: who asked it may be anywhere.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


@web.middleware
async def log_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line each, without the query: it may hold keys."""
    began = time.monotonic()
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as exc:
        status = exc.status
        raise
    finally:
        visitor = request.get(VISITOR)
        request.app[SITE].access_log.write(
            remote=request.remote,
            access_key=visitor.access_key if visitor else "",
            operation="Console",
            method=request.method,
            path=request.path,
            status=status,
            ms=round((time.monotonic() - began) * 1000, 1),
            user_agent=request.headers.get("User-Agent"),
        )


@web.middleware
async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The headers, and every error as a page. What a handler has set for itself stays."""
    try:
        response = await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            exc.headers.update(_HEADERS)
            raise
        response = _error(request, exc.status, exc.reason, exc.text or "")
    except Refusal as exc:
        is_over = exc.code in _LOGGED_OUT
        response = _to_login(request) if is_over else _error(request, exc.status, exc.code, exc.message)
    except Unreachable as exc:
        _log.warning("%s", exc)
        response = _error(request, 503, "Unreachable", "The gateway does not answer. Try again in a moment.")
    except Exception:  # noqa: BLE001 -- it is logged, and told as a page
        _log.exception("%s %s failed", request.method, request.path)
        response = _error(request, 500, "InternalError", "Something went wrong here; the log of the gateway says what.")
    if not response.prepared:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
    return response


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody without a cookie of ours gets further than the login, and nothing is changed from elsewhere."""
    site = request.app[SITE]
    visitor = _known(site, unseal(request.cookies.get(COOKIE, ""), site.vault, time.time()))
    if visitor is not None:
        request[VISITOR] = visitor
    if is_job_api(request):
        return await handler(request)
    if request.method not in _SAFE_METHODS:
        check_origin(request)
        if visitor is not None and not await _has_token(request, visitor.csrf):
            raise web.HTTPForbidden(text="This form has expired. Go back, load the page again, and repeat it.")
    if visitor is None and not request.path.startswith(_OPEN):
        return _to_login(request)
    return await handler(request)


def _known(site: Site, visitor: Visitor | None) -> Visitor | None:
    """Him with what he is now; None where his key or session is good for nothing any more."""
    credential = None if visitor is None else site.keyring.find(visitor.access_key)
    if visitor is None or credential is None or credential.has_expired(time.time_ns() // 1000):
        return None
    if not hmac.compare_digest(credential.secret.encode(), visitor.secret_key.encode()):
        return None
    who = credential.principal
    return structs.replace(visitor, is_admin=who.is_admin, is_operator=who.id == ROOT.id)


def check_origin(request: web.Request) -> None:
    """Raises HTTPForbidden where the browser says that another site sent this."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (origin is not None and origin.partition("://")[2] != request.host):
        raise web.HTTPForbidden(text="Another site sent this request; it was not carried out.")


def is_job_api(request: web.Request) -> bool:
    return request.path in JOB_API or request.path.startswith(_JOB_REST)


def is_local(request: web.Request) -> bool:
    """Whether it comes from this machine, and means it: a name that was made to lead here is somebody else's page."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    if host.lower() not in _LOCAL_NAMES or request.remote is None:
        return False
    peer = ipaddress.ip_address(request.remote)
    return ((peer.version == 6 and peer.ipv4_mapped) or peer).is_loopback


async def _has_token(request: web.Request, csrf: str) -> bool:
    sent = request.headers.get("X-CSRF-Token")
    if sent is None and request.content_type == "application/x-www-form-urlencoded":
        sent = str((await request.post()).get("csrf", ""))
    return sent is not None and hmac.compare_digest(sent.encode(), csrf.encode())


def _to_login(request: web.Request) -> web.Response:
    """Where a page was asked for, the way to the login and back; else 401."""
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        there = request.rel_url if request.path != "/" else ""
        response = web.Response(status=303, headers={"Location": str(_LOGIN.with_query(then=str(there)))})
        response.del_cookie(COOKIE, path="/")
        return response
    return web.json_response(
        {"error": {"code": "Unauthorized", "message": "Log in first: your session has ended."}}, status=401
    )


def _error(request: web.Request, status: int, title: str, message: str) -> web.Response:
    """A page for browsers, JSON for whatever else asks."""
    if is_job_api(request) or "text/html" not in request.headers.get("Accept", ""):
        return web.json_response({"error": {"code": title, "message": message}}, status=status)
    facts = {"title": title, "message": message, "status": status}
    return aiohttp_jinja2.render_template("error.html", request, facts, status=status)
