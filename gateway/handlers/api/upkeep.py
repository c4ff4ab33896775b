"""Upkeep: collecting garbage."""

from __future__ import annotations

from gateway import metrics
from gateway.access.principals import ROOT
from gateway.api import model
from gateway.api.errors import ApiError
from gateway.handlers.context import Call


async def collect_garbage(call: Call, request: model.CollectGarbage) -> model.Collected:
    """Answers when it is done, which may take long; it goes on where the caller does not wait."""
    if call.caller.id != ROOT.id:
        raise ApiError("AccessDenied", "This is for the operator, root: it goes over all projects.")
    found = await call.work(call.store.collect_garbage, dry_run=request.dry_run)
    if not request.dry_run:
        metrics.garbage_collected(found.counts, found.bytes)
    return model.Collected(
        uploads=found.uploads,
        transactions=found.transactions,
        branches=found.branches,
        repos=found.repos,
        commits=found.commits,
        blobs=found.blobs,
        bytes=found.bytes,
        blobs_condemned=found.blobs_condemned,
        bytes_condemned=found.bytes_condemned,
        dry_run=found.dry_run,
    )
