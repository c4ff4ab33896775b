"""Whether the caller may do what is asked: the facts come from the store, decisions from `access.policy`.

Every operation passes `authorise` before its body is read. Where that cannot know enough (`policy.Stage`), the handler
asks again when it does: the version that is read is also the one whose ACL decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.access.condition_keys import condition_values
from gateway.access.documents import parse_document
from gateway.access.policy import (
    DELETE_KEY,
    PUT_KEY,
    BucketFacts,
    ObjectFacts,
    Question,
    Reach,
    Stage,
    is_master,
    may_ever,
    may_of_no_bucket,
    needs_of,
    reach,
)
from gateway.access.rights import Right
from gateway.handlers.attributes import ACL, POLICY, TAGS, load_tags
from gateway.handlers.context import Context
from gateway.handlers.faults import translate
from gateway.handlers.locate import denied, head_of, view_of
from gateway.handlers.ownership import bucket_names, bucket_owner, owner_in, writer_in
from gateway.s3.acl import HEADER as ACL_HEADER
from gateway.s3.acl import parse_acl
from gateway.s3.bucket import parse_bucket
from gateway.s3.errors import AccessDenied, MethodNotAllowed, NoSuchKey, S3Error
from gateway.s3.parse_batch import file_request
from gateway.s3.parse_params import version_id
from pfs import Branch, Entry, NoSuchUpload, StoreError, Upload, View
from pfs import NoSuchKey as KeyIsAbsent

_EXPECTED_OWNER = "x-amz-expected-bucket-owner"
_EXPECTED_SOURCE_OWNER = "x-amz-source-expected-bucket-owner"
_OF_NO_BUCKET = frozenset({"ListBuckets", "CreateBucket"})
# Operations with a body that is read before the handler runs: what they are about is looked at even before that.
_CHANGES_OBJECT = frozenset({"PutObjectAcl", "PutObjectTagging"})
_COMPLETES_UPLOAD = frozenset({"CompleteMultipartUpload"})
# What the headers of these ask for besides, by S3's action.
_WRITES = frozenset({"PutObject", "PutObjectExtract", "PostObject", "CopyObject", "CreateMultipartUpload"})
_ALSO = {"x-amz-tagging": "s3:PutObjectTagging", ACL_HEADER: "s3:PutObjectAcl"}


async def authorise(ctx: Context) -> None:
    """AccessDenied unless the caller may, or unless that is for the handler to find out; NoSuchBucket comes first."""
    name = ctx.request.bucket
    if name is None or ctx.operation in _OF_NO_BUCKET:
        if not may_of_no_bucket(ctx.caller, ctx.operation) or not _may_create_so(ctx):
            raise denied(ctx.caller)
        return
    branch = await head_of(ctx, name)
    _check_expected(ctx, branch, _EXPECTED_OWNER)
    if _is_settled(ctx, branch):
        return
    stage = needs_of(ctx.operation).stage
    question = _question(ctx, branch, ctx.operation, ctx.request.key, _names_revision(ctx, name))
    if stage is Stage.AT_ONCE or (stage is Stage.KEYS and POLICY not in branch.settings):
        if reach(question) is Reach.NOTHING:
            raise denied(ctx.caller)
    elif not may_ever(question):
        raise denied(ctx.caller)
    elif ctx.operation in _CHANGES_OBJECT:
        await entry_at(ctx, "PUT", name, ctx.request.key or "", version_id(ctx.request))
    elif ctx.operation in _COMPLETES_UPLOAD:
        await permitted_upload(ctx, branch, ctx.request.key or "", ctx.request.param("uploadId") or "", completed=True)


def permit_object(ctx: Context, view: View, entry: Entry, operation: str | None = None) -> None:
    """AccessDenied unless the caller may do it, or `operation`, to this version of an object, seen in `view`."""
    if _is_settled(ctx, view.branch):
        return
    thing = ObjectFacts(
        owner_in(entry.settings, view.branch).id, parse_acl(entry.settings.get(ACL, "")), writer_in(entry.settings)
    )
    tags = load_tags(entry.settings.get(TAGS))
    question = _question(ctx, view.branch, operation or ctx.operation, entry.key, view.commit is not None, thing, tags)
    if reach(question) is Reach.NOTHING:
        raise denied(ctx.caller)


async def entry_at(ctx: Context, method: str, bucket: str, key: str, version_id: str | None) -> Entry:
    """What the key holds at the revision, or at the head, for whoever may do to it what is asked. Raises `absent`."""
    try:
        view = await view_of(ctx, bucket, version_id)
        try:
            entry = await ctx.read(ctx.store.entry, view, key)
        except KeyIsAbsent as exc:
            raise absent(exc, view, version_id, method) from exc
        permit_object(ctx, view, entry)
        return entry
    except (S3Error, StoreError):
        await permit_knowing(ctx, bucket)
        raise


def absent(exc: KeyIsAbsent, view: View, version_id: str | None, method: str = "GET") -> S3Error:
    """What an absent key is answered with: 405 for the very version that is its delete marker, else 404."""
    if version_id is None or exc.marker is None:
        return translate(exc)
    if view.commit is not None and exc.marker.commit_id == view.commit.id:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": exc.marker.commit_id, "Allow": "DELETE"}
        return MethodNotAllowed(fields={"Method": method, "ResourceType": "DeleteMarker"}, headers=headers)
    return NoSuchKey(fields={"Key": exc.key})


async def permitted_upload(
    ctx: Context, branch: Branch, key: str, upload_id: str, *, completed: bool = False
) -> Upload:
    """An upload that is open, or (where asked) completed, for whoever may do to it what is asked. To others it is as
    one that is not there: NoSuchUpload for those who may have uploads here themselves, else AccessDenied."""
    missing = NoSuchUpload(upload_id)
    try:
        upload = await ctx.read(ctx.store.upload, branch, key, upload_id, completed=completed)
        settings = settings_of_upload(upload)
        thing = ObjectFacts(owner_in(settings, branch).id, writer_id=writer_in(settings))
    except NoSuchUpload:
        upload, thing = None, ObjectFacts(bucket_owner(branch).id)
    if _is_settled(ctx, branch) or reach(_question(ctx, branch, ctx.operation, key, False, thing)) is not Reach.NOTHING:
        if upload is None:
            raise missing
        return upload
    if reach(_question(ctx, branch, "CreateMultipartUpload", key)) is not Reach.NOTHING:
        raise missing
    raise denied(ctx.caller)


def settings_of_upload(upload: Upload) -> Mapping[str, str]:
    """What the object that it becomes is to have, its owner among them."""
    settings: Mapping[str, str] = json.loads(upload.attrs).get("settings", {})
    return settings


def may_delete(ctx: Context, branch: Branch, key: str, *, is_version: bool) -> bool:
    """Whether the caller may delete this key, one of several."""
    if _is_settled(ctx, branch):
        return True
    return reach(_question(ctx, branch, DELETE_KEY, key, is_version)) is not Reach.NOTHING


def permit_put(ctx: Context, branch: Branch, key: str, own: Mapping[str, str]) -> None:
    """AccessDenied unless the caller may put this key, one of several, with these headers of its own."""
    if _is_settled(ctx, branch):
        return
    put = replace(ctx, operation=PUT_KEY, request=file_request(ctx.request, key, own))
    if reach(_question(put, branch, PUT_KEY, key)) is Reach.NOTHING:
        raise denied(ctx.caller)


async def permit_knowing(ctx: Context, bucket: str) -> None:
    """AccessDenied unless the caller may learn of all that is in the bucket, and so of what is not."""
    branch = await head_of(ctx, bucket)
    if _is_settled(ctx, branch):
        return
    if reach(_question(ctx, branch, "ListObjects", None, parse_bucket(bucket).is_snapshot)) is not Reach.ALL:
        raise denied(ctx.caller)


def shown_to(ctx: Context, branch: Branch) -> Callable[[Mapping[str, str]], bool] | None:
    """Which versions, or uploads, a listing shows to the caller, by their settings; None for all that there are."""
    caller = ctx.caller
    if Right.IMPORT not in caller.rights or _is_settled(ctx, branch):
        return None
    name = ctx.request.bucket
    assert name is not None
    if reach(_question(ctx, branch, ctx.operation, None, _names_revision(ctx, name))) is Reach.ALL:
        return None
    return lambda settings: writer_in(settings) == caller.id


def check_source_owner(ctx: Context, branch: Branch) -> None:
    """AccessDenied where the request expects the source of a copy to be somebody else's."""
    _check_expected(ctx, branch, _EXPECTED_SOURCE_OWNER)


def _is_settled(ctx: Context, branch: Branch) -> bool:
    """Whether the bucket is the caller's own, and no policy can deny anything: the short way of most requests."""
    return POLICY not in branch.settings and is_master(ctx.caller, bucket_owner(branch).id)


def _check_expected(ctx: Context, branch: Branch, header: str) -> None:
    expected = ctx.request.headers.get(header)
    if expected is not None and expected != bucket_owner(branch).id:
        raise AccessDenied()


def _may_create_so(ctx: Context) -> bool:
    """Whether a bucket may begin with what the request gives it: an ACL is for those whom it will belong to."""
    caller = ctx.caller
    return caller.is_admin or Right.MEMBER in caller.rights or not _opens(ctx)


def _opens(ctx: Context) -> bool:
    """Whether the request sets another ACL than a private one."""
    return ctx.request.headers.get(ACL_HEADER) not in (None, "", "private")


def _also(ctx: Context) -> tuple[str, ...]:
    """What the request does besides its operation, by S3's actions."""
    if ctx.operation not in _WRITES:
        return ()
    return tuple(
        action
        for header, action in _ALSO.items()
        if ctx.request.headers.get(header) and (header != ACL_HEADER or _opens(ctx))
    )


def _names_revision(ctx: Context, bucket: str) -> bool:
    return bool(ctx.request.params.get("versionId")) or parse_bucket(bucket).is_snapshot


def _question(
    ctx: Context,
    branch: Branch,
    operation: str,
    key: str | None,
    is_version: bool = False,
    thing: ObjectFacts | None = None,
    tags: Mapping[str, str] | None = None,
) -> Question:
    values = condition_values(ctx.request, ctx.caller, tags) if POLICY in branch.settings else {}
    also = _also(ctx) if operation == ctx.operation else ()
    return Question(ctx.caller, operation, _facts(branch), key, is_version, thing, values, also)


def _facts(branch: Branch) -> BucketFacts:
    text = branch.settings.get(POLICY)
    return BucketFacts(
        owner_id=bucket_owner(branch).id,
        names=bucket_names(branch),
        acl=parse_acl(branch.settings.get(ACL, "")),
        document=None if text is None else parse_document(text),
    )
