"""ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

import json

from gateway.handlers.authorise import shown_to
from gateway.handlers.context import Context
from gateway.handlers.locate import view_of
from gateway.handlers.ownership import bucket_owner
from gateway.handlers.tokens import decode_token, encode_token
from gateway.s3 import operations as op
from gateway.s3.errors import InvalidArgument
from pfs import Entry, Keep, NoSuchCommit, View, to_datetime


async def list_objects(ctx: Context, request: op.ListObjectsInput) -> op.ListObjectsOutput:
    """Both versions of the listing."""
    view = await view_of(ctx, request.bucket)
    keep = _kept(ctx, view)
    run = ctx.read if keep is None and _is_short(view, request) else ctx.work
    page = await run(
        ctx.store.list,
        view,
        prefix=request.prefix or "",
        delimiter=request.delimiter or "",
        after=_after(request),
        limit=request.max_keys,
        keep=keep,
    )
    is_v2 = request.version == 2
    return op.ListObjectsOutput(
        request=request,
        name=request.bucket,
        contents=tuple([_summary(entry) for entry in page.entries]),
        common_prefixes=tuple(page.prefixes),
        is_truncated=page.last is not None,
        next_marker=page.last if not is_v2 and request.delimiter else None,
        next_continuation_token=encode_token(page.last) if is_v2 and page.last is not None else None,
        owner=_owner(ctx, view, keep) if not is_v2 or request.fetch_owner else None,
    )


def _kept(ctx: Context, view: View) -> Keep | None:
    """Which entries the caller is shown; None for all."""
    is_shown = shown_to(ctx, view.branch)
    return None if is_shown is None else lambda entry: is_shown(entry.settings)


def _owner(ctx: Context, view: View, keep: Keep | None) -> op.Owner:
    """Whom a listing shows as the owner of all that it has: the caller where it has nothing but what he wrote."""
    return bucket_owner(view.branch) if keep is None else ctx.owner


def _is_short(view: View, request: op.ListObjectsInput) -> bool:
    """Whether a page is a scan of as many live rows, some 2 ms: several threads that share the interpreter take
    longer over it. A past state's dead rows, a fork's levels and a delimiter's seeks have no such bound."""
    return view.commit is None and len(view.levels) == 1 and not request.delimiter


def _after(request: op.ListObjectsInput) -> str:
    if request.version == 1:
        return request.marker or ""
    if request.continuation_token:
        return decode_token(request.continuation_token)
    return request.start_after or ""


def _summary(entry: Entry) -> op.ObjectSummary:
    algorithms, kind = _checksum(entry)
    return op.ObjectSummary(entry.key, to_datetime(entry.time_us), entry.etag, entry.size, algorithms, kind)


def _checksum(entry: Entry) -> tuple[tuple[str, ...], str | None]:
    if not entry.checksums:
        return (), None
    values = json.loads(entry.checksums)
    kind = values.pop("type", None)
    return tuple(name.upper() for name in values), kind


async def list_object_versions(ctx: Context, request: op.ListObjectVersionsInput) -> op.ListObjectVersionsOutput:
    if request.version_id_marker and not request.key_marker:
        raise InvalidArgument(
            "A version-id marker cannot be specified without a key marker.",
            fields={"ArgumentName": "version-id-marker", "ArgumentValue": request.version_id_marker},
        )
    view = await view_of(ctx, request.bucket)
    keep = _kept(ctx, view)
    try:
        page = await ctx.work(
            ctx.store.list_versions,
            view,
            prefix=request.prefix or "",
            delimiter=request.delimiter or "",
            after=(request.key_marker or "", request.version_id_marker or None),
            limit=request.max_keys,
            keep=keep,
        )
    except (NoSuchCommit, ValueError) as exc:
        raise InvalidArgument(
            "Invalid version id specified",
            fields={"ArgumentName": "version-id-marker", "ArgumentValue": request.version_id_marker or ""},
        ) from exc
    return op.ListObjectVersionsOutput(
        request=request,
        name=request.bucket,
        versions=tuple([_version(entry, is_latest) for entry, is_latest in page.versions]),
        common_prefixes=tuple(page.prefixes),
        is_truncated=page.last is not None,
        owner=_owner(ctx, view, keep),
        next_key_marker=page.last[0] if page.last else None,
        next_version_id_marker=page.last[1] if page.last else None,
    )


def _version(entry: Entry, is_latest: bool) -> op.VersionSummary:
    algorithms, kind = _checksum(entry)
    return op.VersionSummary(
        key=entry.key,
        version_id=entry.commit_id,
        is_latest=is_latest,
        last_modified=to_datetime(entry.time_us),
        is_delete_marker=entry.is_marker,
        etag=entry.etag,
        size=entry.size,
        checksum_algorithms=algorithms,
        checksum_type=kind,
    )
