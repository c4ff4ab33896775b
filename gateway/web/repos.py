"""Repos: the list, where every visit begins."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp_jinja2
from aiohttp import web

from gateway.web.site import ask

routes = web.RouteTableDef()


@routes.get("/repos")
@aiohttp_jinja2.template("repos.html")
async def list_repos(request: web.Request) -> Mapping[str, object]:
    return {"repos": await ask(request, lambda caret: list(caret.repos()))}
