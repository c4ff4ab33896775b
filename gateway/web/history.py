"""History: the commits of a repo, or of one branch or revision, as a picture of their graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.api import model
from gateway.client import Client
from gateway.web import graph
from gateway.web.refs import Refs, commit_of
from gateway.web.site import ask
from gateway.web.telling import page

routes = web.RouteTableDef()

_PAGE = 100
_MOST_BRANCHES = 32  # that one picture follows: each is a request


@dataclass(frozen=True, slots=True)
class Start:
    """Where the history begins that is shown: a commit, and the branch that it is seen from."""

    branch: str
    head: model.Commit


@dataclass(frozen=True, slots=True)
class History:
    """A page, newest first. `next` is the cursor of the page behind it, None on the last."""

    refs: Refs
    starts: Sequence[Start]
    commits: Sequence[model.Commit]
    next: str | None


@routes.get("/repos/{repo}/history")
async def show_history(request: web.Request) -> web.Response:
    repo = request.match_info["repo"]
    asked, rev, after = (request.query.get(name, "").strip() for name in ("branch", "rev", "after"))
    found = await ask(request, partial(_read, repo=repo, asked=asked, rev=rev, after=after))
    return page(request, "history.html", {"repo": repo, "rev": rev, "after": after, **_picture(found)})


def _read(caret: Client, repo: str, asked: str, rev: str, after: str) -> History:
    refs = Refs.of(caret, repo, asked)
    if rev:
        starts = [Start(refs.branch, commit_of(caret, repo, rev, refs.branch))]
    elif asked:
        starts = [Start(asked, caret.get_branch(repo, asked).head)]
    else:
        newest = sorted(refs.branches, key=lambda branch: branch.head.time, reverse=True)
        starts = [Start(branch.name, branch.head) for branch in newest[:_MOST_BRANCHES]]
    commits, following = merged_log(caret, repo, starts, after)
    return History(refs, starts, commits, following)


def merged_log(
    caret: Client, repo: str, starts: Sequence[Start], after: str = "", limit: int = _PAGE
) -> tuple[Sequence[model.Commit], str | None]:
    """A page of all that led to these commits, the newest first, behind the commit `after`; and the next cursor.

    `starts` are in the order of their time, newest first. A commit is later than its parents: what began before the
    page ends, or is on it already, adds nothing to it.
    """
    found: dict[str, model.Commit] = {}
    is_more = False
    for start in starts:
        if start.head.id in found:
            continue
        if len(found) >= limit and start.head.time < _newest_first(found)[limit - 1].time:
            is_more = True
            break
        read = caret.log(repo, branch=start.branch, rev=start.head.id, all_parents=True, after=after, limit=limit)
        found.update((commit.id, commit) for commit in read.commits)
        is_more = is_more or read.next is not None
    ordered = _newest_first(found)
    shown = ordered[:limit]
    return shown, shown[-1].id if is_more or len(ordered) > limit else None


def _newest_first(found: Mapping[str, model.Commit]) -> Sequence[model.Commit]:
    """As the gateway orders them: by time, and by id where that is the same."""
    return sorted(sorted(found.values(), key=lambda commit: commit.id), key=lambda commit: commit.time, reverse=True)


def _picture(found: History) -> Mapping[str, object]:
    refs, heads = found.refs, {start.branch: start.head.id for start in found.starts}
    tips = frozenset(heads.values())
    rows = graph.lay_out(found.commits, tips, first=heads.get(refs.default))
    return {
        "refs": refs,
        "lines": [
            {
                "commit": commit,
                "heads": refs.heads_at(commit.id),
                "tags": refs.tags_at(commit.id),
                "x": graph.centre(row.column),
                "colour": graph.colour(row.column),
                "strokes": graph.strokes(row),
            }
            for commit, row in zip(found.commits, rows, strict=True)
        ],
        "width": graph.width(rows),
        "height": graph.HEIGHT,
        "next": found.next,
        "drawn": len(found.starts),
    }
