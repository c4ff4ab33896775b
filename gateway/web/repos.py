"""Repos: the list, where every visit begins, and a new one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.client.client import just_before
from gateway.web.places import address, see
from gateway.web.site import ask
from gateway.web.telling import page

routes = web.RouteTableDef()

_PAGE = 50
_NOT_A_NAME = re.compile(r"[^a-z0-9-]+")
# What whoever makes a repo can mend in the form.
_MISTYPED = frozenset({"InvalidName", "RepoExists", "InvalidArgument"})


@dataclass(frozen=True, slots=True)
class Row:
    """`newest` is the head of the default branch, where that is the visitor's to see."""

    repo: model.Repo
    newest: model.Commit | None


@routes.get("/repos")
async def list_repos(request: web.Request) -> web.Response:
    return await _page(request)


@routes.post("/repos")
async def create_repo(request: web.Request) -> web.Response:
    form = {name: str(value).strip() for name, value in (await request.post()).items()}
    name, branch = form.get("name", ""), form.get("default_branch", "") or "main"
    try:
        await ask(request, lambda caret: caret.create_repo(name, default_branch=branch))
    except Refusal as refusal:
        if refusal.code not in _MISTYPED:
            raise
        return await _page(request, refusal, name, branch)
    raise see(address(name))


async def _page(
    request: web.Request, refusal: Refusal | None = None, name: str = "", branch: str = "main"
) -> web.Response:
    begins = _NOT_A_NAME.sub("", request.query.get("begins", "").lower())
    after = request.query.get("after", "")
    rows, following = await ask(request, partial(_rows, begins=begins, after=after))
    facts = {
        "rows": rows,
        "begins": begins,
        "after": after,
        "next": following,
        "name": name,
        "branch": branch,
    }
    return page(request, "repos.html", facts, refusal)


def _rows(caret: Client, begins: str, after: str) -> tuple[Sequence[Row], str | None]:
    """A page of the repos whose names begin so, and the `after` of the next one."""
    listed = caret.list_repos(after=max(after, just_before(begins)), limit=_PAGE)
    found = [repo for repo in listed.repos if repo.name.startswith(begins)]
    is_last = listed.next is None or len(found) < len(listed.repos)
    return [Row(repo, _newest(caret, repo)) for repo in found], None if is_last else listed.next


def _newest(caret: Client, repo: model.Repo) -> model.Commit | None:
    try:
        return caret.get_branch(repo.name, repo.default_branch).head
    except Refusal as refusal:
        if refusal.status != 404:  # somebody else's branch, or deleted meanwhile
            raise
        return None
