"""What every blob store promises.

A blob is bytes named by their BLAKE3 digest. A store never holds half of one: a writer's bytes
are invisible until `commit` returns, and are gone after `abort`, after the writer was
dropped, and after a crash. Storing the same bytes twice keeps one copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from pfs.model import Digest

Buffer = bytes | bytearray | memoryview


class BlobWriter(Protocol):
    """Bytes on their way in. Used by one thread at a time; either `commit` or `abort` ends it."""

    def write(self, data: Buffer) -> None:
        """Appends. Raises StoreFull when there is no room left."""

    def commit(self, digest: Digest) -> None:
        """Makes the bytes durable and visible as `digest`, which the caller has computed."""

    def abort(self) -> None:
        """Drops the bytes. May be called again, and after `commit`."""


class Held(NamedTuple):
    """A blob in a store: `stored_us` is when its bytes were committed last."""

    digest: Digest
    size: int
    stored_us: int


class BlobStore(Protocol):
    """Thread-safe."""

    def create(self) -> BlobWriter:
        """Begins a blob."""

    def read(self, digest: Digest, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the blob's end. Raises MissingBlob."""

    def size(self, digest: Digest) -> int | None:
        """The blob's size in bytes; None where the store does not hold it."""

    def path(self, digest: Digest) -> Path | None:
        """A local file that holds exactly the blob, for sendfile; None where the store has none."""

    def delete(self, digest: Digest) -> None:
        """Removes a blob; one that is absent is no error."""

    def delete_if_older(self, digest: Digest, time_us: int) -> bool:
        """Removes a blob unless its bytes were committed, for the first time or again, after that time.

        Whether it is gone by this call. A store that cannot look and delete in one says so.
        """

    def digests(self) -> Iterator[Digest]:
        """All blobs held, in no particular order."""

    def held(self) -> Iterator[Held]:
        """The same, with sizes and times. What comes or goes meanwhile may be told or not."""

    def close(self) -> None:
        """Releases what the store holds open."""
