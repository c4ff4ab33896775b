"""The job API: the documented routes, which have no methods but GET and POST, and the same as REST."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import Any

import msgspec
from aiohttp import web

from gateway.api.errors import ApiError
from gateway.sync.job import Job, JobState
from gateway.web import job_model as model
from gateway.web.job_access import JobRoute, admitted
from gateway.web.job_requests import asked, cancel, job_id, only_id, parameters, start
from gateway.web.site import SITE
from pfs import StoreError

routes = web.RouteTableDef()

REST = "/api/v1"
LEAVING = web.AppKey("leaving", asyncio.Event)
"""Set when the console leaves: streams end then."""

_LONGEST_PAGE = 1000
_LOOK_EVERY_S, _HEARTBEAT_S, _STUCK_S = 0.3, 10.0, 30.0
_RETRY_MS = 2000
_encoder = msgspec.json.Encoder()


def _json(document: object, status: int = 200, location: str | None = None) -> web.Response:
    headers = {"Location": location} if location else None
    return web.Response(body=_encoder.encode(document), status=status, content_type="application/json", headers=headers)


def _told(request: web.Request, job: Job) -> model.JobDocument:
    return model.document(job, request.app[SITE].config.endpoint)


async def _found(request: web.Request, number: int) -> Job:
    site = request.app[SITE]
    return await site.work(partial(site.jobs.find, number))


# ---------------------------------------------------------------- the documented routes


def _documented(path: str, operation: str, *, changes: bool = False) -> Callable[[JobRoute], JobRoute]:
    """GET without HEAD, which would do the same unseen."""

    def add(handler: JobRoute) -> JobRoute:
        guarded = admitted(operation, changes=changes)(handler)
        routes.get(path, allow_head=False)(guarded)
        routes.post(path)(guarded)
        return handler

    return add


@_documented("/sync", "StartSyncJob", changes=True)
async def sync(request: web.Request, who: str) -> web.StreamResponse:
    given = await parameters(request)
    is_text = request.content_type != "application/json" or request.method == "GET"
    return _json(_told(request, await start(request, asked(given, is_text=is_text), who)))


@_documented("/runnings", "ListSyncJobs")
async def runnings(request: web.Request, who: str) -> web.StreamResponse:
    if await parameters(request):
        raise ApiError("InvalidArgument", "This takes no parameters.", at="query")
    site = request.app[SITE]
    return _json([_told(request, job) for job in await site.work(site.jobs.running)])


@_documented("/get", "GetSyncJob")
async def get(request: web.Request, who: str) -> web.StreamResponse:
    return _json(_told(request, await _found(request, only_id(await parameters(request)))))


@_documented("/cancel", "CancelSyncJob", changes=True)
async def cancel_by_id(request: web.Request, who: str) -> web.StreamResponse:
    return _json(_told(request, await cancel(request, only_id(await parameters(request)), who)))


# ---------------------------------------------------------------- REST


@routes.post(f"{REST}/jobs")
@admitted("StartSyncJob", changes=True)
async def create_job(request: web.Request, who: str) -> web.StreamResponse:
    if request.content_type != "application/json" or request.query_string:
        raise ApiError("InvalidBody", "This takes a JSON object as its body.")
    job = await start(request, asked(await parameters(request), is_text=False), who)
    return _json(_told(request, job), 201, f"{REST}/jobs/{job.id}")


@routes.get(f"{REST}/jobs", allow_head=False)
@admitted("ListSyncJobs")
async def list_jobs(request: web.Request, who: str) -> web.StreamResponse:
    site, given = request.app[SITE], dict(await parameters(request))
    state, before, limit = _state(given), _number(given, "after"), _number(given, "limit") or 100
    if given:
        raise ApiError("InvalidArgument", "This takes state, after and limit.", at="query")
    if limit > _LONGEST_PAGE:
        raise ApiError("InvalidArgument", f"limit is at most {_LONGEST_PAGE}.", at="limit")
    found = await site.work(partial(site.jobs.page, state=state, before=before, limit=limit + 1))
    page = found[:limit]
    after = str(page[-1].id) if len(found) > limit else None
    return _json(model.JobsDocument(jobs=[_told(request, job) for job in page], next=after))


def _state(given: dict[str, Any]) -> JobState | None:
    text = given.pop("state", "")
    try:
        return JobState(text) if text else None
    except ValueError as exc:
        states = ", ".join(state.value for state in JobState)
        raise ApiError("InvalidArgument", f"state is none of {states}.", at="state") from exc


def _number(given: dict[str, Any], name: str) -> int | None:
    text = given.pop(name, "")
    try:
        return job_id(text) if text else None
    except ApiError as exc:
        raise ApiError("InvalidArgument", f"{name} is not a number from 1 on.", at=name) from exc


def _numbered(request: web.Request) -> int:
    return job_id(request.match_info["id"])


@routes.get(f"{REST}/jobs/{{id}}", allow_head=False)
@admitted("GetSyncJob")
async def get_job(request: web.Request, who: str) -> web.StreamResponse:
    return _json(_told(request, await _found(request, _numbered(request))))


@routes.delete(f"{REST}/jobs/{{id}}")
@admitted("CancelSyncJob", changes=True)
async def cancel_job(request: web.Request, who: str) -> web.StreamResponse:
    return _json(_told(request, await cancel(request, _numbered(request), who)))


@routes.get(f"{REST}/openapi.json", allow_head=False)
@admitted("DescribeJobs")
async def describe(request: web.Request, who: str) -> web.StreamResponse:
    return _json(openapi())


# ---------------------------------------------------------------- as it happens


@routes.get(f"{REST}/jobs/{{id}}/events", allow_head=False)
@admitted("FollowSyncJob")
async def follow(request: web.Request, who: str) -> web.StreamResponse:
    """Server-sent events: `progress` whenever there is any, in whichever process it is made; `end` is the last. Each
    holds the whole job, so that none has to be sent again to whoever comes back."""
    job = await _found(request, _numbered(request))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    response.force_close()
    await response.prepare(request)
    with suppress(ConnectionError, TimeoutError):  # whoever followed is gone
        await _tell_all(request, response, job)
    return response


async def _tell_all(request: web.Request, response: web.StreamResponse, job: Job) -> None:
    leaving, last, heard_at = request.app[LEAVING], b"", time.monotonic()
    await _send(response, f"retry: {_RETRY_MS}\n\n".encode())
    while not leaving.is_set():
        told = _encoder.encode(_told(request, job))
        if told != last:
            kind = b"progress" if job.state is JobState.RUNNING else b"end"
            await _send(response, b"event: %b\ndata: %b\n\n" % (kind, told))
            last, heard_at = told, time.monotonic()
        elif time.monotonic() - heard_at > _HEARTBEAT_S:
            await _send(response, b": still there\n\n")
            heard_at = time.monotonic()
        if job.state is not JobState.RUNNING or request.transport is None:
            return
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            job = await _found(request, job.id)
        except StoreError:
            continue  # the next look may go well


async def _send(response: web.StreamResponse, data: bytes) -> None:
    """Raises TimeoutError where nobody takes it."""
    async with asyncio.timeout(_STUCK_S):
        await response.write(data)


# ---------------------------------------------------------------- described


@cache
def openapi() -> dict[str, Any]:
    """The REST routes, as an OpenAPI 3.1 document."""
    kinds = (model.Asked, model.JobDocument, model.JobsDocument)
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
    page = [
        {"name": "state", "in": "query", "schema": {"enum": [state.value for state in JobState]}},
        {"name": "after", "in": "query", "schema": {"type": "string"}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": _LONGEST_PAGE}},
    ]
    asked_for = {"required": True, "content": _content("Asked")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Caret jobs", "version": "1"},
        "security": [{"Bearer": []}, {}],
        "paths": {
            f"{REST}/jobs": {
                "post": _operation("start_job", "Start a job.", "JobDocument", 201, (), requestBody=asked_for),
                "get": _operation("list_jobs", "Jobs, newest first.", "JobsDocument", 200, (), parameters=page),
            },
            f"{REST}/jobs/{{id}}": {
                "parameters": [number],
                "get": _operation("get_job", "A job.", "JobDocument", 200, (404,)),
                "delete": _operation("cancel_job", "Have a job end at its next file.", "JobDocument", 200, (404,)),
            },
            f"{REST}/jobs/{{id}}/events": {
                "parameters": [number],
                "get": {
                    "operationId": "follow_job",
                    "summary": "A job as it goes: server-sent events, `progress` and at last `end`.",
                    "responses": {"200": {"description": "Events", "content": {"text/event-stream": {}}}},
                },
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _operation(
    name: str, summary: str, answer: str, status: int, refusals: tuple[int, ...], **further: Any
) -> dict[str, Any]:
    expected = {str(status): {"description": answer, "content": _content(answer)}}
    refused = (400, 401, 403, 503, *refusals, *((409,) if status == 201 else ()))
    return {
        "operationId": name,
        "summary": summary,
        **further,
        "responses": {
            **expected,
            **{str(code): {"description": "Refused: error.code, error.message"} for code in refused},
        },
    }
