"""An archive of files, tar or tar.gz: told by its first bytes, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.s3.errors import EntityTooLarge
from gateway.s3.gunzip import MAGIC, Gunzip
from gateway.s3.tar import Member, TarReader

# As with AWS: larger ones are not extracted there.
MAX_UNPACKED = 100 * 10**9


class ArchiveReader:
    """Bytes in, members and pieces of their content out; see `tar.TarReader`."""

    def __init__(self) -> None:
        self._tar = TarReader()
        self._gunzip: Gunzip | None = None
        self._head: bytes | None = b""  # until it is known what it is
        self._size = 0

    def feed(self, data: bytes | memoryview) -> Iterator[Member | memoryview]:
        """Raises InvalidRequest, InvalidArgument, EntityTooLarge."""
        if self._head is not None:
            data = self._head + data
            if len(data) < len(MAGIC):
                self._head = data
                return
            self._head = None
            if data.startswith(MAGIC):
                self._gunzip = Gunzip()
        if self._gunzip is None:
            yield from self._read(data)
            return
        for piece in self._gunzip.feed(data):
            yield from self._read(piece)

    def finish(self) -> None:
        """InvalidRequest where the archive may not end here."""
        if self._gunzip is not None:
            self._gunzip.finish()
        self._tar.finish()

    def _read(self, data: bytes | memoryview) -> Iterator[Member | memoryview]:
        self._size += len(data)
        if self._size > MAX_UNPACKED:
            raise EntityTooLarge(fields={"ProposedSize": str(self._size), "MaxSizeAllowed": str(MAX_UNPACKED)})
        return self._tar.feed(data)
