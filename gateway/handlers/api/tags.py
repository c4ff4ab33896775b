"""Tags: list, create, show, delete."""

from __future__ import annotations

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.locate import behind, branch_of, repo_of
from gateway.handlers.context import Call
from pfs import CommitId, NoSuchTag, Tag, is_name


async def list_tags(call: Call, request: model.ListTags) -> model.Tags:
    repo = await repo_of(call, request.repo)
    found = await call.read(
        call.store.tags, repo.project, repo.name, after=behind(request.after), limit=request.limit + 1
    )
    page = [documents.tag(tag) for tag in found[: request.limit]]
    return model.Tags(tags=page, next=page[-1].name if len(found) > len(page) else None)


async def create_tag(call: Call, request: model.CreateTag) -> model.Tag:
    branch = await branch_of(call, request.repo, request.branch)
    made = call.store.create_tag(
        branch,
        request.name,
        request.rev,
        author=call.caller.display_name,
        message=request.message,
        expected_head=None if request.expected_head is None else CommitId(request.expected_head),
    )
    return documents.tag(await call.durable(made))


async def get_tag(call: Call, request: model.OfTag) -> model.Tag:
    return documents.tag(await _tag(call, request))


async def delete_tag(call: Call, request: model.OfTag) -> None:
    await _tag(call, request)
    await call.durable(call.store.delete_tag(call.caller.project, request.repo, request.tag))


async def _tag(call: Call, request: model.OfTag) -> Tag:
    await repo_of(call, request.repo)
    if not is_name(request.tag):
        raise NoSuchTag(request.repo, request.tag)
    return await call.read(call.store.tag, call.caller.project, request.repo, request.tag)
