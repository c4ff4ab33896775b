"""One commit applied to a branch: reverted, cherry-picked, or made its head. What will be done is shown first.

The head that is shown is the one that the form gives back: where the branch has moved meanwhile nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client
from gateway.web.conflicts import Decisions, conflicts_of, rows
from gateway.web.refs import Refs
from gateway.web.site import ask
from gateway.web.telling import REFUSED, done, page, text_of

routes = web.RouteTableDef()

# What can be done with a commit → how it is told when it is done.
_OUTCOMES: Mapping[str, str] = {"revert": "reverted", "cherry-pick": "picked", "reset": "reset"}


@dataclass(frozen=True, slots=True)
class Asked:
    repo: str
    how: str
    rev: str
    branch: str

    @classmethod
    def by(cls, request: web.Request, given: Mapping[str, object]) -> Asked:
        how, rev, branch = (str(given.get(name, "")).strip() for name in ("how", "rev", "branch"))
        if how not in _OUTCOMES or not rev or not branch:
            raise web.HTTPBadRequest(text="Say what is to be done (how), with which commit (rev), on which branch.")
        return cls(request.match_info["repo"], how, rev, branch)


@dataclass(frozen=True, slots=True)
class Shown:
    refs: Refs
    commit: model.Commit
    head: model.Branch


@routes.get("/repos/{repo}/apply")
async def show(request: web.Request) -> web.Response:
    asked = Asked.by(request, request.query)
    return page(request, "apply.html", await _facts(request, asked))


@routes.post("/repos/{repo}/apply")
async def carry_out(request: web.Request) -> web.Response:
    form = await request.post()
    typed = {name: str(value) for name, value in form.items()}
    asked, decisions = Asked.by(request, typed), Decisions.of(typed)
    message, expected_head = text_of(typed.get("message")), typed.get("expected_head") or None

    def act(caret: Client) -> tuple[str, str]:
        """The branch's head afterwards, and what to tell."""
        if asked.how == "reset":
            moved = caret.reset_branch(asked.repo, asked.branch, asked.rev, expected_head=expected_head)
            return moved.head.id, "reset"
        call = caret.revert if asked.how == "revert" else caret.cherry_pick
        made = decisions.carried_out(
            lambda strategy: call(
                asked.repo,
                asked.branch,
                asked.rev,
                message=message or None,
                strategy=strategy,
                expected_head=expected_head,
            )
        )
        return made.head.id, "nothing" if made.kind == "nothing" else _OUTCOMES[asked.how]

    try:
        head, outcome = await ask(request, act)
    except REFUSED as exc:
        conflicts = conflicts_of(exc)
        facts = {**await _facts(request, asked), "message": message, "conflicts": rows(conflicts, decisions)}
        if conflicts:
            facts |= {"count": len(conflicts), "expected_head": expected_head, "rest": decisions.rest}
        return page(request, "apply.html", facts, exc)
    raise done(outcome, asked.repo, "commits", head, branch=asked.branch)


async def _facts(request: web.Request, asked: Asked) -> dict[str, object]:
    shown = await ask(request, partial(_read, asked=asked))
    commit = shown.commit
    return {
        "repo": asked.repo,
        "how": asked.how,
        "refs": shown.refs,
        "commit": commit,
        "branch": shown.head,
        "expected_head": shown.head.head.id,
        "message": f"Revert {commit.id}" if asked.how == "revert" else commit.message,
        "conflicts": [],
        "count": 0,
        "rest": None,
    }


def _read(caret: Client, asked: Asked) -> Shown:
    refs = Refs.of(caret, asked.repo, asked.branch)
    commit = caret.show(asked.repo, asked.rev, branch=asked.branch, limit=1).commit
    return Shown(refs, commit, caret.get_branch(asked.repo, asked.branch))
