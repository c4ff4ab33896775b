"""Projects: their policies, and who has which right in them. What is allowed the gateway decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import aiohttp_jinja2
from aiohttp import web
from multidict import MultiDict
from yarl import URL

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.web.forms import read_form, told
from gateway.web.site import VISITOR, ask

routes = web.RouteTableDef()

RIGHTS: tuple[model.Right, ...] = get_args(model.Right)
_HOUR_S = 3600
_DONE: Mapping[str, str] = {
    "made": "The project was made.",
    "policy": "The policy was changed. It counts within a second.",
    "granted": "The right was given.",
    "revoked": "The right was taken away, from sessions in force too.",
}
_NEW: Mapping[str, Any] = {
    **{"name": "", "hours": "12", "audits": "refusals", "two_factors": False},
    **{"from": "all", "exports": ""},
}


@routes.get("/projects")
async def list_projects(request: web.Request) -> web.Response:
    return await _list(request, _NEW)


@routes.post("/projects")
async def create_project(request: web.Request) -> web.Response:
    form = await read_form(request)
    name = form.get("name", "").strip()
    try:
        policy = _policy(form)
        await ask(request, lambda caret: caret.create_project(name, **policy))
    except Refusal as exc:
        typed = {**_typed(form), "name": name}
        return await _list(request, typed, told(exc), exc.status)
    raise web.HTTPSeeOther(_at(name, "made"))


async def _list(request: web.Request, typed: Mapping[str, Any], problem: str = "", status: int = 200) -> web.Response:
    found = await ask(request, lambda caret: caret.list_projects().projects)
    facts = {"projects": found, "typed": typed, "problem": problem}
    return aiohttp_jinja2.render_template("projects.html", request, facts, status=status)


@routes.get("/projects/{project}")
async def show_project(request: web.Request) -> web.Response:
    return await _show(request)


@routes.post("/projects/{project}/policy")
async def change_policy(request: web.Request) -> web.Response:
    form, name = await read_form(request), request.match_info["project"]

    def change(caret: Client) -> object:
        return caret.change_project(name, **_policy(form))

    return await _done(request, change, "policy", typed=_typed(form))


@routes.post("/projects/{project}/members")
async def grant(request: web.Request) -> web.Response:
    form, name = await read_form(request), request.match_info["project"]
    user, rights = form.get("user", "").strip(), form.getall("right", [])

    def give(caret: Client) -> None:
        if not rights:
            raise Refusal(400, "InvalidArgument", "Say which rights.", {}, "")
        for right in rights:
            caret.grant(name, user, _right(right))

    return await _done(request, give, "granted", given={"user": user, "rights": rights})


@routes.post("/projects/{project}/members/{user}/revoke")
async def revoke(request: web.Request) -> web.Response:
    form, name, user = await read_form(request), request.match_info["project"], request.match_info["user"]
    return await _done(request, lambda caret: caret.revoke(name, user, _right(form.get("right", ""))), "revoked")


async def _done(request: web.Request, change: Callable[[Client], object], done: str, **typed: Any) -> web.Response:
    """The project's page, with the change made or with what was wrong with it, and `typed` still there."""
    try:
        await ask(request, change)
    except Refusal as exc:
        return await _show(request, told(exc), exc.status, **typed)
    raise web.HTTPSeeOther(_at(request.match_info["project"], done))


async def _show(
    request: web.Request,
    problem: str = "",
    status: int = 200,
    *,
    typed: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> web.Response:
    name = request.match_info["project"]
    project, members = await ask(request, lambda caret: (caret.get_project(name), caret.list_members(name).members))
    facts = {
        "project": project,
        "members": members,
        "rights": RIGHTS,
        "typed": typed or _as_typed(project),
        "given": given or {"user": "", "rights": []},
        "problem": problem,
        "done": _DONE.get(request.query.get("done", ""), ""),
        "may_change": request[VISITOR].is_operator,
    }
    return aiohttp_jinja2.render_template("project.html", request, facts, status=status)


def _policy(form: MultiDict[str]) -> dict[str, Any]:
    """Raises Refusal."""
    typed = _typed(form)
    try:
        max_session_s = round(float(typed["hours"]) * _HOUR_S)
    except (ValueError, OverflowError) as exc:
        raise Refusal(400, "InvalidArgument", "The longest session is a number of hours.", {}, "") from exc
    buckets = typed["exports"].replace(",", " ").split()
    if typed["from"] != "some" and buckets:
        raise Refusal(400, "InvalidArgument", "Exports are either from all buckets or from those named.", {}, "")
    return {
        "requires_session": typed["two_factors"],
        "max_session_s": max_session_s,
        "export_buckets": buckets if typed["from"] == "some" else "all",
        "audits": typed["audits"],
    }


def _typed(form: MultiDict[str]) -> dict[str, Any]:
    texts = {name: form.get(name, "") for name in ("hours", "from", "exports", "audits")}
    return {**texts, "two_factors": "two_factors" in form}


def _as_typed(project: model.Project) -> Mapping[str, Any]:
    exports = project.export_buckets
    return {
        "hours": f"{project.max_session_s / _HOUR_S:g}",
        "from": "all" if exports == "all" else "some",
        "exports": "" if exports == "all" else " ".join(exports),
        "audits": project.audits,
        "two_factors": project.requires_session,
    }


def _right(text: str) -> model.Right:
    for right in RIGHTS:
        if right == text:
            return right
    raise Refusal(400, "InvalidArgument", f"A right is one of {', '.join(RIGHTS)}.", {}, "")


def _at(project: str, done: str) -> URL:
    return (URL("/projects") / project).with_query(done=done)
