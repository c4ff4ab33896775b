"""Blobs in memory, for tests and throw-away stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pfs.blobs.base import Buffer
from pfs.errors import MissingBlob
from pfs.model import Digest


class MemoryBlobs:
    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}

    def create(self) -> _MemoryWriter:
        return _MemoryWriter(self._blobs)

    def read(self, digest: Digest, offset: int, length: int) -> bytes:
        try:
            return self._blobs[digest][offset : offset + length]
        except KeyError as exc:
            raise MissingBlob(digest.hex()) from exc

    def size(self, digest: Digest) -> int | None:
        blob = self._blobs.get(digest)
        return None if blob is None else len(blob)

    def path(self, digest: Digest) -> Path | None:
        return None

    def delete(self, digest: Digest) -> None:
        self._blobs.pop(digest, None)

    def digests(self) -> Iterator[Digest]:
        return iter(tuple(self._blobs))

    def close(self) -> None:
        self._blobs.clear()


class _MemoryWriter:
    def __init__(self, blobs: dict[Digest, bytes]) -> None:
        self._blobs = blobs
        self._pieces: list[bytes] = []

    def write(self, data: Buffer) -> None:
        self._pieces.append(bytes(data))

    def commit(self, digest: Digest) -> None:
        self._blobs[digest] = b"".join(self._pieces)
        self._pieces.clear()

    def abort(self) -> None:
        self._pieces.clear()
