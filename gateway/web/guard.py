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

from gateway.access.errors import DirectoryError
from gateway.access.keyring import Credential
from gateway.access.principals import ROOT
from gateway.client import Refusal, Unreachable
from gateway.handlers.api.people import refusal
from gateway.web.forms import LOGGED_OUT, read_form
from gateway.web.site import CREDENTIAL, SITE, VISITOR, Site
from gateway.web.visitor import COOKIE, Visitor, unseal
from pfs import StoreError

_log = logging.getLogger(__name__)

_SAFE_METHODS = frozenset({"GET", "HEAD"})
# Paths that need no visitor: the login, and what pages are made of.
_OPEN = ("/login", "/static/", "/favicon.ico", "/-/healthz")
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


async def confine(request: web.Request, response: web.StreamResponse) -> None:
    """The headers, on each answer before it begins, streamed ones too. What a handler has set for itself stays."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as a page."""
    try:
        response = await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        response = _error(request, exc.status, exc.reason, exc.text or "")
        if "Allow" in exc.headers:
            response.headers["Allow"] = exc.headers["Allow"]
    except Refusal as exc:
        is_over = exc.code in LOGGED_OUT
        response = _to_login(request) if is_over else _error(request, exc.status, exc.code, exc.message)
    except DirectoryError as exc:
        refused = refusal(exc)
        response = _error(request, refused.status, refused.code, refused.message)
    except StoreError as exc:
        _log.error("%s %s failed: %s", request.method, request.path, exc)
        response = _error(request, 503, "Busy", "The database does not answer. Try again in a moment.")
    except Unreachable as exc:
        _log.warning("%s", exc)
        response = _error(request, 503, "Unreachable", "The gateway does not answer. Try again in a moment.")
    except Exception:  # noqa: BLE001 -- it is logged, and told as a page
        _log.exception("%s %s failed", request.method, request.path)
        response = _error(request, 500, "InternalError", "Something went wrong here; the log of the gateway says what.")
    return response


@web.middleware
async def recognise(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Who is asking, if a cookie of ours says so."""
    site = request.app[SITE]
    visitor = unseal(request.cookies.get(COOKIE, ""), site.vault, time.time())
    credential = _credential(site, visitor)
    if visitor is not None and credential is not None:
        who = credential.principal
        request[VISITOR] = structs.replace(visitor, is_admin=who.is_admin, is_operator=who.id == ROOT.id)
        request[CREDENTIAL] = credential
    return await handler(request)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody without a cookie of ours gets further than the login, and nothing is changed from elsewhere."""
    visitor = request.get(VISITOR)
    if is_job_api(request):
        return await handler(request)
    if request.method not in _SAFE_METHODS:
        check_origin(request)
        if visitor is not None and not await _has_token(request, visitor.csrf):
            raise web.HTTPForbidden(text="This form has expired. Go back, load the page again, and repeat it.")
    if visitor is None and not request.path.startswith(_OPEN):
        return _to_login(request)
    return await handler(request)


def _credential(site: Site, visitor: Visitor | None) -> Credential | None:
    """What he has in his cookie as it is now; None where it is good for nothing any more."""
    credential = None if visitor is None else site.keyring.find(visitor.access_key)
    if visitor is None or credential is None or credential.has_expired(time.time_ns() // 1000):
        return None
    if credential.policy.requires_session and not credential.is_proven:
        return None
    is_his = hmac.compare_digest(credential.secret.encode(), visitor.secret_key.encode())
    return credential if is_his else None


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
    if sent is None:
        sent = (await read_form(request)).get("csrf")
    return sent is not None and hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), csrf.encode())


def _to_login(request: web.Request) -> web.Response:
    """For a browser the way to the login and back to its page; for whatever else asks, 401."""
    if "text/html" in request.headers.get("Accept", ""):
        there = str(request.rel_url) if request.method in _SAFE_METHODS else _page_before(request)
        query = {} if there == "/" else {"then": there}
        response = web.Response(status=303, headers={"Location": str(_LOGIN.with_query(query))})
        response.del_cookie(COOKIE, path="/")
        return response
    return web.json_response(
        {"error": {"code": "Unauthorized", "message": "Log in first: your session has ended."}}, status=401
    )


def _page_before(request: web.Request) -> str:
    """The page of ours that a form was sent from, if the browser tells."""
    try:
        page = URL(request.headers.get("Referer", ""))
    except ValueError:
        return "/"
    return str(page.relative()) if page.absolute and page.authority == request.host else "/"


def _error(request: web.Request, status: int, title: str, message: str) -> web.Response:
    """A page for browsers, JSON for whatever else asks, and where it is not even known who does."""
    is_page = "text/html" in request.headers.get("Accept", "") and not is_job_api(request)
    if not is_page or aiohttp_jinja2.REQUEST_CONTEXT_KEY not in request:
        return web.json_response({"error": {"code": title, "message": message}}, status=status)
    facts = {"title": title, "message": message, "status": status}
    return aiohttp_jinja2.render_template("error.html", request, facts, status=status)
