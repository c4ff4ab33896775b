"""Bytes coming in: digest, length and a place to keep them, in one pass.

Up to the threshold they stay in memory and travel in the transaction of the entry that holds them (no
file, no fsync of their own); beyond it they go to the blob store as they come.
"""

from __future__ import annotations

from blake3 import blake3

from pfs.blobs.base import BlobStore, BlobWriter, Buffer
from pfs.model import Content, Digest


def etag(digest: Digest, parts: int = 1) -> str:
    """`<64 hex>-<parts>`: the hyphen makes clients that verify MD5 ETags treat it as opaque."""
    return f"{digest.hex()}-{parts}"


def inline(data: bytes) -> Content:
    """Content for bytes that are at hand and within the threshold."""
    digest = Digest(blake3(data).digest())
    return Content(len(data), digest, etag(digest), pending=data)


class Stage:
    """One object's or part's bytes on their way in. Used by one thread at a time."""

    def __init__(self, blobs: BlobStore, threshold: int) -> None:
        self._blobs, self._threshold = blobs, threshold
        self._hash = blake3()
        self._held = bytearray()
        self._writer: BlobWriter | None = None
        self.size = 0

    def write(self, data: Buffer) -> None:
        """Appends; may block on the disk. Raises StoreFull."""
        self.size += len(data)
        if self._writer is None:
            if self.size <= self._threshold:
                self._held += data
                return
            self._writer = self._blobs.create()
            self._hash.update(self._held)
            self._writer.write(self._held)
            self._held = bytearray()
        self._hash.update(data)
        self._writer.write(data)

    def finish(self) -> Content:
        """The content, durable unless it is `pending`. Nothing refers to it yet."""
        if self._writer is None:
            return inline(bytes(self._held))
        digest = Digest(self._hash.digest())
        self._writer.commit(digest)
        return Content(self.size, digest, etag(digest), staged=True)

    def discard(self) -> None:
        """Drops what came in; may be called at any time, and twice."""
        self._held = bytearray()
        if self._writer is not None:
            self._writer.abort()
