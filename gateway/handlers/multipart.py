"""Multipart uploads: parts are staged and invisible until completion, which is one commit.

An upload's `attrs` are the object's (see `attributes`) with its settings and, beside them, what its checksum is to be:

    {"object": the object's attrs, "settings": its settings, "algorithm": …, "type": "FULL_OBJECT" or "COMPOSITE"}

A part's checksum is `dump_checksums` of its one value.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from gateway.handlers.attributes import FULL_OBJECT, dump_checksums, dump_headers, load_checksums, settings_of
from gateway.handlers.authorise import permitted_upload, settings_of_upload, shown_to
from gateway.handlers.content import checksum_of, md5_of
from gateway.handlers.context import Context
from gateway.handlers.faults import Refused
from gateway.handlers.locate import branch_of, open_branch, writable_branch
from gateway.handlers.objects import copy_source, resolve_range, write_guard
from gateway.handlers.ownership import new_owner, owner_in
from gateway.s3 import operations as op
from gateway.s3.checksums import combine, composite, multipart_type
from gateway.s3.errors import BadDigest, InvalidPart, InvalidPartOrder, InvalidRange, InvalidRequest
from pfs import (
    Branch,
    Chosen,
    Completion,
    Content,
    Entry,
    NoSuchPart,
    Part,
    Upload,
    canonical_json,
    to_datetime,
)

MINIMUM_PART_SIZE = 5 * 1024 * 1024
_OUR_ETAG = re.compile(r"[0-9a-f]{64}-[0-9]+")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an upload was begun with."""

    attrs: str
    settings: Mapping[str, str]
    algorithm: str | None
    type: str | None

    def dump(self) -> str:
        return canonical_json(
            {"object": self.attrs, "settings": self.settings, "algorithm": self.algorithm, "type": self.type}
        )

    @classmethod
    def load(cls, upload: Upload) -> _Plan:
        document = json.loads(upload.attrs)
        return cls(document["object"], settings_of_upload(upload), document["algorithm"], document["type"])


# ---------------------------------------------------------------- begin, upload, abort


async def create_multipart_upload(
    ctx: Context, request: op.CreateMultipartUploadInput
) -> op.CreateMultipartUploadOutput:
    branch = await open_branch(ctx, request.bucket)
    algorithm = request.checksum_algorithm
    kind = None if algorithm is None else multipart_type(algorithm, request.checksum_type)
    settings = settings_of(request.headers.tags, request.headers.acl, new_owner(ctx, branch))
    plan = _Plan(dump_headers(request.headers), settings, algorithm, kind)
    upload = await ctx.durable(ctx.store.create_upload(branch, request.key, plan.dump(), ctx.caller.display_name))
    return op.CreateMultipartUploadOutput(request.bucket, request.key, upload.id, algorithm, kind)


async def upload_part(ctx: Context, request: op.UploadPartInput) -> op.UploadPartOutput:
    branch = await open_branch(ctx, request.bucket)
    upload = await permitted_upload(ctx, branch, request.key, request.upload_id)
    payload = request.payload
    planned = _Plan.load(upload).algorithm
    if planned is not None and payload.algorithm not in (None, planned):
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {planned}, "
            f"actual checksum Type: {payload.algorithm}"
        )
    received = await ctx.body.receive(replace(payload, algorithm=payload.algorithm or planned))
    part = await ctx.durable(
        ctx.store.put_part(upload, request.part_number, received.content, checksum=dump_checksums(received.checksums))
    )
    return op.UploadPartOutput(_etag(part), _part_checksums(part))


async def upload_part_copy(ctx: Context, request: op.UploadPartCopyInput) -> op.UploadPartCopyOutput:
    """A part that refers to a range of what is stored: no byte moves."""
    branch = await open_branch(ctx, request.bucket)
    upload = await permitted_upload(ctx, branch, request.key, request.upload_id)
    source = await copy_source(ctx, request.source, request.source_conditions)
    first, length = _copied_range(request.range, source)
    content, extents = await ctx.read(ctx.store.cut, source.content, first, length)
    algorithm = _Plan.load(upload).algorithm
    checksums = {} if algorithm is None else {algorithm: await checksum_of(ctx, extents, algorithm)}
    part = await ctx.durable(
        ctx.store.put_part(upload, request.part_number, content, extents=extents, checksum=dump_checksums(checksums))
    )
    return op.UploadPartCopyOutput(
        etag=_etag(part),
        last_modified=to_datetime(part.modified_us),
        source_version_id=source.commit_id,
        checksums=_part_checksums(part),
    )


def _copied_range(asked: op.ByteRange | None, source: Entry) -> tuple[int, int]:
    """Unlike a GET's range, a copied one must lie within its source whole."""
    if asked is None:
        return 0, source.size
    if asked.last is None or asked.last >= source.size:
        raise InvalidRange("The requested range is not satisfiable", fields={"ActualObjectSize": str(source.size)})
    return resolve_range(asked, source.size)


async def abort_multipart_upload(ctx: Context, request: op.AbortMultipartUploadInput) -> op.Empty:
    branch = await writable_branch(ctx, request.bucket)
    await permitted_upload(ctx, branch, request.key, request.upload_id)
    await ctx.durable(ctx.store.abort_upload(branch, request.key, request.upload_id))
    return op.Empty(204)


# ---------------------------------------------------------------- complete


async def complete_multipart_upload(
    ctx: Context, request: op.CompleteMultipartUploadInput
) -> op.CompleteMultipartUploadOutput:
    """One commit; completing again gives the same answer."""
    branch = await writable_branch(ctx, request.bucket)
    listed = _in_order(request.parts)
    upload = await permitted_upload(ctx, branch, request.key, request.upload_id, completed=True)
    if not upload.result:
        await _check_md5_etags(ctx, upload, listed)
    plan = _Plan.load(upload)
    completion = Completion(
        chosen=[Chosen(part.part_number, _matcher(part)) for part in listed],
        minimum_part_size=MINIMUM_PART_SIZE,
        describe=_describer(plan, request),
        record=lambda entry: canonical_json(
            {"etag": entry.etag, "version_id": entry.commit_id, "checksums": entry.checksums}
        ),
        attrs=plan.attrs,
        guard=write_guard(request.conditions, request.key),
        author=ctx.caller.display_name,
        message=request.message or f"put {request.key}",
        settings=plan.settings,
    )
    done = await ctx.durable(ctx.store.complete_upload(branch, request.key, request.upload_id, completion))
    if isinstance(done, str):
        kept = json.loads(done)
        return _completed(request, kept["etag"], kept["version_id"], kept["checksums"])
    _, entry = done
    return _completed(request, entry.etag, entry.commit_id, entry.checksums)


def _in_order(parts: Sequence[op.CompletedPart]) -> Sequence[op.CompletedPart]:
    """The parts, each number once. A client that sent a part again may list it again: the last one counts."""
    numbers = [part.part_number for part in parts]
    if any(later < earlier for earlier, later in itertools.pairwise(numbers)):
        raise InvalidPartOrder
    return tuple({part.part_number: part for part in parts}.values())


def _completed(
    request: op.CompleteMultipartUploadInput, etag: str, version_id: str, checksums: str
) -> op.CompleteMultipartUploadOutput:
    return op.CompleteMultipartUploadOutput(
        location=f"/{request.bucket}/{quote(request.key)}",
        bucket=request.bucket,
        key=request.key,
        etag=etag,
        version_id=version_id,
        checksums=load_checksums(checksums),
    )


def _matcher(listed: op.CompletedPart) -> Callable[[Part], bool]:
    """Whether a staged part is the listed one: by our own ETag and by checksums, where they are given."""

    def matches(part: Part) -> bool:
        if listed.etag is not None and _OUR_ETAG.fullmatch(listed.etag) and listed.etag != _etag(part):
            return False
        known = _part_checksums(part).values
        return all(known.get(name, value) == value for name, value in listed.checksums.items())

    return matches


async def _check_md5_etags(ctx: Context, upload: Upload, listed: Sequence[op.CompletedPart]) -> None:
    """Some clients list the MD5s that they computed themselves in place of our ETags.

    These are held against the parts' bytes; text in any other format is ignored.
    """
    claims = {part.part_number: part.etag.lower() for part in listed if part.etag and _MD5.fullmatch(part.etag)}
    if not claims:
        return
    for part in await _all_parts(ctx, upload):
        claimed = claims.get(part.number)
        if claimed is not None and await md5_of(ctx, part.extents) != claimed:
            raise InvalidPart(fields={"PartNumber": str(part.number), "ETag": claimed})


def _describer(plan: _Plan, request: op.CompleteMultipartUploadInput) -> Callable[[Sequence[Part], Content], str]:
    """Makes the object's checksums from its parts', inside the transaction, and holds them and the
    size against what the request says."""

    def describe(parts: Sequence[Part], content: Content) -> str:
        if request.object_size is not None and request.object_size != content.size:
            raise Refused(
                InvalidRequest(f"The provided 'x-amz-mp-object-size' header does not match: it is {content.size}.")
            )
        values = _object_checksums(plan, parts)
        for name, expected in request.checksums.items():
            if values.get(name, expected) != expected:
                raise Refused(BadDigest(f"The {name.upper()} you specified did not match the calculated checksum."))
        return dump_checksums(values, plan.type or FULL_OBJECT)

    return describe


def _object_checksums(plan: _Plan, parts: Sequence[Part]) -> Mapping[str, str]:
    if plan.algorithm is None:
        return {}
    values = []
    for part in parts:
        value = _part_checksums(part).values.get(plan.algorithm)
        if value is None:
            raise NoSuchPart(part.number)
        values.append((value, part.size))
    if plan.type == FULL_OBJECT:
        return {plan.algorithm: combine(plan.algorithm, values)}
    return {plan.algorithm: composite(plan.algorithm, [value for value, _ in values])}


# ---------------------------------------------------------------- list


async def list_parts(ctx: Context, request: op.ListPartsInput) -> op.ListPartsOutput:
    branch = await branch_of(ctx, request.bucket)
    upload = await permitted_upload(ctx, branch, request.key, request.upload_id)
    found = await ctx.work(
        ctx.store.staged_parts, upload, after=request.part_number_marker, limit=request.max_parts + 1
    )
    page = found[: request.max_parts]
    plan = _Plan.load(upload)
    return op.ListPartsOutput(
        request=request,
        owner=owner_in(plan.settings, branch),
        parts=tuple(
            op.PartSummary(part.number, to_datetime(part.modified_us), _etag(part), part.size, _part_checksums(part))
            for part in page
        ),
        is_truncated=len(found) > len(page) and bool(page),
        next_part_number_marker=page[-1].number if page else 0,
        checksum_algorithm=plan.algorithm,
        checksum_type=plan.type,
    )


async def list_multipart_uploads(ctx: Context, request: op.ListMultipartUploadsInput) -> op.ListMultipartUploadsOutput:
    branch = await branch_of(ctx, request.bucket)
    prefix, delimiter, limit = request.prefix or "", request.delimiter or "", request.max_uploads
    uploads: list[op.UploadSummary] = []
    prefixes: list[str] = []
    last: tuple[str, str | None] | None = None
    truncated = False
    is_shown = shown_to(ctx, branch)
    async for upload in _uploads(ctx, branch, prefix, _uploads_after(request)):
        if is_shown is not None and not is_shown(settings_of_upload(upload)):
            continue
        folded = _folded(upload.key, prefix, delimiter)
        if folded is not None and (folded in prefixes or folded == request.key_marker):
            continue
        if len(uploads) + len(prefixes) == limit:
            truncated = limit > 0
            break
        if folded is None:
            uploads.append(_summary(branch, upload))
            last = (upload.key, upload.id)
        else:
            prefixes.append(folded)
            last = (folded, None)
    return op.ListMultipartUploadsOutput(
        request=request,
        uploads=tuple(uploads),
        common_prefixes=tuple(prefixes),
        is_truncated=truncated,
        next_key_marker=last[0] if truncated and last else None,
        next_upload_id_marker=last[1] if truncated and last else None,
    )


_LAST_ID = "~"  # behind every upload id, which are hex digits


def _uploads_after(request: op.ListMultipartUploadsInput) -> tuple[str, str]:
    if not request.key_marker:
        return "", ""
    return request.key_marker, request.upload_id_marker or _LAST_ID


async def _uploads(ctx: Context, branch: Branch, prefix: str, after: tuple[str, str]) -> AsyncIterator[Upload]:
    while page := await ctx.work(ctx.store.uploads, branch, prefix=prefix, after=after):
        for upload in page:
            yield upload
        after = (page[-1].key, page[-1].id)


def _folded(key: str, prefix: str, delimiter: str) -> str | None:
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else key[: at + len(delimiter)]


def _summary(branch: Branch, upload: Upload) -> op.UploadSummary:
    plan = _Plan.load(upload)
    return op.UploadSummary(
        upload.key,
        upload.id,
        to_datetime(upload.initiated_us),
        owner_in(plan.settings, branch),
        plan.algorithm,
        plan.type,
    )


async def _all_parts(ctx: Context, upload: Upload) -> Sequence[Part]:
    return await ctx.work(ctx.store.staged_parts, upload, limit=10_000)


def _etag(part: Part) -> str:
    return f"{part.digest.hex()}-1"


def _part_checksums(part: Part) -> op.Checksums:
    return load_checksums(part.checksum)
