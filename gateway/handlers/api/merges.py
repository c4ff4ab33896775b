"""Merges, and single commits applied once more or undone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pfs
from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import branch_of
from gateway.handlers.context import Call
from pfs import Branch, CommitId, canonical_json


async def merge(call: Call, request: model.Merge) -> model.Merged:
    branch = await branch_of(call, request.repo, request.branch)
    if request.dry_run:
        return await call.work(_plan, call, branch, request)
    return await _carried_out(
        call,
        call.store.merge(
            branch,
            request.rev,
            author=call.caller.display_name,
            message=request.message,
            metadata=canonical_json(request.metadata),
            strategy=request.strategy,
            fast_forward=request.fast_forward,
            squash=request.squash,
            expected_head=_expected(request),
        ),
    )


async def revert(call: Call, request: model.ApplyCommit) -> model.Merged:
    return await _apply(call, request, call.store.revert)


async def cherry_pick(call: Call, request: model.ApplyCommit) -> model.Merged:
    return await _apply(call, request, call.store.cherry_pick)


async def _apply(call: Call, request: model.ApplyCommit, operation: Callable[..., Future[pfs.Merged]]) -> model.Merged:
    branch = await branch_of(call, request.repo, request.branch)
    return await _carried_out(
        call,
        operation(
            branch,
            request.rev,
            author=call.caller.display_name,
            message=request.message,
            metadata=canonical_json(request.metadata),
            strategy=request.strategy,
            expected_head=_expected(request),
        ),
    )


def _plan(call: Call, branch: Branch, request: model.Merge) -> model.Merged:
    """The head is the one that the branch has, and keeps."""
    planned = call.store.plan_merge(
        branch,
        request.rev,
        strategy=request.strategy,
        fast_forward=request.fast_forward,
        squash=request.squash,
        expected_head=_expected(request),
    )
    head = call.store.resolve(branch, "HEAD")
    return documents.merged(planned, head, call.store.parents(head), dry_run=True)


async def _carried_out(call: Call, write: Future[pfs.Merged]) -> model.Merged:
    done = await call.durable(write)
    return documents.merged(done.merge, done.head, await call.read(call.store.parents, done.head))


def _expected(request: model.Merge | model.ApplyCommit) -> CommitId | None:
    return None if request.expected_head is None else CommitId(request.expected_head)
