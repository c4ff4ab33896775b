"""Tags of objects and of buckets: settings beside the history, so that none of these makes a commit.

An object's tags belong to one version of it, whichever revision it is reached through.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.handlers.attributes import TAGS, dump_tags, load_tags
from gateway.handlers.authorise import entry_at
from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of, writable_branch
from gateway.s3 import operations as op
from gateway.s3.errors import NoSuchTagSet


async def get_object_tagging(ctx: Context, request: op.ObjectVersionInput) -> op.GetTaggingOutput:
    entry = await entry_at(ctx, "GET", request.bucket, request.key, request.version_id)
    return op.GetTaggingOutput(load_tags(entry.settings.get(TAGS)), entry.commit_id)


async def put_object_tagging(ctx: Context, request: op.PutObjectTaggingInput) -> op.Empty:
    target = op.ObjectVersionInput(request.bucket, request.key, request.version_id)
    return op.Empty(200, await _tag_object(ctx, "PUT", target, request.tags))


async def delete_object_tagging(ctx: Context, request: op.ObjectVersionInput) -> op.Empty:
    return op.Empty(204, await _tag_object(ctx, "DELETE", request, {}))


async def _tag_object(
    ctx: Context, method: str, target: op.ObjectVersionInput, tags: Mapping[str, str]
) -> Mapping[str, str]:
    """The answer's headers."""
    branch = await writable_branch(ctx, target.bucket)
    entry = await entry_at(ctx, method, target.bucket, target.key, target.version_id)
    await ctx.durable(ctx.store.set_entry_setting(branch, entry, TAGS, dump_tags(tags)))
    return {"x-amz-version-id": entry.commit_id}


async def get_bucket_tagging(ctx: Context, request: op.BucketInput) -> op.GetTaggingOutput:
    branch = await branch_of(ctx, request.bucket)
    tags = load_tags(await ctx.read(ctx.store.branch_setting, branch, TAGS))
    if not tags:
        raise NoSuchTagSet(fields={"BucketName": request.bucket})
    return op.GetTaggingOutput(tags)


async def put_bucket_tagging(ctx: Context, request: op.PutBucketTaggingInput) -> op.Empty:
    await _tag_bucket(ctx, request.bucket, request.tags)
    return op.Empty(200)


async def delete_bucket_tagging(ctx: Context, request: op.BucketInput) -> op.Empty:
    await _tag_bucket(ctx, request.bucket, {})
    return op.Empty(204)


async def _tag_bucket(ctx: Context, bucket: str, tags: Mapping[str, str]) -> None:
    branch = await writable_branch(ctx, bucket)
    await ctx.durable(ctx.store.set_branch_setting(branch, TAGS, dump_tags(tags)))
