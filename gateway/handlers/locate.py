"""From a bucket's name (and a versionId) to a branch or a view of the store.

Buckets are looked for in the caller's project: others' are not there. Whoever may not know what there is in his own
(`access.policy.knows_names`) is answered AccessDenied wherever this says NoSuchBucket.
"""

from __future__ import annotations

from gateway.access.policy import is_master, knows_names
from gateway.access.principals import Principal
from gateway.handlers.context import Context
from gateway.handlers.ownership import bucket_owner
from gateway.s3.bucket import BucketName, parse_bucket
from gateway.s3.errors import AccessDenied, NoSuchBucket
from pfs import AmbiguousRevision, Branch, NoSuchBranch, NoSuchCommit, NoSuchRepo, ProtectedBranch, View


async def branch_of(ctx: Context, bucket: str) -> Branch:
    """The branch behind a bucket that exists, a snapshot bucket included. Raises NoSuchBucket, InvalidBucketName."""
    return (await view_of(ctx, bucket)).branch


async def head_of(ctx: Context, bucket: str) -> Branch:
    """The branch that a bucket shows, at whatever revision. Raises NoSuchBucket, InvalidBucketName."""
    return await _branch(ctx, parse_bucket(bucket), bucket)


async def writable_branch(ctx: Context, bucket: str) -> Branch:
    """Like `branch_of`; a snapshot bucket is refused with AccessDenied, naming the bucket to write to."""
    name = parse_bucket(bucket)
    branch = await _branch(ctx, name, bucket)
    if name.is_snapshot:
        raise AccessDenied(
            f"A snapshot bucket is read-only. Write to its branch: {branch.label}", fields={"BucketName": bucket}
        )
    return branch


async def open_branch(ctx: Context, bucket: str) -> Branch:
    """Like `writable_branch`, for what is going to be a commit: on a protected branch it is refused before the body
    is read. The store decides again when it writes. Raises ProtectedBranch too."""
    branch = await writable_branch(ctx, bucket)
    if branch.protected:
        raise ProtectedBranch(branch.repo, branch.name)
    return branch


async def view_of(ctx: Context, bucket: str, version_id: str | None = None) -> View:
    """What a read looks at: the branch's head, a snapshot bucket's tree, or the revision `version_id`."""
    name = parse_bucket(bucket)
    branch = await _branch(ctx, name, bucket)
    if version_id is not None:
        return await view_at(ctx, branch, version_id)
    if name.rev is None:
        return await ctx.read(ctx.store.head, branch)
    try:
        return await view_at(ctx, branch, name.rev)
    except NoSuchCommit as exc:
        raise NoSuchBucket(str(exc), fields={"BucketName": bucket}) from exc


async def view_at(ctx: Context, branch: Branch, rev: str) -> View:
    """The view of a revision. Those whose bucket it is not see no further than its own past: other branches of
    the repo are other buckets, and ids of their commits are not told."""
    if is_master(ctx.caller, bucket_owner(branch).id):
        return await ctx.read(ctx.store.at, branch, rev)
    try:
        view = await ctx.read(ctx.store.at, branch, rev)
    except AmbiguousRevision as exc:
        raise NoSuchCommit(rev) from exc
    assert view.commit is not None
    if not await ctx.read(ctx.store.leads_to, branch, view.commit):
        raise NoSuchCommit(rev)
    return view


def denied(caller: Principal) -> AccessDenied:
    if caller.is_anonymous:
        return AccessDenied("Access Denied: the request is not signed, and this is not open to all users.")
    return AccessDenied()


async def _branch(ctx: Context, name: BucketName, bucket: str) -> Branch:
    known = ctx.branches.get((name.repo, name.branch))
    if known is not None:
        return known
    try:
        branch = await ctx.read(ctx.store.branch, ctx.caller.project, name.repo, name.branch)
    except (NoSuchRepo, NoSuchBranch) as exc:
        if not knows_names(ctx.caller):
            raise denied(ctx.caller) from exc
        raise NoSuchBucket(fields={"BucketName": bucket}) from exc
    ctx.branches[name.repo, name.branch] = branch
    return branch
