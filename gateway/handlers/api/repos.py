"""Repos: list, create, show, rename, delete."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.labels import label_of, relabelled
from gateway.handlers.api.locate import behind, governs, is_own, repo_of
from gateway.handlers.attributes import settings_of
from gateway.handlers.context import Call
from gateway.handlers.faults import Refused
from gateway.s3.errors import AccessDenied
from pfs import Branch, Repo, RepoExists

_PAGE = 1000


async def list_repos(call: Call, request: model.ListRepos) -> model.Repos:
    """The caller's own; an administrator's are all of the project."""
    found: list[model.Repo] = []
    after = behind(request.after)
    while page := await call.read(call.store.repos, call.caller.project, after=after, limit=_PAGE):
        for repo in page:
            if await governs(call, repo):
                if len(found) == request.limit:
                    return model.Repos(repos=found, next=found[-1].name)
                found.append(documents.repo(repo))
        after = page[-1].name
    return model.Repos(repos=found)


async def create_repo(call: Call, request: model.CreateRepo) -> model.RepoDetail:
    """Its default branch is the bucket of the repo's name, as CreateBucket would have made it."""
    label_of(request.name, request.default_branch)  # by which S3 knows it too

    def guard(_: Branch | None, __: Sequence[Branch]) -> None:
        raise RepoExists(request.name)

    await call.durable(
        call.store.create_branch(
            call.caller.project,
            request.name,
            request.default_branch,
            label=label_of(request.name, None),
            author=call.caller.display_name,
            settings=settings_of(None, "", call.owner),
            guard=guard,
        )
    )
    return await _detail(call, await repo_of(call, request.name))


async def get_repo(call: Call, request: model.OfRepo) -> model.RepoDetail:
    return await _detail(call, await repo_of(call, request.repo))


async def rename_repo(call: Call, request: model.RenameRepo) -> model.RepoDetail:
    repo = await repo_of(call, request.repo)
    renamed = await call.durable(
        call.store.rename_repo(
            call.caller.project,
            repo.name,
            request.name,
            relabel=relabelled,
            guard=lambda branches: _check_all_own(call, branches),
        )
    )
    return await _detail(call, renamed)


async def delete_repo(call: Call, request: model.OfRepo) -> None:
    repo = await repo_of(call, request.repo)
    await call.durable(
        call.store.delete_repo(call.caller.project, repo.name, guard=lambda branches: _check_all_own(call, branches))
    )


def _check_all_own(call: Call, branches: Sequence[Branch]) -> None:
    """What befalls a repo befalls all of its branches."""
    if not all(is_own(call, branch) for branch in branches):
        raise Refused(AccessDenied("Access Denied: some of the repo's branches are somebody else's."))


async def _detail(call: Call, repo: Repo) -> model.RepoDetail:
    return documents.repo_detail(await call.work(call.store.repo_summary, repo))
