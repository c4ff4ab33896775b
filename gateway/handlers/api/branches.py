"""Branches: list, create, show, reset, delete, restore."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.labels import label_of
from gateway.handlers.api.locate import branch_of, is_own, repo_of
from gateway.handlers.attributes import settings_of
from gateway.handlers.context import Call
from pfs import Branch, CommitId, NoSuchBranch, NoSuchRepo, is_name, to_datetime


async def list_branches(call: Call, request: model.ListBranches) -> model.Branches:
    """The caller's own; an administrator's are all of the repo."""
    repo = await repo_of(call, request.repo)

    def page() -> tuple[Sequence[model.Branch], bool]:
        branches = call.store.repo_branches(repo)
        found = [branch for branch in branches if branch.name > request.after and is_own(call, branch)]
        shown = found[: request.limit]
        return _documents(call, shown), len(found) > len(shown)

    shown, more = await call.work(page)
    return model.Branches(branches=list(shown), next=shown[-1].name if more else None)


async def create_branch(call: Call, request: model.CreateBranch) -> model.Branch:
    source = await branch_of(call, request.repo, request.branch)
    made = call.store.fork_branch(
        source,
        request.rev,
        request.name,
        label=label_of(request.repo, request.name),
        settings=settings_of(None, "", call.owner),
    )
    return await _document(call, await call.durable(made))


async def get_branch(call: Call, request: model.OfBranch) -> model.Branch:
    return await _document(call, await branch_of(call, request.repo, request.branch))


async def delete_branch(call: Call, request: model.DeleteBranch) -> None:
    branch = await branch_of(call, request.repo, request.branch)
    await call.durable(call.store.delete_branch(branch, expected_head=_commit_id(request.expected_head)))


async def reset_branch(call: Call, request: model.ResetBranch) -> model.Branch:
    branch = await branch_of(call, request.repo, request.branch)
    moved = call.store.reset_branch(branch, request.rev, expected_head=_commit_id(request.expected_head))
    return await _document(call, await call.durable(moved))


async def restore_branch(call: Call, request: model.OfBranch) -> model.Branch:
    """Of several deleted ones of the name the caller's last; the repo, where there is one, must be the caller's."""
    await _check_not_others(call, request.repo)
    if not is_name(request.branch):
        raise NoSuchBranch(request.repo, request.branch)
    restored = call.store.restore_branch(
        call.caller.project, request.repo, request.branch, may=lambda branch: is_own(call, branch)
    )
    return await _document(call, await call.durable(restored))


async def list_deleted_branches(call: Call, request: model.OfRepo, *, retention_s: float) -> model.DeletedBranches:
    """Those that `restore_branch` would bring back; of a repo that was deleted too."""
    exists = await _check_not_others(call, request.repo)
    found = await call.read(
        call.store.deleted_branches, call.caller.project, request.repo, may=lambda branch: is_own(call, branch)
    )
    if not found and not exists:
        raise NoSuchRepo(request.repo)
    return model.DeletedBranches(
        branches=[
            model.DeletedBranch(
                repo=branch.repo,
                name=branch.name,
                deleted=to_datetime(deleted_us),
                restorable_until=to_datetime(deleted_us) + timedelta(seconds=retention_s),
            )
            for branch, deleted_us in found
        ]
    )


async def _check_not_others(call: Call, repo: str) -> bool:
    """Whether there is a repo of the name; NoSuchRepo where it is not the caller's."""
    if not is_name(repo):
        raise NoSuchRepo(repo)
    try:
        await call.read(call.store.repo, call.caller.project, repo)
    except NoSuchRepo:
        return False
    await repo_of(call, repo)
    return True


def _documents(call: Call, branches: Sequence[Branch]) -> Sequence[model.Branch]:
    heads = call.store.heads(branches)
    return [documents.branch(branch, head.commit, head.parents) for branch, head in zip(branches, heads, strict=True)]


async def _document(call: Call, branch: Branch) -> model.Branch:
    (shown,) = await call.read(_documents, call, [branch])
    return shown


def _commit_id(text: str | None) -> CommitId | None:
    return None if text is None else CommitId(text)
