"""GetObjectAttributes: what is known of an object without its content, its parts included."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.handlers.attributes import load_checksums
from gateway.handlers.authorise import entry_at
from gateway.handlers.context import Context
from gateway.s3 import operations as op
from pfs import Part, to_datetime


async def get_object_attributes(ctx: Context, request: op.GetObjectAttributesInput) -> op.GetObjectAttributesOutput:
    entry = await entry_at(ctx, "GET", request.bucket, request.key, request.version_id)
    parts = await ctx.read(ctx.store.parts, entry.content) if "ObjectParts" in request.attributes else ()
    return op.GetObjectAttributesOutput(
        request=request,
        last_modified=to_datetime(entry.time_us),
        version_id=entry.commit_id,
        etag=entry.etag,
        size=entry.size,
        checksums=load_checksums(entry.checksums),
        object_parts=_page(request, parts) if parts else None,
    )


def _page(request: op.GetObjectAttributesInput, parts: Sequence[Part]) -> op.ObjectParts:
    """The parts behind the marker; they are numbered from 1 without gaps."""
    first = request.part_number_marker
    page = parts[first : first + request.max_parts]
    return op.ObjectParts(
        total=len(parts),
        parts=tuple(op.ObjectPart(part.number, part.size, load_checksums(part.checksum)) for part in page),
        is_truncated=bool(page) and page[-1].number < len(parts),
        next_part_number_marker=page[-1].number if page else 0,
    )
