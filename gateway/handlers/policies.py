"""Bucket policies: a setting of the branch, kept as it was sent, once it is known what it says."""

from __future__ import annotations

from gateway.access.documents import parse_document
from gateway.handlers.attributes import POLICY
from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of, writable_branch
from gateway.handlers.ownership import bucket_names
from gateway.s3 import operations as op
from gateway.s3.errors import MalformedPolicy, NoSuchBucketPolicy


async def get_bucket_policy(ctx: Context, request: op.BucketInput) -> op.GetBucketPolicyOutput:
    return op.GetBucketPolicyOutput(await _kept(ctx, request.bucket))


async def get_bucket_policy_status(ctx: Context, request: op.BucketInput) -> op.GetBucketPolicyStatusOutput:
    return op.GetBucketPolicyStatusOutput(parse_document(await _kept(ctx, request.bucket)).is_public)


async def put_bucket_policy(ctx: Context, request: op.PutBucketPolicyInput) -> op.Empty:
    branch = await writable_branch(ctx, request.bucket)
    try:
        text = request.document.decode()
    except UnicodeDecodeError as exc:
        raise MalformedPolicy from exc
    parse_document(text).check_is_for(bucket_names(branch))
    await ctx.durable(ctx.store.set_branch_setting(branch, POLICY, text))
    return op.Empty(204)


async def delete_bucket_policy(ctx: Context, request: op.BucketInput) -> op.Empty:
    branch = await writable_branch(ctx, request.bucket)
    await ctx.durable(ctx.store.set_branch_setting(branch, POLICY, None))
    return op.Empty(204)


async def _kept(ctx: Context, bucket: str) -> str:
    text = (await branch_of(ctx, bucket)).settings.get(POLICY)
    if text is None:
        raise NoSuchBucketPolicy(fields={"BucketName": bucket})
    return text
