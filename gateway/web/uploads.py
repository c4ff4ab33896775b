"""Uploads: files that are dropped on a page become one commit, or nothing.

    POST   /repos/{repo}/uploads?branch=main             begins a transaction: its id
    PUT    /repos/{repo}/uploads/{id}?key=cats%2Ftom     a file's content, as it comes
    POST   /repos/{repo}/uploads/{id}/commit             one commit of all of them, with a message
    DELETE /repos/{repo}/uploads/{id}                    forgets them

The page's script does these in turn; what it does not come back for the gateway forgets by itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import hdrs, web

from gateway.client import Refusal, Unreachable
from gateway.web.content import OBJECTS, Received
from gateway.web.site import VISITOR, ask

routes = web.RouteTableDef()

_EXPIRES_S = 2 * 86_400
_LONGEST_MESSAGE = 4_000
_MOST_KEYS = 5  # that a conflict names
_UPLOAD = "/repos/{repo}/uploads/{id}"


@routes.post("/repos/{repo}/uploads")
async def begin(request: web.Request) -> web.Response:
    repo, branch = request.match_info["repo"], request.query.get("branch", "")
    begun = await ask(request, lambda caret: caret.begin_transaction(repo, branch, expires_in_s=_EXPIRES_S))
    return web.json_response({"id": begun.id}, status=HTTPStatus.CREATED)


@routes.put(_UPLOAD)
async def put_file(request: web.Request) -> web.Response:
    """When it answers, the file is durable, and visible to nobody until the commit."""
    if request.content_length is None:
        raise web.HTTPLengthRequired(text="An upload says how long it is.")
    repo, upload_id, key = request.match_info["repo"], request.match_info["id"], request.query.get("key", "")
    open_upload = await ask(request, lambda caret: caret.get_transaction(repo, upload_id))
    body = Received(request)
    headers: dict[str, str] = {hdrs.CONTENT_LENGTH: str(request.content_length)}
    if content_type := request.headers.get(hdrs.CONTENT_TYPE):
        if not content_type.isascii():
            raise web.HTTPBadRequest(text="A Content-Type is ASCII.")
        headers[hdrs.CONTENT_TYPE] = content_type
    sent = request.app[OBJECTS].send(
        request[VISITOR].credentials, "PUT", open_upload.bucket, key, headers=headers, body=aiter(body)
    )
    try:
        async with sent as reply:
            etag = reply.headers[hdrs.ETAG]
    except Unreachable:
        if body.is_broken:
            raise web.HTTPBadRequest(text="The upload ended early.") from None
        raise
    if etag != body.etag:
        raise Refusal(502, "BadDigest", "What was stored is not what was sent. Try again.", {}, "")
    return web.json_response({"key": key, "etag": etag}, status=HTTPStatus.CREATED)


@routes.post(_UPLOAD + "/commit")
async def commit(request: web.Request) -> web.Response:
    repo, upload_id = request.match_info["repo"], request.match_info["id"]
    message = await _message(request)
    try:
        done = await ask(request, lambda caret: caret.commit_transaction(repo, upload_id, message=message))
    except Refusal as refusal:
        if refusal.code != "TransactionConflict":
            raise
        raise web.HTTPConflict(text=_conflict(refusal.details["keys"])) from refusal
    return web.json_response({"commit_id": done.commit_id})


@routes.delete(_UPLOAD)
async def abandon(request: web.Request) -> web.Response:
    repo, upload_id = request.match_info["repo"], request.match_info["id"]
    await ask(request, lambda caret: caret.abandon_transaction(repo, upload_id))
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _conflict(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    return f"Somebody else has written {', '.join(keys[:_MOST_KEYS])}{more} meanwhile."


async def _message(request: web.Request) -> str:
    try:
        told = json.loads(await request.text())["message"]
    except (ValueError, LookupError, TypeError):
        told = None
    if not isinstance(told, str) or not told.strip():
        raise web.HTTPBadRequest(text="A commit has a message.")
    return told.strip()[:_LONGEST_MESSAGE]
