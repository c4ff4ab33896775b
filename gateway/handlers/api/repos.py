"""Repos: list, create, show, rename, delete."""

from __future__ import annotations

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import governs, repo_of
from gateway.handlers.context import Call

_PAGE = 1000


async def list_repos(call: Call, request: model.ListRepos) -> model.Repos:
    """The caller's own; an administrator's are all of the project."""
    found: list[model.Repo] = []
    after = request.after
    while page := await call.read(call.store.repos, call.caller.project, after=after, limit=_PAGE):
        for repo in page:
            if await governs(call, repo):
                if len(found) == request.limit:
                    return model.Repos(repos=found, next=found[-1].name)
                found.append(documents.repo(repo))
        after = page[-1].name
    return model.Repos(repos=found)


async def get_repo(call: Call, request: model.OfRepo) -> model.RepoDetail:
    repo = await repo_of(call, request.repo)
    return documents.repo_detail(await call.work(call.store.repo_summary, repo))
