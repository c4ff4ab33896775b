"""Two revisions compared: the keys that differ, and of one key its two contents."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from aiohttp import web

from gateway.api import model
from gateway.client import Client, Refusal
from gateway.web import textdiff
from gateway.web.refs import Refs, commit_of
from gateway.web.site import ask
from gateway.web.telling import page

routes = web.RouteTableDef()

_PAGE = 200
# What there is to see of two contents that are not compared line by line.
Shown = Literal["text", "image", "binary", "large", "slow"]


@dataclass(frozen=True, slots=True)
class Asked:
    """`behind` is the last key of the page before; `key` the one whose contents are compared, None for all keys."""

    repo: str
    branch: str
    before: str
    after: str
    behind: str
    key: str | None
    beside: bool

    @classmethod
    def by(cls, request: web.Request) -> Asked:
        query = request.query
        branch, before, after = (query.get(name, "").strip() for name in ("branch", "before", "after"))
        behind, key, beside = query.get("behind", ""), query.get("key"), query.get("view") == "beside"
        return cls(request.match_info["repo"], branch, before, after, behind, key, beside)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a key holds on both sides, and how that is shown. `change` None: it holds the same."""

    key: str
    change: model.Change | None
    shown: Shown = "binary"
    diff: textdiff.TextDiff = field(default=textdiff.TextDiff((), is_cut=False))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of two commits: a page of changes, or one key's contents."""

    before: model.Commit
    after: model.Commit
    changes: Sequence[model.Change] = ()
    next: str | None = None
    contents: Contents | None = None


@routes.get("/repos/{repo}/compare")
async def show(request: web.Request) -> web.Response:
    asked = Asked.by(request)
    refs, asked, found, refused = await ask(request, partial(_read, asked=asked))
    facts = {"repo": asked.repo, "refs": refs, "asked": asked, "found": found, "unified": textdiff.unified}
    return page(request, "compare.html", facts, refused)


def _read(caret: Client, asked: Asked) -> tuple[Refs, Asked, Comparison | None, Refusal | None]:
    """A branch that is not the default one is compared with it, unless something else is asked for."""
    refs = Refs.of(caret, asked.repo, asked.branch)
    if not asked.before and not asked.after:
        asked = replace(asked, after=refs.branch, before="" if refs.branch == refs.default else refs.default)
    if not asked.before or not asked.after:
        return refs, asked, None, None
    try:
        return refs, asked, _compare(caret, asked, refs.branch), None
    except Refusal as exc:
        return refs, asked, None, exc


def _compare(caret: Client, asked: Asked, branch: str) -> Comparison:
    before, after = (commit_of(caret, asked.repo, rev, branch) for rev in (asked.before, asked.after))
    differ = partial(caret.diff, asked.repo, before.id, after_rev=after.id, branch=branch)
    if asked.key is None:
        found = differ(after=asked.behind, limit=_PAGE)
        return Comparison(before, after, found.changes, found.next)
    # Of all keys that begin with it, itself is the first.
    changes = [change for change in differ(prefix=asked.key, limit=1).changes if change.key == asked.key]
    if not changes:
        return Comparison(before, after, contents=Contents(asked.key, None))
    read = partial(_content, caret, asked.repo, asked.key, branch)
    sides = ((changes[0].before, before.id), (changes[0].after, after.id))
    return Comparison(before, after, contents=_contents(changes[0], *(partial(read, *side) for side in sides)))


def _contents(change: model.Change, *sides: partial[bytes | None]) -> Contents:
    """Read only as far as they are shown."""
    guessed, _ = mimetypes.guess_type(change.key)
    if guessed is not None and guessed.startswith("image/") and guessed != "image/svg+xml":
        return Contents(change.key, change, "image")
    contents = [side() for side in sides]
    if None in contents:
        return Contents(change.key, change, "large")
    before, after = (textdiff.text_of(content or b"") for content in contents)
    if before is None or after is None:
        return Contents(change.key, change, "binary")
    try:
        return Contents(change.key, change, "text", textdiff.compare(before, after))
    except textdiff.TooLong:
        return Contents(change.key, change, "slow")


def _content(
    caret: Client, repo: str, key: str, branch: str, version: model.Version | None, commit_id: str
) -> bytes | None:
    """None for what is too large to be compared."""
    if version is None:
        return b""
    if version.size > textdiff.LARGEST_BYTES:
        return None
    with caret.read(repo, key, branch=branch, rev=commit_id) as content:
        return content.read()
