"""Sessions in force, as far as an administrator sees them."""

from __future__ import annotations

import aiohttp_jinja2
from aiohttp import web
from yarl import URL

from gateway.client import Refusal
from gateway.web.forms import path_of_ours, read_form, told
from gateway.web.site import ask

routes = web.RouteTableDef()


@routes.get("/sessions")
async def list_sessions(request: web.Request) -> web.Response:
    return await _list(request)


@routes.post("/sessions/{session}/end")
async def end_session(request: web.Request) -> web.Response:
    form, access_key = await read_form(request), request.match_info["session"]
    try:
        await ask(request, lambda caret: caret.end_session(access_key))
    except Refusal as exc:
        return await _list(request, told(exc), exc.status)
    raise web.HTTPSeeOther(URL(path_of_ours(form.get("then", ""), "/sessions")).update_query(done="session"))


async def _list(request: web.Request, problem: str = "", status: int = 200) -> web.Response:
    sought = {name: request.query.get(name, "").strip() for name in ("user", "project")}
    try:
        found = await ask(
            request,
            lambda caret: caret.list_sessions(user=sought["user"] or None, project=sought["project"] or None).sessions,
        )
    except Refusal as exc:
        if exc.status not in (400, 404):
            raise
        found, problem, status = [], problem or told(exc), exc.status
    facts = {
        "found": found,
        "sought": sought,
        "here": str(request.rel_url) if request.method == "GET" else "/sessions",
        "problem": problem,
        "done": "The session was ended." if request.query.get("done") else "",
    }
    return aiohttp_jinja2.render_template("sessions.html", request, facts, status=status)
