"""A commit: what it says of itself, what it changed, and what can be made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client
from gateway.web.refs import Refs
from gateway.web.site import ask
from gateway.web.telling import REFUSED, done, page, text_of

routes = web.RouteTableDef()

_PAGE = 200
_NOTHING: Mapping[str, object] = {"do": "", "name": "", "message": ""}


@dataclass(frozen=True, slots=True)
class Shown:
    refs: Refs
    detail: model.CommitDetail


@routes.get("/repos/{repo}/commits/{id}")
async def show_commit(request: web.Request) -> web.Response:
    return page(request, "commit.html", await _facts(request))


@routes.post("/repos/{repo}/commits/{id}")
async def name_commit(request: web.Request) -> web.Response:
    """Makes a tag or a branch of it, as the button says."""
    repo, commit_id, form = request.match_info["repo"], request.match_info["id"], await request.post()
    name, seen_from = str(form.get("name", "")).strip(), str(form.get("branch", ""))
    is_tag = form.get("do") == "tag"

    def make(caret: Client) -> None:
        branch = seen_from or None
        if is_tag:
            caret.create_tag(repo, name, rev=commit_id, branch=branch, message=text_of(form.get("message")))
        else:
            caret.create_branch(repo, name, rev=commit_id, branch=branch)

    try:
        await ask(request, make)
    except REFUSED as exc:
        return page(request, "commit.html", await _facts(request, form), exc)
    query = {"branch": seen_from} if seen_from else {}
    raise done("tagged" if is_tag else "branched", repo, "commits", commit_id, **query)


async def _facts(request: web.Request, typed: Mapping[str, object] = _NOTHING) -> Mapping[str, object]:
    repo, commit_id = request.match_info["repo"], request.match_info["id"]
    asked, after = (request.query.get(name, "") for name in ("branch", "after"))
    shown = await ask(request, partial(_read, repo=repo, rev=commit_id, asked=asked, after=after))
    commit = shown.detail.commit
    return {
        "repo": repo,
        "refs": shown.refs,
        "commit": commit,
        "text": commit.message.strip().partition("\n")[2].strip(),
        "heads": shown.refs.heads_at(commit.id),
        "tags": shown.refs.tags_at(commit.id),
        "changes": shown.detail.changes,
        "after": after,
        "next": shown.detail.next,
        "typed": {**_NOTHING, **typed},
    }


def _read(caret: Client, repo: str, rev: str, asked: str, after: str) -> Shown:
    refs = Refs.of(caret, repo, asked)
    return Shown(refs, caret.show(repo, rev, branch=refs.branch, after=after, limit=_PAGE))
