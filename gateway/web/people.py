"""People: what they prove themselves with, their keys and sessions. What is allowed the gateway decides.

A secret is in one answer, the one to the form that asked for it: nowhere else, and in no address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from multidict import MultiDict
from yarl import URL

from gateway.access.errors import Illegal
from gateway.access.passwords import check_password
from gateway.api import model
from gateway.client import Client, Refusal
from gateway.web.forms import read_form, sentence, told
from gateway.web.projects import RIGHTS
from gateway.web.qr import drawn
from gateway.web.site import VISITOR, ask

routes = web.RouteTableDef()

_MOST = 500  # on one page: more are found by the filter
_DONE: Mapping[str, str] = {
    "made": "The user was made.",
    "password": "The password was set.",
    "disabled": "Keys and sessions of this user work no more, within a second.",
    "enabled": "Keys of this user work again.",
    "key": "The key works no more, within a second.",
    "session": "The session was ended.",
}


@routes.get("/people")
async def list_people(request: web.Request) -> web.Response:
    return await _list(request, MultiDict())


@routes.post("/people")
async def create_user(request: web.Request) -> web.Response:
    form = await read_form(request)
    name, password = form.get("name", "").strip(), form.get("password", "")

    def create(caret: Client) -> None:
        if password:
            _check(password)
        rights: Any = form.getall("right", [])
        project = form.get("project") or None
        caret.create_user(name, display_name=form.get("display_name", "").strip(), project=project, rights=rights)
        if password:
            caret.set_password(name, password)

    try:
        await ask(request, create)
    except Refusal as exc:
        return await _list(request, form, told(exc), exc.status)
    raise web.HTTPSeeOther(_at(name, "made"))


async def _list(request: web.Request, typed: MultiDict[str], problem: str = "", status: int = 200) -> web.Response:
    users, projects = await ask(
        request, lambda caret: (caret.list_users().users, [it.name for it in caret.list_projects().projects])
    )
    sought = request.query.get("q", "").strip()
    found = [user for user in users if sought.casefold() in f"{user.name}\n{user.display_name}".casefold()]
    facts = {
        "users": found[:_MOST],
        "left_out": max(0, len(found) - _MOST),
        "sought": sought,
        "projects": projects,
        "rights": RIGHTS,
        "typed": {name: typed.get(name, "") for name in ("name", "display_name", "project")},
        "ticked": typed.getall("right", []),
        "problem": problem,
        "is_operator": request[VISITOR].is_operator,
    }
    return aiohttp_jinja2.render_template("people.html", request, facts, status=status)


@routes.get("/people/{user}")
async def show_user(request: web.Request) -> web.Response:
    return await _show(request)


async def _show(request: web.Request, problem: str = "", status: int = 200) -> web.Response:
    name = request.match_info["user"]
    user, keys, sessions = await ask(
        request,
        lambda caret: (caret.get_user(name), caret.list_keys(user=name).keys, caret.list_sessions(user=name).sessions),
    )
    facts = {
        "user": user,
        "keys": keys,
        "found": sessions,
        "here": f"/people/{name}",
        "problem": problem,
        "done": _DONE.get(request.query.get("done", ""), ""),
    }
    return aiohttp_jinja2.render_template("person.html", request, facts, status=status)


async def _done(request: web.Request, change: Callable[[Client], object], done: str) -> web.Response:
    """The user's page, with the change made or with what was wrong with it."""
    try:
        await ask(request, change)
    except Refusal as exc:
        return await _show(request, told(exc), exc.status)
    raise web.HTTPSeeOther(_at(request.match_info["user"], done))


async def _once(request: web.Request, make: Callable[[Client], Any], template: str) -> web.Response:
    """A page that shows what was made, which is told this once."""
    try:
        made = await ask(request, make)
    except Refusal as exc:
        return await _show(request, told(exc), exc.status)
    facts = {"made": made, "back": f"/people/{made.user}"}
    if isinstance(made, model.Totp):
        facts["code"] = drawn(made.uri)
    return aiohttp_jinja2.render_template(template, request, facts)


@routes.post("/people/{user}/password")
async def set_password(request: web.Request) -> web.Response:
    form, name = await read_form(request), request.match_info["user"]

    def give(caret: Client) -> None:
        _check(form.get("password", ""))
        caret.set_password(name, form.get("password", ""))

    return await _done(request, give, "password")


@routes.post("/people/{user}/device")
async def enrol(request: web.Request) -> web.Response:
    name = request.match_info["user"]
    return await _once(request, lambda caret: caret.enrol_totp(name), "device.html")


@routes.post("/people/{user}/{standing:disable|enable}")
async def set_standing(request: web.Request) -> web.Response:
    name, standing = request.match_info["user"], request.match_info["standing"]

    def change(caret: Client) -> object:
        return caret.disable_user(name) if standing == "disable" else caret.enable_user(name)

    return await _done(request, change, f"{standing}d")


@routes.post("/people/{user}/keys")
async def create_key(request: web.Request) -> web.Response:
    form, name = await read_form(request), request.match_info["user"]
    return await _once(request, lambda caret: caret.create_key(form.get("project", ""), name), "key.html")


@routes.post("/people/{user}/keys/{key}/disable")
async def disable_key(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    return await _done(request, lambda caret: caret.disable_key(key), "key")


def _check(password: str) -> None:
    """Raises Refusal."""
    try:
        check_password(password)
    except Illegal as exc:
        raise Refusal(400, "InvalidArgument", sentence(exc), {}, "") from exc


def _at(user: str, done: str) -> URL:
    return (URL("/people") / user).with_query(done=done)
