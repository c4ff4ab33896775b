"""Buckets, which are branches: create, head, delete, list; location and versioning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.access.policy import is_master, may_be_told
from gateway.access.rights import Right
from gateway.handlers.attributes import settings_of
from gateway.handlers.context import Context
from gateway.handlers.faults import Refused
from gateway.handlers.locate import branch_of, writable_branch
from gateway.handlers.ownership import bucket_names, bucket_owner
from gateway.handlers.tokens import decode_token, encode_token
from gateway.s3 import operations as op
from gateway.s3.bucket import check_new_bucket
from gateway.s3.errors import (
    AccessDenied,
    BucketAlreadyExists,
    IllegalLocationConstraintException,
    InvalidBucketState,
    MalformedXML,
    NotImplemented,
)
from pfs import Branch, to_datetime

_ALL = 10_000


async def list_buckets(ctx: Context, request: op.ListBucketsInput) -> op.ListBucketsOutput:
    """The buckets that the caller may be told of: all of the project's, his own, those to export from."""
    limit = request.max_buckets if request.max_buckets is not None else _ALL
    after = decode_token(request.continuation_token) if request.continuation_token else ""
    found = await _told(ctx, request.prefix, after, limit + 1)
    page = found[:limit]
    token = encode_token(page[-1].label) if len(found) > limit and page else None
    return op.ListBucketsOutput(
        owner=ctx.owner,
        buckets=tuple(op.BucketSummary(branch.label, to_datetime(branch.created_us)) for branch in page),
        prefix=request.prefix,
        continuation_token=token,
    )


async def _told(ctx: Context, prefix: str, after: str, limit: int) -> list[Branch]:
    """The first `limit` of such branches behind `after`."""
    found: list[Branch] = []
    while True:
        page = await ctx.read(ctx.store.branches, ctx.caller.project, prefix=prefix, after=after, limit=_ALL)
        found += [branch for branch in page if may_be_told(ctx.caller, bucket_owner(branch).id, bucket_names(branch))]
        if len(page) < _ALL or len(found) >= limit:
            return found[:limit]
        after = page[-1].label


async def create_bucket(ctx: Context, request: op.CreateBucketInput) -> op.CreateBucketOutput:
    """A branch, and its repo if need be; the bucket is listed under the name that it is made with."""
    name = check_new_bucket(request.bucket)
    if request.location_constraint not in (None, "", ctx.region):
        raise IllegalLocationConstraintException(
            f"The {request.location_constraint} location constraint is incompatible for the region specific "
            f"endpoint this request was sent to: this is {ctx.region}."
        )
    await ctx.durable(
        ctx.store.create_branch(
            ctx.caller.project,
            name.repo,
            name.branch,
            label=request.bucket,
            author=ctx.caller.display_name,
            settings=settings_of(request.tags, request.acl, ctx.owner),
            guard=_guard(ctx),
        )
    )
    return op.CreateBucketOutput(location=f"/{request.bucket}")


def _guard(ctx: Context) -> Callable[[Branch | None, Sequence[Branch]], None]:
    """Keeps others out of a repo: all of its branches see one history."""

    def is_own(branch: Branch) -> bool:
        owner = bucket_owner(branch).id
        made_it = Right.IMPORT in ctx.caller.rights and ctx.caller.id == owner  # which lets him do no more than this
        return made_it or is_master(ctx.caller, owner)

    def guard(existing: Branch | None, branches: Sequence[Branch]) -> None:
        if existing is not None and not is_own(existing):
            raise Refused(BucketAlreadyExists())
        if not any(is_own(branch) for branch in branches):
            raise Refused(AccessDenied("Access Denied: the repo is somebody else's."))

    return guard


async def head_bucket(ctx: Context, request: op.BucketInput) -> op.HeadBucketOutput:
    await branch_of(ctx, request.bucket)
    return op.HeadBucketOutput(region=ctx.region)


async def delete_bucket(ctx: Context, request: op.BucketInput) -> op.Empty:
    """Takes the branch away, with all that it holds; history stays in the store for its retention time."""
    branch = await writable_branch(ctx, request.bucket)
    await ctx.durable(ctx.store.delete_branch(branch))
    return op.Empty(204)


async def get_bucket_location(ctx: Context, request: op.BucketInput) -> op.GetBucketLocationOutput:
    await branch_of(ctx, request.bucket)
    return op.GetBucketLocationOutput(location=ctx.region)


async def get_bucket_versioning(ctx: Context, request: op.BucketInput) -> op.GetBucketVersioningOutput:
    await branch_of(ctx, request.bucket)
    return op.GetBucketVersioningOutput(status="Enabled")


async def put_bucket_versioning(ctx: Context, request: op.PutBucketVersioningInput) -> op.Empty:
    await writable_branch(ctx, request.bucket)
    if request.mfa_delete is not None and request.mfa_delete != "Disabled":
        raise NotImplemented("MFADelete is not offered: nothing is ever deleted for good.")
    if request.status == "Suspended":
        raise InvalidBucketState("Versioning can not be suspended: every write is a commit.")
    if request.status != "Enabled":
        raise MalformedXML
    return op.Empty(200)
