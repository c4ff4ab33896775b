"""From a bucket's name (and a versionId) to a branch or a view of the store."""

from __future__ import annotations

from gateway.handlers.context import Context
from gateway.s3.bucket import BucketName, parse_bucket
from gateway.s3.errors import AccessDenied, NoSuchBucket
from pfs import Branch, NoSuchBranch, NoSuchCommit, NoSuchRepo, View


async def branch_of(ctx: Context, bucket: str) -> Branch:
    """The branch behind a bucket that exists, a snapshot bucket included. Raises NoSuchBucket, InvalidBucketName."""
    return (await view_of(ctx, bucket)).branch


async def writable_branch(ctx: Context, bucket: str) -> Branch:
    """Like `branch_of`; a snapshot bucket is refused with AccessDenied, naming the bucket to write to."""
    name = parse_bucket(bucket)
    branch = await _branch(ctx, name, bucket)
    if name.is_snapshot:
        raise AccessDenied(
            f"A snapshot bucket is read-only. Write to its branch: {branch.label}", fields={"BucketName": bucket}
        )
    return branch


async def view_of(ctx: Context, bucket: str, version_id: str | None = None) -> View:
    """What a read looks at: the branch's head, a snapshot bucket's tree, or the revision `version_id`."""
    name = parse_bucket(bucket)
    branch = await _branch(ctx, name, bucket)
    if version_id is not None:
        return await ctx.read(ctx.store.at, branch, version_id)
    if name.rev is None:
        return await ctx.read(ctx.store.head, branch)
    try:
        return await ctx.read(ctx.store.at, branch, name.rev)
    except NoSuchCommit as exc:
        raise NoSuchBucket(str(exc), fields={"BucketName": bucket}) from exc


async def _branch(ctx: Context, name: BucketName, bucket: str) -> Branch:
    try:
        return await ctx.read(ctx.store.branch, ctx.caller.project, name.repo, name.branch)
    except (NoSuchRepo, NoSuchBranch) as exc:
        raise NoSuchBucket(fields={"BucketName": bucket}) from exc
