"""Blobs in an object store (S3, GCS, Azure), through `obstore`.

A blob's digest is known only at its end, so that its bytes are spooled to a local temporary
file and sent from there: as `<prefix>/ab/cd/<64 hex digits>`, in parts where it is large. An object
store shows an object only when it is whole.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore, from_url

from pfs.blobs.base import Buffer, Held
from pfs.blobs.disk import full_disk, write_all
from pfs.errors import MissingBlob
from pfs.model import Digest, from_datetime


class RemoteBlobs:
    """`url`: `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///…`; `options` as obstore takes them
    (credentials come from its usual environment variables)."""

    def __init__(self, url: str, spool: Path | None = None, options: dict[str, str] | None = None) -> None:
        self._store: ObjectStore = from_url(url, **(options or {}))  # type: ignore[call-overload]
        self._spool = spool

    def create(self) -> _SpoolWriter:
        return _SpoolWriter(self._store, self._spool)

    def read(self, digest: Digest, offset: int, length: int) -> bytes:
        size = self.size(digest)
        if size is None:
            raise MissingBlob(digest.hex())
        length = min(length, size - offset)
        if length <= 0:
            return b""
        return bytes(obstore.get_range(self._store, _name(digest), start=offset, length=length))

    def size(self, digest: Digest) -> int | None:
        try:
            return obstore.head(self._store, _name(digest))["size"]
        except (NotFoundError, FileNotFoundError):
            return None

    def path(self, digest: Digest) -> Path | None:
        return None

    def delete(self, digest: Digest) -> None:
        with contextlib.suppress(NotFoundError, FileNotFoundError):
            obstore.delete(self._store, _name(digest))

    def delete_if_older(self, digest: Digest, time_us: int) -> bool:
        """Looks, then deletes: the bytes of a writer that commits them again in between are lost."""
        try:
            stored = obstore.head(self._store, _name(digest))["last_modified"]
        except (NotFoundError, FileNotFoundError):
            return False
        if from_datetime(stored) > time_us:
            return False
        self.delete(digest)
        return True

    def digests(self) -> Iterator[Digest]:
        return (held.digest for held in self.held())

    def held(self) -> Iterator[Held]:
        for page in obstore.list(self._store):
            for found in page:
                digest = Digest(bytes.fromhex(found["path"].rpartition("/")[2]))
                yield Held(digest, found["size"], from_datetime(found["last_modified"]))

    def close(self) -> None:
        """obstore keeps its connections to itself."""


class _SpoolWriter:
    def __init__(self, store: ObjectStore, spool: Path | None) -> None:
        self._store = store
        with full_disk():
            self._file = tempfile.TemporaryFile(dir=spool, buffering=0)  # noqa: SIM115 -- the writer closes it

    def write(self, data: Buffer) -> None:
        with full_disk():
            write_all(self._file.fileno(), data)

    def commit(self, digest: Digest) -> None:
        self._file.seek(0)
        obstore.put(self._store, _name(digest), self._file)
        self._file.close()

    def abort(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.abort()


def _name(digest: Digest) -> str:
    name = digest.hex()
    return f"{name[:2]}/{name[2:4]}/{name}"
