"""Commits: the log, one of them, and what lies between two."""

from __future__ import annotations

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import branch_of
from gateway.handlers.context import Call
from pfs import CommitId


async def log(call: Call, request: model.Log) -> model.Commits:
    branch = await branch_of(call, request.repo, request.branch)
    found = await call.work(
        call.store.log,
        branch,
        request.rev,
        key=request.key,
        all_parents=request.all_parents,
        after=CommitId(request.after) if request.after else None,
        limit=request.limit + 1,
    )
    page = [documents.commit(logged.commit, logged.parents) for logged in found[: request.limit]]
    return model.Commits(commits=page, next=page[-1].id if len(found) > len(page) else None)


async def show(call: Call, request: model.ShowCommit) -> model.CommitDetail:
    branch = await branch_of(call, request.repo, request.branch)
    logged, changed = await call.work(
        call.store.show,
        branch,
        request.rev,
        prefix=request.prefix,
        behind=request.after,
        limit=request.limit,
    )
    return model.CommitDetail(
        commit=documents.commit(logged.commit, logged.parents),
        changes=[documents.change(difference) for difference in changed.changes],
        next=changed.last,
    )


async def diff(call: Call, request: model.Diff) -> model.Changes:
    branch = await branch_of(call, request.repo, request.branch)
    found = await call.work(
        call.store.diff,
        branch,
        request.before_rev,
        request.after_rev,
        prefix=request.prefix,
        behind=request.after,
        limit=request.limit,
    )
    return model.Changes(changes=[documents.change(difference) for difference in found.changes], next=found.last)
