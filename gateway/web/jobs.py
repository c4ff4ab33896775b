"""Sync jobs as pages: the list with a form to start one, and one as it goes. For root, whose jobs they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial, wraps

import aiohttp_jinja2
from aiohttp import web

from gateway.api.errors import ApiError
from gateway.client import Unreachable
from gateway.s3.bucket import parse_bucket
from gateway.s3.errors import InvalidBucketName
from gateway.sync.job import Job, TargetBusy, UnknownJob
from gateway.sync.sources import folders_below
from gateway.web.job_model import DEFAULT_BUCKET, JobDocument, document
from gateway.web.job_requests import asked, cancel, job_id, start
from gateway.web.site import SITE, VISITOR

routes = web.RouteTableDef()

_PAGE = 50
_FIELDS = ("source", "dest", "wait")

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _of_root(page: Page) -> Page:
    @wraps(page)
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not request[VISITOR].is_operator:
            raise web.HTTPForbidden(text="Jobs read this machine's files and write as root: they are root's to see.")
        return await page(request)

    return guarded


@routes.get("/jobs")
@_of_root
async def list_jobs(request: web.Request) -> web.StreamResponse:
    return await _list(request, {"source": "", "dest": DEFAULT_BUCKET, "wait": "", "deletes": ""})


@routes.post("/jobs")
@_of_root
async def start_job(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    given = {name: str(form.get(name, "")) for name in (*_FIELDS, "deletes")}
    try:
        wanted = asked({name: given[name] for name in _FIELDS}, is_text=True)
        job = await start(request, wanted, request[VISITOR].name, may_delete=bool(given["deletes"]))
    except ApiError as exc:
        return await _list(request, given, exc.message, exc.status)
    except TargetBusy as exc:
        return await _list(request, given, str(exc), 409)
    except Unreachable:
        return await _list(request, given, "The gateway does not answer. Try again in a moment.", 503)
    raise web.HTTPSeeOther(f"/jobs/{job.id}")


@routes.get("/jobs/{id}")
@_of_root
async def show_job(request: web.Request) -> web.StreamResponse:
    site = request.app[SITE]
    job = await _found(request, site.jobs.find)
    facts = {"job": _told(request, job), "commit_page": _commit_page(job), "percent": job.percent}
    return aiohttp_jinja2.render_template("job.html", request, facts)


@routes.post("/jobs/{id}/cancel")
@_of_root
async def cancel_job(request: web.Request) -> web.StreamResponse:
    try:
        job = await cancel(request, _number(request.match_info["id"]), request[VISITOR].name)
    except UnknownJob as exc:
        raise web.HTTPNotFound(text=str(exc)) from exc
    raise web.HTTPSeeOther(f"/jobs/{job.id}")


async def _list(
    request: web.Request, given: Mapping[str, str], problem: str = "", status: int = 200
) -> web.StreamResponse:
    site = request.app[SITE]
    before = request.query.get("before")
    found = await site.work(partial(site.jobs.page, before=_number(before) if before else None, limit=_PAGE + 1))
    facts = {
        "jobs": [(_told(request, job), job.percent) for job in found[:_PAGE]],
        "older": found[_PAGE - 1].id if len(found) > _PAGE else None,
        "uploads": site.config.uploads,
        "folders": await site.work(partial(_folders, request)),
        "deletes": site.config.sync_deletes_bucket,
        "given": given,
        "problem": problem,
    }
    return aiohttp_jinja2.render_template("jobs.html", request, facts, status=status)


def _folders(request: web.Request) -> Sequence[str]:
    uploads = request.app[SITE].config.uploads
    return folders_below(uploads) if uploads is not None else ()


async def _found(request: web.Request, find: Callable[[int], Job]) -> Job:
    number = _number(request.match_info["id"])
    try:
        return await request.app[SITE].work(partial(find, number))
    except UnknownJob as exc:
        raise web.HTTPNotFound(text=str(exc)) from exc


def _number(text: str) -> int:
    try:
        return job_id(text)
    except ApiError as exc:
        raise web.HTTPBadRequest(text="That is not a job's number.") from exc


def _told(request: web.Request, job: Job) -> JobDocument:
    return document(job, request.app[SITE].config.endpoint)


def _commit_page(job: Job) -> str | None:
    """Where the commit is shown that it has become; None where there is none, or its branch is gone."""
    if job.commit_id is None or job.storage_url or job.deletes:
        return None
    try:
        return f"/repos/{parse_bucket(job.dest).repo}/commits/{job.commit_id}"
    except InvalidBucketName:
        return None
