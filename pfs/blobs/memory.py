"""Blobs in memory, for tests and throw-away stores."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pfs.blobs.base import Buffer, Held
from pfs.errors import MissingBlob
from pfs.model import Digest


class _Blob(NamedTuple):
    data: bytes
    stored_us: int


class MemoryBlobs:
    def __init__(self) -> None:
        self._blobs: dict[Digest, _Blob] = {}
        self._lock = threading.Lock()

    def create(self) -> _MemoryWriter:
        return _MemoryWriter(self)

    def put(self, digest: Digest, data: bytes) -> None:
        with self._lock:
            self._blobs[digest] = _Blob(data, time.time_ns() // 1000)

    def read(self, digest: Digest, offset: int, length: int) -> bytes:
        try:
            return self._blobs[digest].data[offset : offset + length]
        except KeyError as exc:
            raise MissingBlob(digest.hex()) from exc

    def size(self, digest: Digest) -> int | None:
        blob = self._blobs.get(digest)
        return None if blob is None else len(blob.data)

    def path(self, digest: Digest) -> Path | None:
        return None

    def delete(self, digest: Digest) -> None:
        self._blobs.pop(digest, None)

    def delete_if_older(self, digest: Digest, time_us: int) -> bool:
        with self._lock:
            blob = self._blobs.get(digest)
            if blob is None or blob.stored_us > time_us:
                return False
            del self._blobs[digest]
            return True

    def digests(self) -> Iterator[Digest]:
        return iter(tuple(self._blobs))

    def held(self) -> Iterator[Held]:
        with self._lock:
            found = list(self._blobs.items())
        return (Held(digest, len(blob.data), blob.stored_us) for digest, blob in found)

    def close(self) -> None:
        self._blobs.clear()


class _MemoryWriter:
    def __init__(self, store: MemoryBlobs) -> None:
        self._store = store
        self._pieces: list[bytes] = []

    def write(self, data: Buffer) -> None:
        self._pieces.append(bytes(data))

    def commit(self, digest: Digest) -> None:
        self._store.put(digest, b"".join(self._pieces))
        self._pieces.clear()

    def abort(self) -> None:
        self._pieces.clear()
