"""A repo's branches, protections and tags, what was deleted of them, and the repo itself: each form does one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.web.site import ask
from gateway.web.telling import REFUSED, done, page, text_of

routes = web.RouteTableDef()

_PAGE = 200
_Form = Mapping[str, str]
_NOTHING: _Form = {"do": "", "name": "", "rev": "", "pattern": "", "message": ""}


@dataclass(frozen=True, slots=True)
class Shown:
    """Of a repo that was deleted only what can be restored: `default` is empty."""

    default: str
    branches: model.Branches
    tags: model.Tags
    protections: Sequence[model.Protection]
    deleted: Sequence[model.DeletedBranch]


@routes.get("/repos/{repo}/branches")
async def show(request: web.Request) -> web.Response:
    return page(request, "branches.html", await _facts(request, _NOTHING))


@routes.post("/repos/{repo}/branches")
async def change(request: web.Request) -> web.Response:
    form = {**_NOTHING, **{name: str(value).strip() for name, value in (await request.post()).items()}}
    repo, act = request.match_info["repo"], _ACTIONS.get(form["do"])
    if act is None:
        raise web.HTTPBadRequest(text="The form does not say what is to be done.")
    if form["do"] == "delete-repo" and form["name"] != repo:
        raise web.HTTPBadRequest(text=f"To delete the repo, give its name: {repo}.")
    try:
        await ask(request, partial(act.run, repo=repo, form=form))
    except REFUSED as exc:
        return page(request, "branches.html", await _facts(request, form), exc)
    raise done(act.outcome, form["name"] if form["do"] == "rename" else repo, "branches")


async def _facts(request: web.Request, typed: _Form) -> Mapping[str, object]:
    repo = request.match_info["repo"]
    after, tags_after = (request.query.get(name, "") for name in ("after", "tags_after"))
    shown = await ask(request, partial(_read, repo=repo, after=after, tags_after=tags_after))
    return {"repo": repo, "shown": shown, "typed": typed, "after": after, "tags_after": tags_after}


def _read(caret: Client, repo: str, after: str, tags_after: str) -> Shown:
    try:
        branches = caret.list_branches(repo, after=after, limit=_PAGE)
    except Refusal as exc:
        if exc.code != "NoSuchRepo":
            raise
        deleted = caret.list_deleted_branches(repo).branches  # refused as well where there never was one
        return Shown("", model.Branches(branches=[]), model.Tags(tags=[]), [], deleted)
    return Shown(
        caret.default_branch(repo),
        branches,
        caret.list_tags(repo, after=tags_after, limit=_PAGE),
        caret.list_protections(repo).protections,
        caret.list_deleted_branches(repo).branches,
    )


# ---------------------------------------------------------------- what the forms do


def _create(caret: Client, repo: str, form: _Form) -> None:
    caret.create_branch(repo, form["name"], rev=form["rev"] or "HEAD", branch=form.get("branch") or None)


def _delete(caret: Client, repo: str, form: _Form) -> None:
    caret.delete_branch(repo, form["name"], expected_head=form.get("expected_head") or None)


def _restore(caret: Client, repo: str, form: _Form) -> None:
    caret.restore_branch(repo, form["name"])


def _protect(caret: Client, repo: str, form: _Form) -> None:
    caret.protect(repo, form["pattern"])


def _unprotect(caret: Client, repo: str, form: _Form) -> None:
    caret.unprotect(repo, form["pattern"])


def _tag(caret: Client, repo: str, form: _Form) -> None:
    message = text_of(form["message"])
    caret.create_tag(repo, form["name"], rev=form["rev"] or "HEAD", branch=form.get("branch") or None, message=message)


def _untag(caret: Client, repo: str, form: _Form) -> None:
    caret.delete_tag(repo, form["name"])


def _rename(caret: Client, repo: str, form: _Form) -> None:
    caret.rename_repo(repo, form["name"])


def _delete_repo(caret: Client, repo: str, form: _Form) -> None:
    caret.delete_repo(repo)


@dataclass(frozen=True, slots=True)
class _Action:
    run: Callable[..., None]
    outcome: str


_ACTIONS: Mapping[str, _Action] = {
    "create": _Action(_create, "branched"),
    "delete": _Action(_delete, "branch-deleted"),
    "restore": _Action(_restore, "restored"),
    "protect": _Action(_protect, "protected"),
    "unprotect": _Action(_unprotect, "unprotected"),
    "tag": _Action(_tag, "tagged"),
    "untag": _Action(_untag, "untagged"),
    "rename": _Action(_rename, "renamed"),
    "delete-repo": _Action(_delete_repo, "repo-deleted"),
}
