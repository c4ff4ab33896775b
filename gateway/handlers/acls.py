"""ACLs of buckets and objects: settings beside the history, so that changing one makes no commit."""

from __future__ import annotations

from gateway.handlers.attributes import ACL
from gateway.handlers.authorise import entry_at
from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of, writable_branch
from gateway.handlers.ownership import bucket_owner, owner_in
from gateway.s3 import operations as op
from gateway.s3.acl import format_acl, parse_acl_document


async def get_bucket_acl(ctx: Context, request: op.BucketInput) -> op.GetAclOutput:
    branch = await branch_of(ctx, request.bucket)
    return op.GetAclOutput(bucket_owner(branch), branch.settings.get(ACL, ""))


async def get_object_acl(ctx: Context, request: op.ObjectVersionInput) -> op.GetAclOutput:
    branch = await branch_of(ctx, request.bucket)
    entry = await entry_at(ctx, "GET", request.bucket, request.key, request.version_id)
    return op.GetAclOutput(owner_in(entry.settings, branch), entry.settings.get(ACL, ""), bucket_owner(branch))


async def put_acl(ctx: Context, request: op.PutAclInput) -> op.Empty:
    """PutBucketAcl, and PutObjectAcl for one version of an object."""
    branch = await writable_branch(ctx, request.bucket)
    owner = bucket_owner(branch)
    if request.key is None:
        await ctx.durable(ctx.store.set_branch_setting(branch, ACL, _asked(request, owner, owner)))
        return op.Empty(200)
    entry = await entry_at(ctx, "PUT", request.bucket, request.key, request.version_id)
    acl = _asked(request, owner_in(entry.settings, branch), owner)
    await ctx.durable(ctx.store.set_entry_setting(branch, entry, ACL, acl))
    return op.Empty(200, {"x-amz-version-id": entry.commit_id})


def _asked(request: op.PutAclInput, owner: op.Owner, bucket_owner: op.Owner) -> str | None:
    """The setting's value, None for a private ACL."""
    if request.acl is not None:
        return request.acl or None
    return format_acl(parse_acl_document(request.document, owner, bucket_owner)) or None
