"""Log-in and log-out.

People give name, password and one-time code, and get a session with all the rights that they have in a project. The
accounts of the configuration, and root, give their access key and its secret: they have no second factor. Wrong guesses
at either are counted by address, those at people by name too.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from gateway.access.chain import Record
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError, Illegal, NotProven, TooMany, Unknown
from gateway.access.keyring import Credential
from gateway.access.model import HOUR_S
from gateway.web import acting
from gateway.web.forms import path_of_ours, read_form, sentence
from gateway.web.site import SITE, VISITOR, Site
from gateway.web.visitor import COOKIE, Visitor, keep

routes = web.RouteTableDef()

_LONGEST_S = 8 * HOUR_S
_WRONG = "Name, password or code is wrong, or the code was used already."
_NAME = re.compile(r"[!-~]{1,128}")  # what names and access keys are made of


@routes.get("/login")
async def show_login(request: web.Request) -> web.Response:
    if VISITOR in request:
        raise web.HTTPSeeOther(path_of_ours(request.query.get("then", "")))
    return _form(request, {"then": request.query.get("then", "")})


@routes.post("/login")
async def log_in(request: web.Request) -> web.Response:
    form, site = await read_form(request), request.app[SITE]
    try:
        visitor = await _visitor(site, form, request.remote or "")
    except DirectoryError as exc:
        whose = await _whose(site, form.get("name", ""))
        refused = Record("ConsoleLogin", "refused", type(exc).__name__, address=request.remote or "", **whose)
        await acting.keep(request, refused)
        message = _WRONG if isinstance(exc, NotProven) and not isinstance(exc, TooMany) else sentence(exc)
        kept = {name: form.get(name, "") for name in ("name", "project", "then")}
        response = _form(request, {**kept, "problem": message}, 429 if isinstance(exc, TooMany) else 401)
        if isinstance(exc, TooMany):
            response.headers["Retry-After"] = str(exc.retry_s)
        return response
    request[VISITOR] = visitor
    await acting.note(request, "ConsoleLogin")
    entered = web.HTTPSeeOther(path_of_ours(form.get("then", "")))
    keep(entered, visitor, site.vault, is_secure=request.secure)
    raise entered


@routes.post("/logout")
async def log_out(request: web.Request) -> web.Response:
    """Ends the session, not only the cookie."""
    site, visitor = request.app[SITE], request[VISITOR]
    if visitor.token:
        await site.work(partial(_end, acting.directory(request), visitor.access_key))
    response = web.HTTPSeeOther("/login")
    response.del_cookie(COOKIE, path="/")
    raise response


async def _visitor(site: Site, form: Mapping[str, str], address: str) -> Visitor:
    """Raises DirectoryError."""
    name, password, code = (form.get(field, "") for field in ("name", "password", "code"))
    if not _NAME.fullmatch(name):
        raise NotProven
    credential = site.keyring.find(name)
    if credential is not None:
        is_right = not credential.is_session and hmac.compare_digest(credential.secret.encode(), password.encode())
        await site.work(partial(site.directory.count_guess, address, is_right=is_right))
        return _by_key(name, credential)
    project = form.get("project", "").strip()
    return await site.work(partial(_by_two_factors, site.directory, name, password, code, project, address))


def _by_key(access_key: str, credential: Credential) -> Visitor:
    if credential.policy.requires_session:
        raise Illegal("the project asks for two factors: log in with your name, your password and a code")
    who = credential.principal
    return Visitor(
        name=who.user or who.display_name,
        project=who.project,
        access_key=access_key,
        secret_key=credential.secret,
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
    return Visitor.of_session(directory.begin_session(project, name, rights, min(_LONGEST_S, longest_s)))


async def _whose(site: Site, name: str) -> Mapping[str, Any]:
    """Who was asked for, if that is anybody: what others type there may be a secret, which no record must have."""
    if not _NAME.fullmatch(name):
        return {}
    credential = site.keyring.find(name)
    if credential is not None:
        who = credential.principal
        return {"project": who.project, "who": who.user or who.display_name, "access_key": name}
    try:
        return {"who": (await site.work(partial(site.directory.user, name))).name}
    except Unknown:
        return {}


def _end(directory: Directory, access_key: str) -> None:
    try:
        directory.end_session(access_key)
    except Unknown:
        return  # it has ended already


def _form(request: web.Request, facts: Mapping[str, str], status: int = 200) -> web.Response:
    shown = {"name": "", "project": "", "problem": "", **facts}
    return aiohttp_jinja2.render_template("login.html", request, shown, status=status)
