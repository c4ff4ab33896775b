"""Log-in and log-out.

People give name, password and one-time code, and get a session with all the rights that they have in a project. The
accounts of the configuration, and root, give their access key and its secret: they have no second factor.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import aiohttp_jinja2
from aiohttp import web
from yarl import URL

from gateway.access.chain import Record
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError, Illegal, NotProven, TooMany, Unknown
from gateway.access.keyring import Credential
from gateway.access.model import HOUR_S, NewSession
from gateway.web.site import SITE, VISITOR, Site
from gateway.web.visitor import COOKIE, Visitor, seal

routes = web.RouteTableDef()

_LONGEST_S = 8 * HOUR_S
_WRONG = "Name, password or code is wrong, or the code was used already."


@routes.get("/login")
async def show_login(request: web.Request) -> web.Response:
    if VISITOR in request:
        raise web.HTTPSeeOther(_then(request.query.get("then", "")))
    return _form(request, {"then": request.query.get("then", "")})


@routes.post("/login")
async def log_in(request: web.Request) -> web.Response:
    form = {name: str(value) for name, value in (await request.post()).items()}
    site = request.app[SITE]
    asked = Record("ConsoleLogin", who=form.get("name", "")[:128], address=request.remote or "")
    try:
        visitor = await _visitor(site, form, request.remote or "")
    except DirectoryError as exc:
        await site.work(partial(site.audit.append, [replace(asked, outcome="refused", code=type(exc).__name__)]))
        status = 429 if isinstance(exc, TooMany) else 401
        message = _WRONG if isinstance(exc, NotProven) else f"{str(exc)[:1].upper()}{str(exc)[1:]}."
        kept = {name: form.get(name, "") for name in ("name", "project", "then")}
        return _form(request, {**kept, "problem": message}, status)
    session = visitor.access_key if visitor.token else ""
    await site.work(partial(site.audit.append, [replace(asked, project=visitor.project, session=session)]))
    response = web.HTTPSeeOther(_then(form.get("then", "")))
    response.set_cookie(
        COOKIE,
        seal(visitor, site.vault),
        max_age=int(visitor.expires_s - time.time()),
        httponly=True,
        samesite="Strict",
        secure=request.secure,
        path="/",
    )
    raise response


@routes.post("/logout")
async def log_out(request: web.Request) -> web.Response:
    """Ends the session, not only the cookie."""
    site, visitor = request.app[SITE], request[VISITOR]
    if visitor.token:
        acting = site.directory.acting_as(Record("", who=visitor.name, session=visitor.access_key))
        await site.work(partial(_end, acting, visitor.access_key))
    response = web.HTTPSeeOther("/login")
    response.del_cookie(COOKIE, path="/")
    raise response


async def _visitor(site: Site, form: Mapping[str, str], address: str) -> Visitor:
    """Raises DirectoryError."""
    name, password, code = (form.get(field, "") for field in ("name", "password", "code"))
    credential = site.keyring.find(name)
    if credential is not None:
        return _by_key(name, password, credential)
    project = form.get("project", "").strip()
    return await site.work(partial(_by_two_factors, site.directory, name, password, code, project, address))


def _by_key(access_key: str, secret: str, credential: Credential) -> Visitor:
    if credential.is_session or not hmac.compare_digest(credential.secret.encode(), secret.encode()):
        raise NotProven
    if credential.policy.requires_session:
        raise Illegal("the project asks for two factors: log in with your name, your password and a code")
    who = credential.principal
    return Visitor(
        name=who.user or who.display_name,
        project=who.project,
        access_key=access_key,
        secret_key=secret,
        expires_s=int(time.time()) + _LONGEST_S,
    )


def _by_two_factors(directory: Directory, name: str, password: str, code: str, project: str, address: str) -> Visitor:
    """Without a project, in the first one that he has rights in."""
    directory.prove(name, code.replace(" ", ""), password=password, address=address)
    memberships = directory.memberships(name)
    project = project or (memberships[0][0] if memberships else "")
    rights = frozenset(right for held, right in memberships if held == project)
    if not rights:
        raise Illegal(f"{name} has no rights in {f'the project {project}' if project else 'any project'}")
    longest_s = directory.project(project).policy.max_session_s
    made: NewSession = directory.begin_session(project, name, rights, min(_LONGEST_S, longest_s))
    return Visitor(
        name=name,
        project=project,
        access_key=made.session.access_key,
        secret_key=made.secret,
        token=made.token,
        expires_s=made.session.expires_us // 1_000_000,
    )


def _end(directory: Directory, access_key: str) -> None:
    try:
        directory.end_session(access_key)
    except Unknown:
        return  # it has ended already


def _form(request: web.Request, facts: Mapping[str, str], status: int = 200) -> web.Response:
    shown = {"name": "", "project": "", "problem": "", **facts}
    return aiohttp_jinja2.render_template("login.html", request, shown, status=status)


def _then(there: str) -> str:
    """Where the log-in leads: an address of ours, or the beginning."""
    return there if there.startswith("/") and URL(there).is_absolute() is False and there[1:2] not in "/\\" else "/"
