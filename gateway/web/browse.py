"""A repo's files at any revision, a folder at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.web.places import MISTYPED, Asked, Place, crumbs
from gateway.web.refs import Refs
from gateway.web.site import ask
from gateway.web.telling import page

routes = web.RouteTableDef()

_PAGE = 500
_COMMIT_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Folder:
    """A page of what lies below `prefix` and begins with `starts`, folders before files. `after`: the name that the
    page begins behind, `next`: that of the next page."""

    prefix: str
    starts: str
    after: str
    folders: Sequence[str]
    files: Sequence[model.Entry]
    next: str | None

    @classmethod
    def read(cls, caret: Client, place: Place, prefix: str, starts: str, after: str) -> Folder:
        """What follows the last slash of what was asked for is the beginning of names."""
        whole = prefix + starts
        end = whole.rfind("/") + 1
        page = caret.ls(
            place.repo,
            branch=place.branch.name,
            rev=place.commit.id,
            prefix=whole,
            delimiter="/",
            after=after,
            limit=_PAGE,
        )
        return cls(whole[:end], whole[end:], after, page.prefixes, page.entries, page.next)


@routes.get("/repos/{repo}")
async def show_files(request: web.Request) -> web.Response:
    asked = Asked.by(request)
    told = [request.query.get(name, "") for name in ("prefix", "starts", "after")]
    try:
        place, folder, refs = await ask(request, partial(_read, asked=asked, told=told))
    except Refusal as refusal:
        if refusal.code not in MISTYPED:
            raise
        return await no_revision(request, asked, refusal)
    facts = {
        "asked": asked,
        "place": place,
        "folder": folder,
        "refs": refs,
        "crumbs": crumbs(folder.prefix),
        "committed": committed(request),
    }
    return page(request, "files.html", facts)


async def no_revision(request: web.Request, asked: Asked, refusal: Refusal) -> web.Response:
    """What was typed, to be mended."""
    refs = await ask(request, partial(Refs.of, repo=asked.repo, asked=asked.branch))
    return page(request, "no_revision.html", {"asked": asked, "refs": refs}, refusal)


def committed(request: web.Request) -> str:
    """The commit that led here: what a form or an upload came to."""
    told = request.query.get("committed", "")
    return told if is_commit_id(told) else ""


def is_commit_id(text: str) -> bool:
    return _COMMIT_ID.fullmatch(text) is not None


def _read(caret: Client, asked: Asked, told: Sequence[str]) -> tuple[Place, Folder, Refs]:
    place = Place.find(caret, asked)
    return place, Folder.read(caret, place, *told), Refs.of(caret, asked.repo, place.branch.name)
