"""Merges: what one would do is shown first, its conflicts decided, and then exactly that is done.

The form gives back the commit and the head that the plan was made for. Where the branch has moved meanwhile nothing is
merged, and the plan is shown anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.web.conflicts import Decisions, rows
from gateway.web.refs import Refs, commit_of
from gateway.web.site import ask
from gateway.web.telling import REFUSED, done, page, text_of

routes = web.RouteTableDef()

_CHANGES = 200
_TRIES = 3  # a plan is for one head, and others write meanwhile


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be merged into which branch, and how."""

    repo: str
    branch: str
    rev: str
    squash: bool
    no_ff: bool

    @classmethod
    def by(cls, request: web.Request, given: Mapping[str, object]) -> Choice:
        branch, rev = (str(given.get(name, "")).strip() for name in ("branch", "rev"))
        return cls(request.match_info["repo"], branch, rev, "squash" in given, "no_ff" in given)


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run: `theirs` is the commit that the revision names, `head` the branch's that it is for."""

    theirs: model.Commit
    head: str
    merged: model.Merged


@dataclass(frozen=True, slots=True)
class Shown:
    refs: Refs
    choice: Choice
    plan: Plan | None
    refused: Refusal | None = None


@routes.get("/repos/{repo}/merge")
async def show(request: web.Request) -> web.Response:
    choice = Choice.by(request, request.query)
    shown = await ask(request, partial(_read, choice=choice))
    return page(request, "merge.html", _facts(shown, Decisions()), shown.refused)


@routes.post("/repos/{repo}/merge")
async def carry_out(request: web.Request) -> web.Response:
    typed = {name: str(value) for name, value in (await request.post()).items()}
    choice, decisions, message = Choice.by(request, typed), Decisions.of(typed), text_of(typed.get("message"))
    theirs, head = typed.get("theirs", ""), typed.get("expected_head", "")
    if not (choice.branch and theirs and head):
        raise web.HTTPBadRequest(text="Look first at what would be merged, and into which branch.")

    def act(caret: Client) -> model.Merged:
        return decisions.carried_out(
            lambda strategy: caret.merge(
                choice.repo,
                choice.branch,
                theirs,
                message=message or None,
                strategy=strategy,
                fast_forward=not choice.no_ff,
                squash=choice.squash,
                expected_head=head,
            )
        )

    try:
        merged = await ask(request, act)
    except REFUSED as exc:
        shown = await ask(request, partial(_read, choice=choice))
        return page(request, "merge.html", _facts(shown, decisions, message), exc)
    outcome = {"commit": "merged", "fast-forward": "forwarded", "nothing": "nothing"}[merged.kind]
    raise done(outcome, choice.repo, "commits", merged.head.id, branch=choice.branch)


def _read(caret: Client, choice: Choice) -> Shown:
    refs = Refs.of(caret, choice.repo, choice.branch)
    choice = replace(choice, branch=refs.branch)
    if not choice.rev:
        return Shown(refs, choice, None)
    try:
        return Shown(refs, choice, _plan(caret, choice))
    except Refusal as exc:
        return Shown(refs, choice, None, exc)


def _plan(caret: Client, choice: Choice) -> Plan:
    theirs = commit_of(caret, choice.repo, choice.rev, choice.branch)

    def dry_run() -> Plan:
        head = caret.get_branch(choice.repo, choice.branch).head.id
        merged = caret.merge(
            choice.repo,
            choice.branch,
            theirs.id,
            fast_forward=not choice.no_ff,
            squash=choice.squash,
            dry_run=True,
            expected_head=head,
        )
        return Plan(theirs, head, merged)

    for _ in range(_TRIES - 1):
        try:
            return dry_run()
        except Refusal as exc:
            if exc.code != "HeadMoved":
                raise
    return dry_run()


def _facts(shown: Shown, decisions: Decisions, message: str = "") -> Mapping[str, object]:
    choice, plan = shown.choice, shown.plan
    conflicts = plan.merged.conflicts if plan else []
    return {
        "repo": choice.repo,
        "refs": shown.refs,
        "choice": choice,
        "plan": plan,
        "changes": plan.merged.changes[:_CHANGES] if plan else [],
        "conflicts": rows(conflicts, decisions),
        "count": len(conflicts),
        "rest": decisions.rest,
        "message": message or f"Merge {choice.rev} into {choice.branch}",
    }
