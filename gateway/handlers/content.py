"""An object's bytes, read back: for sending, and for digests that were not computed on the way in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from gateway.handlers.context import Context
from gateway.s3 import checksums
from pfs import Extent, FileRange, Inline, Segment, Store

PIECE = 1024 * 1024


def pieces(store: Store, segments: Sequence[Segment]) -> Iterator[bytes]:
    """The segments' bytes in order, at most PIECE at a time; blocks. Raises MissingBlob."""
    for segment in segments:
        if isinstance(segment, Inline):
            yield segment.data
        elif isinstance(segment, FileRange):
            yield from _file_pieces(segment)
        else:
            at, end = segment.offset, segment.offset + segment.length
            while at < end:
                yield (piece := store.read_blob(segment.digest, at, min(PIECE, end - at)))
                at += len(piece)


def _file_pieces(segment: FileRange) -> Iterator[bytes]:
    left = segment.length
    with segment.path.open("rb") as file:
        file.seek(segment.offset)
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


class _Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...


async def checksum_of(ctx: Context, extents: Sequence[Extent], algorithm: str) -> str:
    """The base64 checksum of stored bytes, which are read for it."""
    hasher = checksums.new(algorithm)
    await ctx.work(_digest, ctx.store, extents, hasher)
    return hasher.b64()


async def md5_of(ctx: Context, extents: Sequence[Extent]) -> str:
    """The hex MD5 of stored bytes, which are read for it."""
    hasher = hashlib.md5(usedforsecurity=False)
    await ctx.work(_digest, ctx.store, extents, hasher)
    return hasher.hexdigest()


def _digest(store: Store, extents: Sequence[Extent], hasher: _Hasher) -> None:
    for piece in pieces(store, store.locate(extents)):
        hasher.update(piece)
