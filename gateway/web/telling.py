"""How an outcome is told: what was done on the page that it leads to, what was refused beside the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
import msgspec
from aiohttp import web
from yarl import URL

from gateway.client import Refusal

_TOLD: Mapping[str, str] = {
    "merged": "Merged: this commit is the branch's head now.",
    "forwarded": "Merged by a fast-forward: this commit is the branch's head now.",
    "nothing": "There was nothing to do: the branch has all of it already.",
    "reverted": "Reverted: this commit is the branch's head now.",
    "picked": "Cherry-picked: this commit is the branch's head now.",
    "reset": "Reset: this commit is the branch's head now. The former head stays reachable by its id.",
    "tagged": "Tagged.",
    "branched": "The branch is made.",
    "branch-deleted": "The branch is deleted; it can be restored below.",
    "restored": "The branch is restored.",
    "protected": "Branches of these names take merges only from now on.",
    "unprotected": "The protection is lifted.",
    "untagged": "The tag is deleted; its commit stays.",
    "repo-deleted": "The repo is deleted; with any of its branches it is restored.",
    "renamed": "The repo is renamed, and its buckets with it.",
}
REFUSED = (Refusal, msgspec.ValidationError)
"""What a form can be told of; the latter are values that no endpoint takes."""


def _problem(exc: Refusal | msgspec.ValidationError) -> str:
    if isinstance(exc, msgspec.ValidationError):
        return f"That cannot be sent: {exc}."
    match exc.code:
        case "ProtectedBranch":
            branch, pattern = (exc.details.get(fact, "") for fact in ("branch", "pattern"))
            return (
                f"{branch} is protected by the pattern {pattern}: it takes merges only. Make a branch of it, change "
                "that one, and merge it; or lift the protection under Branches."
            )
        case "HeadMoved":
            return f"The branch has moved meanwhile: its head is {exc.details.get('head', '')[:10]} now. Look again."
        case "MergeConflict":
            return "Both sides have changed the same keys. Decide whose content each of them is to have."
    return _sentence(exc.message)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _status(exc: Refusal | msgspec.ValidationError) -> int:
    return exc.status if isinstance(exc, Refusal) else 400


def page(
    request: web.Request,
    template: str,
    facts: Mapping[str, Any],
    refused: Refusal | msgspec.ValidationError | None = None,
) -> web.Response:
    """A page of a repo, with what was done before or is refused now."""
    notice = "" if refused else _TOLD.get(request.query.get("done", ""), "")
    shown = {**facts, "notice": notice, "problem": _problem(refused) if refused else ""}
    return aiohttp_jinja2.render_template(template, request, shown, status=_status(refused) if refused else 200)


def done(outcome: str, *parts: str, **query: str) -> web.HTTPSeeOther:
    """The way to a page that tells the outcome: `parts` of the path below /repos, not yet quoted."""
    assert outcome in _TOLD
    there = URL("/repos").joinpath(*parts) if parts else URL("/repos")
    return web.HTTPSeeOther(there.with_query({**query, "done": outcome}))


def text_of(typed: object) -> str:
    """What was typed into a text area, with the ends of lines that were typed: browsers send CR LF."""
    return typed.replace("\r\n", "\n").strip() if isinstance(typed, str) else ""
