"""Trees at a revision: their keys, and all about one of them. Content is S3's to serve."""

from __future__ import annotations

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import branch_of
from gateway.handlers.context import Call


async def ls(call: Call, request: model.ListTree) -> model.Tree:
    branch = await branch_of(call, request.repo, request.branch)
    view = await call.read(call.store.at, branch, request.rev)
    page = await call.work(
        call.store.list,
        view,
        prefix=request.prefix,
        delimiter=request.delimiter,
        after=request.after,
        limit=request.limit,
    )
    assert view.commit is not None
    return model.Tree(
        commit_id=view.commit.id,
        entries=[documents.entry(found) for found in page.entries],
        prefixes=list(page.prefixes),
        next=page.last,
    )


async def stat(call: Call, request: model.StatObject) -> model.ObjectDetail:
    branch = await branch_of(call, request.repo, request.branch)
    view = await call.read(call.store.at, branch, request.rev)
    entry = await call.read(call.store.entry, view, request.key)
    return documents.object_detail(entry, await call.read(call.store.parts, entry.content))
