"""Protections: list, add, lift. Settings of the repo: no commit is made by them."""

from __future__ import annotations

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import repo_of
from gateway.handlers.context import Call


async def list_protections(call: Call, request: model.OfRepo) -> model.Protections:
    repo = await repo_of(call, request.repo)
    found = await call.read(call.store.protections, repo)
    return model.Protections(protections=[documents.protection(one) for one in found])


async def protect(call: Call, request: model.OfProtection) -> model.Protection:
    """Again is no error: the protection stays as it is."""
    repo = await repo_of(call, request.repo)
    made = await call.durable(call.store.protect(repo, request.pattern, call.caller.display_name))
    return documents.protection(made)


async def unprotect(call: Call, request: model.OfProtection) -> None:
    repo = await repo_of(call, request.repo)
    await call.durable(call.store.unprotect(repo, request.pattern))
