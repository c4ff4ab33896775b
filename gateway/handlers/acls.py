"""ACLs of buckets and objects: settings beside the history, so that changing one makes no commit."""

from __future__ import annotations

from gateway.handlers.attributes import ACL
from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of, writable_branch
from gateway.handlers.objects import entry_at
from gateway.s3 import operations as op
from gateway.s3.acl import format_acl, parse_acl_document


async def get_bucket_acl(ctx: Context, request: op.BucketInput) -> op.GetAclOutput:
    granted = await ctx.read(ctx.store.branch_setting, await branch_of(ctx, request.bucket), ACL)
    return op.GetAclOutput(ctx.owner, granted or "")


async def get_object_acl(ctx: Context, request: op.ObjectVersionInput) -> op.GetAclOutput:
    entry = await entry_at(ctx, "GET", request.bucket, request.key, request.version_id)
    return op.GetAclOutput(ctx.owner, entry.settings.get(ACL, ""))


async def put_acl(ctx: Context, request: op.PutAclInput) -> op.Empty:
    """PutBucketAcl, and PutObjectAcl for one version of an object."""
    branch = await writable_branch(ctx, request.bucket)
    if request.key is None:
        await ctx.durable(ctx.store.set_branch_setting(branch, ACL, _asked(ctx, request)))
        return op.Empty(200)
    entry = await entry_at(ctx, "PUT", request.bucket, request.key, request.version_id)
    await ctx.durable(ctx.store.set_entry_setting(branch, entry, ACL, _asked(ctx, request)))
    return op.Empty(200, {"x-amz-version-id": entry.commit_id})


def _asked(ctx: Context, request: op.PutAclInput) -> str | None:
    """The setting's value, None for a private ACL."""
    acl = request.acl if request.acl is not None else format_acl(parse_acl_document(request.document, ctx.owner))
    return acl or None
