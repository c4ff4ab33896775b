"""An object: what is known of it, what it looks like, what it was before; and to delete it or bring it back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import aiohttp_jinja2
from aiohttp import hdrs, web

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.client.content import object_path
from gateway.web.browse import committed, is_commit_id, no_revision
from gateway.web.content import OBJECTS
from gateway.web.downloads import LARGEST_IMAGE
from gateway.web.places import HEAD, MISTYPED, Asked, Place, crumbs, folder_of, see
from gateway.web.preview import READ_BYTES, Kind, Preview, kinds, preview
from gateway.web.refs import Refs
from gateway.web.site import SITE, VISITOR, ask

routes = web.RouteTableDef()

_VERSIONS = 20
_ETAG = re.compile(r"[0-9a-f]{64}-[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Version:
    """A commit that wrote or deleted the key. `size` None: it is not there from this commit on; `is_shown`: the page
    is about it, `is_newest`: so is the branch's head."""

    commit: model.Commit
    size: int | None
    is_shown: bool
    is_newest: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """`detail`: at this revision, `newest`: at the branch's head; None where the key does not exist there."""

    place: Place
    key: str
    detail: model.ObjectDetail | None
    newest: model.ObjectDetail | None
    versions: Sequence[Version]
    next: str | None
    refs: Refs

    @classmethod
    def read(cls, caret: Client, asked: Asked, key: str, after: str) -> Shown:
        """Raises Refusal: where the key was never there, too."""
        place = Place.find(caret, asked)
        branch = place.branch
        detail = _stat(caret, branch, place.commit.id, key)
        newest = detail if place.commit.id == branch.head.id else _stat(caret, branch, branch.head.id, key)
        page = caret.log(place.repo, branch=branch.name, rev=branch.head.id, key=key, after=after, limit=_VERSIONS)
        if detail is None and not page.commits:
            raise Refusal(
                404, "NoSuchKey", "There is no object of this name, and there was none on this branch.", {}, ""
            )
        versions = [
            Version(
                commit,
                _size_in(caret, place, commit, key),
                is_shown=detail is not None and commit.id == detail.version_id,
                is_newest=newest is not None and commit.id == newest.version_id,
            )
            for commit in page.commits
        ]
        return cls(place, key, detail, newest, versions, page.next, Refs.of(caret, place.repo, branch.name))


@routes.get("/repos/{repo}/object")
async def show_object(request: web.Request) -> web.Response:
    asked, key = Asked.by(request), request.query.get("key", "")
    try:
        shown = await ask(request, partial(Shown.read, asked=asked, key=key, after=request.query.get("after", "")))
    except Refusal as refusal:
        if refusal.code not in MISTYPED:
            raise
        return await no_revision(request, asked, refusal)
    drawn, choice = await _preview(request, shown)
    facts = {
        "asked": asked,
        "place": shown.place,
        "shown": shown,
        "preview": drawn,
        "kinds": choice,
        "too_large": LARGEST_IMAGE,
        "crumbs": crumbs(folder_of(key)),
        "folder": folder_of(key),
        "name": key[len(folder_of(key)) :],
        "refs": shown.refs,
        "committed": committed(request),
    }
    return aiohttp_jinja2.render_template("object.html", request, facts, status=200 if shown.detail else 404)


@routes.post("/repos/{repo}/object/delete")
async def delete_object(request: web.Request) -> web.Response:
    place, key = await _writable(request)
    commit_id = await _write(request, "DELETE", place, key, {"x-caret-message": f"delete {_short(key)}"})
    raise see(place.at(prefix=folder_of(key), committed=commit_id))


@routes.post("/repos/{repo}/object/restore")
async def restore_object(request: web.Request) -> web.Response:
    """Makes the key what it was in a commit: by a copy in the gateway, which moves no bytes."""
    place, key = await _writable(request)
    version = str((await request.post()).get("version", ""))
    if not is_commit_id(version):
        raise web.HTTPBadRequest(text="This is no version.")
    source = f"{object_path(place.branch.bucket, key)}?versionId={version}"
    headers = {"x-amz-copy-source": source, "x-caret-message": f"restore {_short(key)} from {version[:10]}"}
    commit_id = await _write(request, "PUT", place, key, headers)
    raise see(place.at("/object", key=key, committed=commit_id))


async def _writable(request: web.Request) -> tuple[Place, str]:
    form = await request.post()
    asked = Asked(request.match_info["repo"], str(form.get("branch", "")), HEAD)
    return await ask(request, partial(Place.find, asked=asked)), str(form.get("key", ""))


async def _write(request: web.Request, method: str, place: Place, key: str, headers: Mapping[str, str]) -> str:
    """The id of the commit that came of it. What the page showed to be there, `holds`, has to be there still."""
    holds = str((await request.post()).get("holds", ""))
    if holds and not _ETAG.fullmatch(holds):
        raise web.HTTPBadRequest(text="This is no ETag.")
    condition: Mapping[str, str] = {hdrs.IF_MATCH: f'"{holds}"'} if holds else {hdrs.IF_NONE_MATCH: "*"}
    objects, credentials = request.app[OBJECTS], request[VISITOR].credentials
    try:
        sent = objects.send(credentials, method, place.branch.bucket, key, headers={**headers, **condition})
        async with sent as reply:
            return reply.headers["x-amz-version-id"]
    except Refusal as refusal:
        if refusal.status != HTTPStatus.PRECONDITION_FAILED:
            raise
        text = "Somebody has written it meanwhile, and nothing was changed. Look at it again first."
        raise web.HTTPPreconditionFailed(text=text) from refusal


async def _preview(request: web.Request, shown: Shown) -> tuple[Preview | None, Sequence[Kind]]:
    """None of what is not there, and of nothing; and as what else it may be seen."""
    detail, place = shown.detail, shown.place
    if detail is None or detail.size == 0:
        return None, ()
    sent = request.app[OBJECTS].send(
        request[VISITOR].credentials,
        "GET",
        place.branch.bucket,
        shown.key,
        rev=place.commit.id,
        headers={hdrs.RANGE: f"bytes=0-{READ_BYTES - 1}"},
    )
    async with sent as reply:
        head = await reply.read()
    content_type = detail.headers.get("content-type", "")
    choice = kinds(head, shown.key, content_type)
    wanted = next((kind for kind in choice if kind == request.query.get("as")), None)
    return await request.app[SITE].work(partial(preview, head, detail.size, shown.key, content_type, wanted)), choice


def _stat(caret: Client, branch: model.Branch, rev: str, key: str) -> model.ObjectDetail | None:
    try:
        return caret.stat(branch.repo, key, branch=branch.name, rev=rev)
    except Refusal as refusal:
        if refusal.code != "NoSuchKey":
            raise
        return None


def _size_in(caret: Client, place: Place, commit: model.Commit, key: str) -> int | None:
    changes = caret.show(place.repo, commit.id, branch=place.branch.name, prefix=key, limit=1).changes
    after = changes[0].after if changes and changes[0].key == key else None
    return None if after is None else after.size


def _short(key: str) -> str:
    """For a message, which is one line of a header."""
    printable = "".join(sign if sign.isprintable() else "?" for sign in key)
    return printable if len(printable) <= 200 else f"{printable[:200]}…"
