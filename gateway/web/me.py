"""One's own account: who one is here, and what people change for themselves (`gateway.access.oneself`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import TypeVar

import aiohttp_jinja2
from aiohttp import web

from gateway.access import totp
from gateway.access.errors import DirectoryError, NotProven, TooMany
from gateway.access.oneself import Oneself
from gateway.api import model
from gateway.handlers.api.people import refusal, session_document
from gateway.web import acting
from gateway.web.forms import read_form, sentence
from gateway.web.qr import drawn
from gateway.web.site import CREDENTIAL, SITE, VISITOR
from gateway.web.visitor import Visitor, keep

T = TypeVar("T")

routes = web.RouteTableDef()

_DONE: Mapping[str, str] = {
    "password": "Your password was changed.",
    "project": "You are in this project now.",
    "session": "The session was ended.",
}


@routes.get("/me")
async def show_me(request: web.Request) -> web.Response:
    return await _show(request)


@routes.post("/me/password")
async def change_password(request: web.Request) -> web.Response:
    form = await read_form(request)
    new = form.get("new", "")
    if new != form.get("again", ""):
        return await _show(request, "The new password was not typed alike twice.", 400)
    present, code = form.get("password", ""), _code(form)
    try:
        await _do(request, "set_password", lambda oneself: oneself.change_password(present, code, new))
    except DirectoryError as exc:
        return await _refused(request, exc)
    raise web.HTTPSeeOther("/me?done=password")


@routes.post("/me/device")
async def enrol(request: web.Request) -> web.Response:
    form = await read_form(request)
    present, code = form.get("password", ""), _code(form)
    try:
        secret = await _do(request, "enrol_totp", lambda oneself: oneself.enrol_device(present, code))
    except DirectoryError as exc:
        return await _refused(request, exc)
    name = request[VISITOR].name
    made = model.Totp(user=name, secret=secret, uri=totp.provisioning_uri(secret, name))
    facts = {"made": made, "code": drawn(made.uri), "back": "/me"}
    return aiohttp_jinja2.render_template("device.html", request, facts)


@routes.post("/me/project")
async def switch_project(request: web.Request) -> web.Response:
    """The cookie is another one from then on, in all windows."""
    site, present = request.app[SITE], request[VISITOR]
    project = (await read_form(request)).get("project", "")
    try:
        made = await _do(
            request, "ConsoleSwitch", lambda oneself: oneself.switch(present.access_key, project), about={"to": project}
        )
    except DirectoryError as exc:
        return await _refused(request, exc)
    visitor = request[VISITOR] = Visitor.of_session(made)
    await acting.note(request, "ConsoleSwitch", about={"from": present.project})
    entered = web.HTTPSeeOther("/me?done=project")
    keep(entered, visitor, site.vault, is_secure=request.secure)
    raise entered


@routes.post("/me/sessions/{session}/end")
async def end_session(request: web.Request) -> web.Response:
    access_key = request.match_info["session"]
    try:
        await _do(request, "end_session", lambda oneself: oneself.end_session(access_key))
    except DirectoryError as exc:
        return await _refused(request, exc)
    raise web.HTTPSeeOther("/me?done=session")


async def _do(request: web.Request, operation: str, act: Callable[[Oneself], T], **facts: object) -> T:
    """What somebody does for himself; a refusal is recorded. Raises DirectoryError."""
    if not request[VISITOR].token:
        raise NotProven("this is an account of the gateway's configuration: its key is changed there")
    try:
        return await request.app[SITE].work(partial(act, _oneself(request)))
    except DirectoryError as exc:
        await acting.note_refusal(request, operation, exc, **facts)
        raise


def _oneself(request: web.Request) -> Oneself:
    return Oneself(acting.directory(request), request[VISITOR].name, request.remote or "")


async def _refused(request: web.Request, exc: DirectoryError) -> web.Response:
    status = 429 if isinstance(exc, TooMany) else 403 if isinstance(exc, NotProven) else refusal(exc).status
    response = await _show(request, sentence(exc), status)
    if isinstance(exc, TooMany):
        response.headers["Retry-After"] = str(exc.retry_s)
    return response


async def _show(request: web.Request, problem: str = "", status: int = 200) -> web.Response:
    visitor, credential, site = request[VISITOR], request[CREDENTIAL], request.app[SITE]
    pairs, sessions = (
        await site.work(lambda: (site.directory.memberships(visitor.name), _oneself(request).sessions()))
        if visitor.token
        else ([], [])
    )
    facts = {
        "rights": sorted(right.value for right in credential.principal.rights),
        "ends": datetime.fromtimestamp(visitor.expires_s, UTC),
        "projects": [(name, [right.value for _, right in held]) for name, held in groupby(pairs, lambda pair: pair[0])],
        "found": [session_document(session) for session in sessions],
        "problem": problem,
        "done": _DONE.get(request.query.get("done", ""), ""),
    }
    return aiohttp_jinja2.render_template("me.html", request, facts, status=status)


def _code(form: Mapping[str, str]) -> str:
    return form.get("code", "").replace(" ", "")
