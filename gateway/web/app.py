"""The console as an aiohttp application: routes, templates, and what every request goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from gateway.web import (
    apply,
    audit,
    branches,
    browse,
    commits,
    compare,
    downloads,
    history,
    job_api,
    jobs,
    login,
    me,
    merges,
    objects,
    people,
    projects,
    repos,
    sessions,
    uploads,
)
from gateway.web.content import OBJECTS, Objects
from gateway.web.filters import FILTERS
from gateway.web.guard import confine, guard, log_requests, protect, recognise
from gateway.web.site import SITE, VISITOR, Site

_HERE = Path(__file__).parent
_MAX_FORM = 1024 * 1024  # uploads are streamed, and not counted

# Title, address, and whether it is for administrators: what the head of every page leads to.
_SECTIONS = (
    ("Repos", "/repos", False),
    ("Projects", "/projects", True),
    ("People", "/people", True),
    ("Sessions", "/sessions", True),
    ("Audit", "/audit", True),
)

_SECTIONS_OF_ROOT = (("Sync", "/jobs"),)

_MODULES = (
    *(login, repos, browse, objects, downloads, uploads),
    *(history, commits, apply, compare, merges, branches),
    *(projects, people, sessions, me, audit),
    *(jobs, job_api),
)


def make_app(site: Site) -> web.Application:
    app = web.Application(middlewares=[log_requests, protect, recognise], client_max_size=_MAX_FORM)
    app[SITE] = site
    app.cleanup_ctx.append(_objects)
    app.on_response_prepare.append(confine)
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        context_processors=[_shared],
    )
    app.middlewares.append(guard)  # behind what templates know, which its refusals need too
    environment.filters.update(FILTERS)
    environment.globals["version"] = version("caret-gateway")
    app.router.add_static("/static", _HERE / "static")
    app.router.add_get("/", _home)
    app[job_api.LEAVING] = asyncio.Event()
    app.on_shutdown.append(_end_streams)
    app.router.add_get("/favicon.ico", _icon)
    for module in _MODULES:
        app.router.add_routes(module.routes)
    return app


async def _end_streams(app: web.Application) -> None:
    app[job_api.LEAVING].set()


async def _objects(app: web.Application) -> AsyncIterator[None]:
    app[OBJECTS] = Objects(app[SITE].config)
    yield
    await app[OBJECTS].close()


async def _home(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/repos")


async def _icon(request: web.Request) -> web.Response:
    """For what has no page to name it."""
    raise web.HTTPFound("/static/icon.svg")


async def _shared(request: web.Request) -> dict[str, Any]:
    """What every template knows."""
    visitor = request.get(VISITOR)
    sections = [(title, at) for title, at, for_admins in _SECTIONS if visitor and (visitor.is_admin or not for_admins)]
    if visitor and visitor.is_operator:
        sections += _SECTIONS_OF_ROOT
    return {"visitor": visitor, "sections": sections, "path": request.path, "csrf": visitor.csrf if visitor else ""}
