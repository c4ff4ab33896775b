"""Objects: get, head, put, copy, delete. Every write is one commit on its branch's head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.handlers.attributes import (
    FULL_OBJECT,
    TAGS,
    dump_checksums,
    dump_headers,
    load_checksums,
    load_headers,
    load_tags,
    settings_of,
)
from gateway.handlers.authorise import absent, check_source_owner, may_delete, permit_knowing, permit_object
from gateway.handlers.content import checksum_of
from gateway.handlers.context import Context
from gateway.handlers.faults import Refused, translate
from gateway.handlers.locate import open_branch, view_at, view_of
from gateway.handlers.ownership import new_owner
from gateway.s3 import operations as op
from gateway.s3.bucket import parse_bucket
from gateway.s3.conditions import check_copy_source, check_delete, check_read, check_write
from gateway.s3.dates import format_http_date
from gateway.s3.errors import (
    AccessDenied,
    InvalidPart,
    InvalidRange,
    InvalidRequest,
    NoSuchKey,
    NotModified,
    PreconditionFailed,
    S3Error,
)
from pfs import (
    Branch,
    Change,
    Commit,
    Committed,
    Delete,
    Entry,
    Guard,
    HistoryIsImmutable,
    Put,
    Restore,
    Segment,
    StoreError,
    View,
    to_datetime,
)
from pfs import NoSuchKey as KeyIsAbsent


@dataclass(frozen=True, slots=True)
class Download:
    """An answer whose body is sent beside it: `segments` in order, `output.content_length` bytes in all."""

    output: op.GetObjectOutput
    segments: Sequence[Segment]

    @property
    def size(self) -> int:
        """How many bytes are to be sent: none for HEAD."""
        return self.output.content_length if self.segments else 0


# ---------------------------------------------------------------- reading


async def get_object(ctx: Context, request: op.GetObjectInput) -> Download:
    """GetObject, and HeadObject without the segments."""
    try:
        view = await view_of(ctx, request.bucket, request.version_id)
        entry, data = await _read(ctx, view, request)
        permit_object(ctx, view, entry)
    except (S3Error, StoreError):
        await permit_knowing(ctx, request.bucket)
        raise
    last_modified = to_datetime(entry.time_us)
    try:
        check_read(request.conditions, entry.etag, last_modified)
        extent = await _extent(ctx, entry, request)
    except (NotModified, PreconditionFailed, InvalidRange) as exc:
        exc.headers.update(_validators(entry, last_modified, exc))
        raise
    output = op.GetObjectOutput(
        etag=entry.etag,
        last_modified=last_modified,
        version_id=entry.commit_id,
        content_length=extent.length,
        headers=load_headers(entry.attrs),
        content_range=(extent.first, extent.first + extent.length - 1, entry.size) if extent.is_partial else None,
        checksums=extent.checksums if request.checksum_mode else None,
        parts_count=extent.parts_count,
        tagging_count=len(load_tags(entry.settings.get(TAGS))),
        overrides=request.overrides,
    )
    if request.head or not extent.length:
        return Download(output, ())
    return Download(output, await ctx.read(ctx.store.segments, entry.content, data, extent.first, extent.length))


async def _read(ctx: Context, view: View, request: op.GetObjectInput) -> tuple[Entry, bytes | None]:
    try:
        if request.head:
            return await ctx.read(ctx.store.entry, view, request.key), None
        return await ctx.read(ctx.store.read, view, request.key)
    except KeyIsAbsent as exc:
        raise absent(exc, view, request.version_id) from exc


def _validators(entry: Entry, last_modified: datetime, exc: S3Error) -> dict[str, str]:
    """What a refused read still tells: the validators of a 304, the size behind a 416."""
    if isinstance(exc, InvalidRange):
        return {"Content-Range": f"bytes */{entry.size}"}
    return {
        "ETag": f'"{entry.etag}"',
        "Last-Modified": format_http_date(last_modified),
        "x-amz-version-id": entry.commit_id,
    }


@dataclass(frozen=True, slots=True)
class _Extent:
    """What of an object is read. `checksums` are of just these bytes, None where they are not known;
    `parts_count` is told to who asks for a part."""

    first: int
    length: int
    is_partial: bool = False
    checksums: op.Checksums | None = None
    parts_count: int | None = None


async def _extent(ctx: Context, entry: Entry, request: op.GetObjectInput) -> _Extent:
    if request.part_number is not None:
        if request.range is not None:
            raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
        return await _part_extent(ctx, entry, request.part_number)
    if request.range is None:
        return _whole(entry)
    first, length = resolve_range(request.range, entry.size)
    return _Extent(first, length, is_partial=True)


def _whole(entry: Entry) -> _Extent:
    return _Extent(0, entry.size, checksums=load_checksums(entry.checksums))


async def _part_extent(ctx: Context, entry: Entry, number: int) -> _Extent:
    parts = await ctx.read(ctx.store.parts, entry.content)
    if number > max(len(parts), 1):
        raise InvalidPart(fields={"PartNumber": str(number)})
    if not parts:
        return _whole(entry)
    part = parts[number - 1]
    return _Extent(
        first=sum(part.size for part in parts[: number - 1]),
        length=part.size,
        is_partial=entry.size > 0,
        checksums=op.Checksums(load_checksums(part.checksum).values, load_checksums(entry.checksums).type),
        parts_count=len(parts),
    )


def resolve_range(asked: op.ByteRange, size: int) -> tuple[int, int]:
    """(first byte, length); raises InvalidRange where no byte of the object is in it (RFC 9110 §14.1.2)."""
    if asked.first is None:
        length = min(asked.last or 0, size)
        first = size - length
    else:
        first = asked.first
        length = (size if asked.last is None else min(asked.last + 1, size)) - first
    if length <= 0:
        raise InvalidRange(fields={"ActualObjectSize": str(size)})
    return first, length


# ---------------------------------------------------------------- writing


async def put_object(ctx: Context, request: op.PutObjectInput) -> op.PutObjectOutput:
    branch = await open_branch(ctx, request.bucket)
    received = await ctx.body.receive(request.payload)
    put = Put(
        request.key,
        received.content,
        dump_headers(request.headers),
        dump_checksums(received.checksums),
        write_guard(request.conditions, request.key),
        settings_of(request.headers.tags, request.headers.acl, new_owner(ctx, branch)),
    )
    _, entry = await _commit_one(ctx, branch, put, request.message or f"put {request.key}")
    return op.PutObjectOutput(entry.etag, entry.commit_id, load_checksums(entry.checksums))


async def post_object(ctx: Context, request: op.PostObjectInput) -> op.PostObjectOutput:
    """A form upload: what was signed for has been checked with its policy."""
    return op.PostObjectOutput(request, await put_object(ctx, request.put))


async def copy_object(ctx: Context, request: op.CopyObjectInput) -> op.CopyObjectOutput:
    """A copy refers to the source's content: no byte moves."""
    branch = await open_branch(ctx, request.bucket)
    source = await copy_source(ctx, request.source, request.source_conditions)
    if _is_itself(request, branch, source):
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )
    checksums = source.checksums
    if request.algorithm is not None and request.algorithm not in load_checksums(checksums).values:
        value = await checksum_of(ctx, await ctx.read(ctx.store.extents, source.content), request.algorithm)
        checksums = dump_checksums({request.algorithm: value}, FULL_OBJECT)
    tags = request.headers.tags if request.replace_tags else load_tags(source.settings.get(TAGS))
    put = Put(
        request.key,
        source.content,
        dump_headers(request.headers) if request.replace_metadata else source.attrs,
        checksums,
        write_guard(request.conditions, request.key),
        settings_of(tags, request.headers.acl, new_owner(ctx, branch)),
    )
    message = request.message or f"copy {request.source.bucket}/{request.source.key} to {request.key}"
    _, entry = await _commit_one(ctx, branch, put, message)
    return op.CopyObjectOutput(
        etag=entry.etag,
        last_modified=to_datetime(entry.time_us),
        version_id=entry.commit_id,
        source_version_id=source.commit_id,
        checksums=load_checksums(entry.checksums),
    )


async def copy_source(ctx: Context, source: op.CopySource, conditions: op.Conditions) -> Entry:
    """The entry that a copy reads, its conditions checked, for whoever may read it."""
    try:
        entry = await _source_entry(ctx, source)
    except (S3Error, StoreError):
        await permit_knowing(ctx, source.bucket)
        raise
    check_copy_source(conditions, entry.etag, to_datetime(entry.time_us))
    return entry


async def _source_entry(ctx: Context, source: op.CopySource) -> Entry:
    view = await view_of(ctx, source.bucket, source.version_id)
    check_source_owner(ctx, view.branch)
    try:
        entry = await ctx.read(ctx.store.entry, view, source.key)
    except KeyIsAbsent as exc:
        if view.commit is not None and exc.marker is not None and exc.marker.commit_id == view.commit.id:
            raise InvalidRequest("The source of a copy request may not specifically refer to a delete marker.") from exc
        raise NoSuchKey(fields={"Key": source.key}) from exc
    permit_object(ctx, view, entry, "GetObject")
    return entry


def _is_itself(request: op.CopyObjectInput, branch: Branch, source: Entry) -> bool:
    if request.replace_metadata or request.algorithm is not None or request.source.key != request.key:
        return False
    name = parse_bucket(request.source.bucket)
    is_same = name.repo == branch.repo and name.branch in (None, branch.name) and name.revision is None
    return is_same and request.source.version_id is None


def write_guard(conditions: op.Conditions, key: str) -> Guard | None:
    """The conditions of a write, to be decided inside its transaction."""
    return _guard(check_write, conditions, key)


def _guard(check: Callable[[op.Conditions, str | None], None], conditions: op.Conditions, key: str) -> Guard | None:
    if not conditions:
        return None

    def guard(current: Entry | None) -> None:
        try:
            check(conditions, None if current is None else current.etag)
        except S3Error as exc:
            exc.fields.setdefault("Key", key)
            raise Refused(exc) from exc

    return guard


async def _commit_one(ctx: Context, branch: Branch, change: Change, message: str) -> tuple[Commit, Entry]:
    committed = await commit(ctx, branch, [change], message)
    (result,) = committed.results
    if isinstance(result, Exception):
        raise result
    assert committed.commit is not None
    return committed.commit, result


async def commit(ctx: Context, branch: Branch, changes: Sequence[Change], message: str) -> Committed:
    """One commit by the caller, durable when this returns."""
    return await ctx.durable(ctx.store.commit(branch, changes, author=ctx.caller.display_name, message=message))


# ---------------------------------------------------------------- deleting


async def delete_object(ctx: Context, request: op.DeleteObjectInput) -> op.DeleteObjectOutput:
    """Adds a delete marker; with the current marker's versionId, takes it back by a new commit."""
    branch = await open_branch(ctx, request.bucket)
    if request.version_id is not None:
        undo = await _restore(ctx, branch, request.key, request.version_id)
        await _commit_one(ctx, branch, undo, request.message or f"restore {request.key}")
        return op.DeleteObjectOutput(version_id=undo.marker, delete_marker=True)
    change = Delete(request.key, _guard(check_delete, request.conditions, request.key))
    _, marker = await _commit_one(ctx, branch, change, request.message or f"delete {request.key}")
    return op.DeleteObjectOutput(version_id=marker.commit_id, delete_marker=True)


async def _restore(ctx: Context, branch: Branch, key: str, version_id: str) -> Restore:
    """The one change that may name a version: undoing the deletion that it is."""
    view = await view_at(ctx, branch, version_id)
    assert view.commit is not None
    try:
        await ctx.read(ctx.store.entry, view, key)
    except KeyIsAbsent as exc:
        if exc.marker is not None and exc.marker.commit_id == view.commit.id:
            return Restore(key, view.commit.id)
    raise HistoryIsImmutable(view.commit.id)


async def delete_objects(ctx: Context, request: op.DeleteObjectsInput) -> op.DeleteObjectsOutput:
    """All keys in one commit; each that is refused is reported, and hinders no other."""
    branch = await open_branch(ctx, request.bucket)
    changes: list[Change | StoreError] = [await _deletion(ctx, branch, named) for named in request.objects]
    accepted = [change for change in changes if not isinstance(change, StoreError)]
    message = request.message or f"delete {len(accepted)} keys"
    results = iter((await commit(ctx, branch, accepted, message)).results if accepted else ())
    deleted: list[op.DeletedObject] = []
    errors: list[op.DeleteError] = []
    for named, change in zip(request.objects, changes, strict=True):
        result = change if isinstance(change, StoreError) else next(results)
        if isinstance(result, Exception):
            errors.append(_delete_error(named, result))
        else:
            deleted.append(_deleted(named, change, result))
    return op.DeleteObjectsOutput(tuple(deleted), tuple(errors), request.quiet)


async def _deletion(ctx: Context, branch: Branch, named: op.ObjectIdentifier) -> Change | StoreError:
    if not may_delete(ctx, branch, named.key, is_version=named.version_id is not None):
        return Refused(AccessDenied())
    if named.version_id is None:
        return Delete(named.key, _identifier_guard(named))
    try:
        return await _restore(ctx, branch, named.key, named.version_id)
    except StoreError as exc:
        return exc


def _identifier_guard(named: op.ObjectIdentifier) -> Guard | None:
    """Conditions of one key: its ETag, size and time, as far as they are given."""
    if named.etag is None and named.size is None and named.last_modified_time is None:
        return None

    def guard(current: Entry | None) -> None:
        holds = (
            current is not None
            and named.etag in (None, "*", current.etag)
            and named.size in (None, current.size)
            and named.last_modified_time in (None, to_datetime(current.time_us).replace(microsecond=0))
        )
        if not holds:
            raise Refused(PreconditionFailed(fields={"Key": named.key}))

    return guard


def _deleted(named: op.ObjectIdentifier, change: Change | StoreError, entry: Entry) -> op.DeletedObject:
    if isinstance(change, Restore):
        return op.DeletedObject(named.key, change.marker, True, change.marker)
    return op.DeletedObject(named.key, None, True, entry.commit_id)


def _delete_error(named: op.ObjectIdentifier, exc: Exception) -> op.DeleteError:
    if not isinstance(exc, StoreError):
        raise exc
    error = translate(exc)
    return op.DeleteError(named.key, error.code, error.detail, named.version_id)
