"""Small files that travel together to a gateway of ours, many by one put.

A gateway that does not know of that keeps the archive as any other object. So the first batch of a run is looked after:
where its first file is not there the archive is taken away again, and all files go one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from gateway.sync.archive import can_name, pack
from gateway.sync.ends import Small
from gateway.sync.etags import OURS, etag_of
from gateway.sync.faults import FileChanged, FileFailed
from gateway.sync.local import TEMPORARY_PREFIX
from gateway.sync.objects import Objects
from gateway.sync.progress import Meter

_LARGEST_BYTES = 256 * 1024
_EXTRACT = {"x-amz-meta-snowball-auto-extract": "true"}


class Batches:
    """Of one run, to keys that begin with `prefix`. Thread-safe."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._are_taken = None if can_name(f"{prefix}x") else False
        self._lock = Lock()

    @property
    def largest_bytes(self) -> int:
        """The largest file that travels so; -1 where none does."""
        return -1 if self._are_taken is False else _LARGEST_BYTES

    def put(self, objects: Objects, files: Sequence[Small], meter: Meter) -> Sequence[str] | None:
        """The files' ETags, when all of them are there; None where they have to go one by one. Raises SyncFault."""
        if self._are_taken is None:
            with self._lock:  # the others wait for what the first batch shows
                if self._are_taken is None:
                    return self._put_first(objects, files, meter)
        return self._put(objects, files, meter) if self._are_taken else None

    def _put(self, objects: Objects, files: Sequence[Small], meter: Meter) -> Sequence[str]:
        archive = pack((self._prefix + file.item.path, file.data, file.attributes.headers) for file in files)
        reply = objects.put(self._name, archive, _EXTRACT, meter)
        if reply.headers.get("etag", "").strip('"') != etag_of(archive, OURS):
            raise FileFailed("what arrived is not what was sent")
        return [etag_of(file.data, OURS) for file in files]

    def _put_first(self, objects: Objects, files: Sequence[Small], meter: Meter) -> Sequence[str] | None:
        etags = self._put(objects, files, meter)
        try:
            is_there = objects.head(self._prefix + files[0].item.path).get("etag", "").strip('"') == etags[0]
        except FileChanged:  # there is nothing of that key
            is_there = False
        if not is_there:
            objects.delete([self._name])
        self._are_taken = is_there
        return etags if is_there else None

    @property
    def _name(self) -> str:
        return f"{self._prefix}{TEMPORARY_PREFIX}batch.tar"
