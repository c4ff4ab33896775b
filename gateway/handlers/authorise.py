"""Whether the caller may do what is asked: the facts come from the store, decisions from `access.policy`.

Every operation passes `authorise` before its body is read. Where that cannot know enough (`policy.Stage`), the handler
asks again when it does: the version that is read is also the one whose ACL decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.access.condition_keys import condition_values
from gateway.access.documents import parse_document
from gateway.access.policy import DELETE_KEY, BucketFacts, ObjectFacts, Question, Stage, is_master, may, needs_of
from gateway.handlers.attributes import ACL, POLICY, TAGS, load_tags
from gateway.handlers.context import Context
from gateway.handlers.locate import head_of
from gateway.handlers.ownership import bucket_names, bucket_owner, owner_in
from gateway.s3.acl import parse_acl
from gateway.s3.bucket import parse_bucket
from gateway.s3.errors import AccessDenied
from gateway.s3.operations import Owner
from pfs import Branch, Entry, View

_EXPECTED_OWNER = "x-amz-expected-bucket-owner"
_EXPECTED_SOURCE_OWNER = "x-amz-source-expected-bucket-owner"
_OF_NO_BUCKET = frozenset({"ListBuckets", "CreateBucket"})


async def authorise(ctx: Context) -> None:
    """AccessDenied unless the caller may, or unless that is for the handler to find out; NoSuchBucket comes first."""
    name = ctx.request.bucket
    if name is None or ctx.operation in _OF_NO_BUCKET:
        if ctx.caller.is_anonymous:
            raise denied(ctx)
        return
    branch = await head_of(ctx, name)
    _check_expected(ctx, branch, _EXPECTED_OWNER)
    if _is_settled(ctx, branch):
        return
    stage = needs_of(ctx.operation).stage
    if stage is Stage.AT_ONCE or (stage is Stage.KEYS and POLICY not in branch.settings):
        is_version = bool(ctx.request.params.get("versionId")) or parse_bucket(name).is_snapshot
        if not _may(ctx, branch, ctx.operation, ctx.request.key, is_version):
            raise denied(ctx)


def permit_object(ctx: Context, view: View, entry: Entry, operation: str | None = None) -> None:
    """AccessDenied unless the caller may do it, or `operation`, to this version of an object, seen in `view`."""
    if _is_settled(ctx, view.branch):
        return
    thing = ObjectFacts(owner_in(entry.settings, view.branch).id, parse_acl(entry.settings.get(ACL, "")))
    tags = load_tags(entry.settings.get(TAGS))
    if not _may(ctx, view.branch, operation or ctx.operation, entry.key, view.commit is not None, thing, tags):
        raise denied(ctx)


def permit_upload(ctx: Context, branch: Branch, key: str, initiator: Owner) -> None:
    """AccessDenied unless the caller may do it to an upload that `initiator` began."""
    if not _is_settled(ctx, branch) and not _may(ctx, branch, ctx.operation, key, thing=ObjectFacts(initiator.id)):
        raise denied(ctx)


def may_delete(ctx: Context, branch: Branch, key: str, *, is_version: bool) -> bool:
    """Whether the caller may delete this key, one of several."""
    return _is_settled(ctx, branch) or _may(ctx, branch, DELETE_KEY, key, is_version)


async def permit_knowing(ctx: Context, bucket: str) -> None:
    """AccessDenied unless the caller may learn what is in the bucket, and so what is not."""
    branch = await head_of(ctx, bucket)
    if not _is_settled(ctx, branch) and not _may(ctx, branch, "ListObjects", None, parse_bucket(bucket).is_snapshot):
        raise denied(ctx)


def check_source_owner(ctx: Context, branch: Branch) -> None:
    """AccessDenied where the request expects the source of a copy to be somebody else's."""
    _check_expected(ctx, branch, _EXPECTED_SOURCE_OWNER)


def denied(ctx: Context) -> AccessDenied:
    if ctx.caller.is_anonymous:
        return AccessDenied("Access Denied: the request is not signed, and this is not open to all users.")
    return AccessDenied()


def _is_settled(ctx: Context, branch: Branch) -> bool:
    """Whether the bucket is the caller's own, and no policy can deny anything: the short way of most requests."""
    return POLICY not in branch.settings and is_master(ctx.caller, bucket_owner(branch).id)


def _check_expected(ctx: Context, branch: Branch, header: str) -> None:
    expected = ctx.request.headers.get(header)
    if expected is not None and expected != bucket_owner(branch).id:
        raise AccessDenied()


def _may(
    ctx: Context,
    branch: Branch,
    operation: str,
    key: str | None,
    is_version: bool = False,
    thing: ObjectFacts | None = None,
    tags: Mapping[str, str] | None = None,
) -> bool:
    values = condition_values(ctx.request, ctx.caller, tags) if POLICY in branch.settings else {}
    return may(Question(ctx.caller, operation, _facts(branch), key, is_version, thing, values))


def _facts(branch: Branch) -> BucketFacts:
    text = branch.settings.get(POLICY)
    return BucketFacts(
        owner_id=bucket_owner(branch).id,
        names=bucket_names(branch),
        acl=parse_acl(branch.settings.get(ACL, "")),
        document=None if text is None else parse_document(text),
    )
