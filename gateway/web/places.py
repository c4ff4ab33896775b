"""Where in a repo a page is: a branch, and a revision as seen from it. Both stand in every address, as they were asked
for; what the page shows is read by the commit's id, which the revision is resolved to once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web
from yarl import URL

from gateway.api import model
from gateway.client import Client
from gateway.web.refs import commit_of

HEAD = "HEAD"
# What a visitor can mend where he typed it.
MISTYPED = frozenset({"InvalidRevision", "NoSuchRevision", "AmbiguousRevision", "UnrelatedRepo", "NoSuchBranch"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address names. `branch` empty is the repo's default branch."""

    repo: str
    branch: str
    rev: str

    @classmethod
    def by(cls, request: web.Request) -> Asked:
        branch, rev = (request.query.get(name, "").strip() for name in ("branch", "rev"))
        return cls(request.match_info["repo"], branch, rev or HEAD)


@dataclass(frozen=True, slots=True)
class Place:
    """`rev` as it was asked for, `commit` what it is."""

    repo: str
    branch: model.Branch
    rev: str
    commit: model.Commit

    @classmethod
    def find(cls, caret: Client, asked: Asked) -> Place:
        """Raises Refusal."""
        branch = caret.get_branch(asked.repo, asked.branch or caret.default_branch(asked.repo))
        if asked.rev == HEAD:
            return cls(asked.repo, branch, HEAD, branch.head)
        return cls(asked.repo, branch, asked.rev, commit_of(caret, asked.repo, asked.rev, branch.name))

    @property
    def is_head(self) -> bool:
        return self.rev == HEAD

    @property
    def takes_writes(self) -> bool:
        return self.is_head and not self.branch.protected

    def at(self, page: str = "", **query: str) -> str:
        """The address of another page at this place; with `rev`, at that revision. What is empty is left out."""
        given = {"branch": self.branch.name, "rev": "" if self.is_head else self.rev, **query}
        return address(self.repo, page, **given)


def address(repo: str, page: str = "", **query: str) -> str:
    told = urlencode({name: value for name, value in query.items() if value}, quote_via=quote)
    return f"/repos/{quote(repo, safe='')}{page}{f'?{told}' if told else ''}"


def see(there: str) -> web.HTTPSeeOther:
    """Leads to an address of ours, which stays as it is written."""
    return web.HTTPSeeOther(URL(there, encoded=True))


def folder_of(key: str) -> str:
    """The prefix of the folder that a key, or a folder, lies in."""
    return key[: key.rstrip("/").rfind("/") + 1] if key.endswith("/") else key[: key.rfind("/") + 1]


def crumbs(prefix: str) -> Sequence[tuple[str, str]]:
    """Each folder on the way to a prefix: its name, its own prefix. A folder without a name keeps its slash."""
    found = []
    end = 0
    while end < len(prefix):
        start, end = end, prefix.index("/", end) + 1
        found.append((prefix[start : end - 1] or "/", prefix[:end]))
    return found
