"""A bucket of any S3 endpoint as a side of a sync; `gateway.sync.ours` has what only this kind of gateway can do.

A put is held against its answer: an endpoint that is not ours gets a signed body, and refuses what does not fit; ours
answers with the content's BLAKE3, which is compared. So nothing that was altered on the way counts as sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

from gateway.client.connection import Connection, Refusal
from gateway.sync.ends import PIECE_BYTES, Attributes, Proof, Small, piece_size
from gateway.sync.etags import OURS, etag_of, form_of, part_count
from gateway.sync.faults import FileFailed, FileFault
from gateway.sync.filters import IsIncluded
from gateway.sync.manifest import Item
from gateway.sync.memory import KeptUpload, Memory
from gateway.sync.model import Bucket, SyncError
from gateway.sync.objects import MOST_DELETIONS, Objects, Part, fault_of_destination
from gateway.sync.progress import Meter
from gateway.sync.times import mtime_of

_log = logging.getLogger(__name__)

_SPARE_CONNECTIONS = 2
_MOST_COPIED_BYTES = 5 * 1024**3  # what S3 copies at once
# What of an object's headers a put takes as it is.
_KEPT_HEADERS = frozenset(
    {"cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"}
)
_METADATA = "x-amz-meta-"


def connect(side: Bucket, jobs: int) -> Connection:
    """Raises SyncError."""
    try:
        return side.reach.connect(connections=jobs + _SPARE_CONNECTIONS, address=side.address)
    except ValueError as exc:
        raise SyncError(str(exc)) from exc


def name_of(side: Bucket) -> str:
    return f"bucket {side.reach.endpoint.rstrip('/')} {side.bucket} {side.prefix}"


# ---------------------------------------------------------------- to be read


class ObjectContent:
    """An object. A small one is read at once."""

    def __init__(self, objects: Objects, key: str, item: Item, meter: Meter) -> None:
        self._objects, self._key, self.item = objects, key, item
        self.opened_ns = time.time_ns()
        self._data: bytes | None = None
        if item.size <= PIECE_BYTES:
            self._data, headers = objects.get(key, item.etags[0], 0, item.size, meter)
        else:
            headers = objects.head(key)
        proof = proof_of(objects, key, item)
        self.attributes = Attributes(mtime_of(headers) or item.mtime_ns, kept_headers(headers), proof)

    def read(self, start: int, size: int, meter: Meter) -> bytes:
        if self._data is not None:
            return self._data[start : start + size]
        return self._objects.get(self._key, self.item.etags[0], start, size, meter)[0]

    def check(self) -> None:
        """Each read has seen to it that it is the same object."""

    def close(self) -> None:
        self._data = None


def kept_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    named = {name.lower(): value for name, value in headers.items()}
    return {name: _text(value) for name, value in named.items() if name in _KEPT_HEADERS or name.startswith(_METADATA)}


def _text(value: str) -> str:
    """A header's value as it is sent: http.client takes bytes for Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def proof_of(objects: Objects, key: str, item: Item) -> Proof | None:
    """How its content can be held against its ETag; None where that cannot be told. Raises FileFault."""
    form = form_of(item.etags[0])
    if form is None:
        return None
    if form.is_whole:
        return Proof(item.etags[0], form, item.size)
    part_size = int(objects.head(key, part=1).get("content-length", "0"))
    is_even = part_size > 0 and part_count(item.size, part_size) == form.parts
    return Proof(item.etags[0], form, part_size) if is_even else None


class BucketSource:
    """Objects as they are when each is listed; one that is another by the time that it is read has changed."""

    def __init__(self, side: Bucket, objects: Objects) -> None:
        self.side, self.objects = side, objects
        self.name = name_of(side)

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        return (item for item in self.objects.list(self.side.prefix) if is_included(item.path))

    def open(self, item: Item, meter: Meter) -> ObjectContent:
        return ObjectContent(self.objects, self.side.prefix + item.path, item, meter)

    def proof(self, item: Item) -> Proof | None:
        """How a file can be told to have this content. Raises FileFault."""
        return proof_of(self.objects, self.side.prefix + item.path, item)

    def again(self, path: str) -> Item:
        headers = self.objects.head(self.side.prefix + path)
        etag = headers.get("etag", "").strip('"')
        return Item(path, int(headers.get("content-length", "0")), mtime_of(headers) or 0, etags=(etag,))


# ---------------------------------------------------------------- to be written


class BucketDestination:
    """Object by object. Thread-safe."""

    def __init__(self, side: Bucket, objects: Objects, memory: Memory, pair: str, source: BucketSource | None) -> None:
        """`source`: where it is a bucket that objects can be copied from without coming by here."""
        self.side, self.objects, self.memory, self.pair = side, objects, memory, pair
        self._source = source
        self._is_missing = False
        self.name = name_of(side)

    def copies(self, item: Item) -> bool:
        return self._source is not None and item.size <= _MOST_COPIED_BYTES

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        """Of a bucket that is not there yet, nothing."""
        self._is_missing = False
        try:
            for item in self.objects.list(self.side.prefix):
                if is_included(item.path):
                    yield item
        except Refusal as exc:
            if exc.code != "NoSuchBucket":
                raise
            self._is_missing = True

    def begin(self) -> None:
        """Makes the bucket where there was none. Raises Refused."""
        if self._is_missing:
            try:
                self.objects.create()
            except Refusal as exc:
                raise fault_of_destination(exc) from exc

    def proof(self, item: Item) -> Proof | None:
        """How a file can be told to have this content. Raises FileFault."""
        return proof_of(self.objects, self.key(item.path), item)

    def key(self, path: str) -> str:
        return self.side.prefix + path

    @property
    def batch_bytes(self) -> int:
        return -1

    def put(self, file: Small, meter: Meter) -> str:
        reply = self.objects.put(self.key(file.item.path), file.data, file.attributes.headers, meter)
        return self.accepted(file.data, reply.headers.get("etag", "").strip('"'))

    def put_many(self, files: Sequence[Small], meter: Meter) -> Sequence[str] | None:
        return None

    def accepted(self, data: bytes, etag: str) -> str:
        """The answered ETag, if it may belong to that content. Raises FileFailed."""
        form = form_of(etag)
        if form == OURS and etag_of(data, form) != etag:
            raise FileFailed("what arrived is not what was sent")
        return etag

    def sink(self, item: Item, attributes: Attributes, meter: Meter) -> UploadSink:
        return UploadSink(self, item, attributes, meter)

    def copy(self, item: Item) -> str:
        assert self._source is not None
        found = self._source.objects
        key = self._source.side.prefix + item.path
        return self.objects.copy(self.key(item.path), found.bucket, key, found.version_id, item.etags[0])

    def delete(self, paths: Sequence[str]) -> Mapping[str, str]:
        failed: dict[str, str] = {}
        for at in range(0, len(paths), MOST_DELETIONS):
            failed |= self.objects.delete([self.key(path) for path in paths[at : at + MOST_DELETIONS]])
        return {key[len(self.side.prefix) :]: reason for key, reason in failed.items()}

    def settle(self) -> None:
        """An answer is a promise."""


class UploadSink:
    """An upload in parts. One that an earlier run began for the same content is gone on with: what is there of it is
    not sent again."""

    def __init__(self, destination: BucketDestination, item: Item, attributes: Attributes, meter: Meter) -> None:
        self._to, self._item = destination, item
        self._key, self._objects = destination.key(item.path), destination.objects
        self._lock = Lock()
        self._parts: dict[int, Part] = {}
        self._there: Mapping[int, Part] = {}
        kept = self._kept()
        if kept is None:
            self.piece = piece_size(item.size, attributes.proof)
            self._upload_id = self._objects.begin_upload(self._key, attributes.headers)
            upload = KeptUpload(item.stamp, self._objects.bucket, self._upload_id, self.piece)
            destination.memory.keep_upload(destination.pair, item.path, upload)
        else:
            self.piece, self._upload_id = kept.part_size, kept.upload_id

    def _kept(self) -> KeptUpload | None:
        """The upload to go on with. One that was for another content is aborted."""
        kept = self._to.memory.upload(self._to.pair, self._item.path)
        if kept is None or kept.bucket != self._objects.bucket:
            return None
        if kept.stamp != self._item.stamp:
            self._objects.abort(self._key, kept.upload_id)
            return None
        parts = self._objects.parts(self._key, kept.upload_id)
        if parts is None:
            return None
        self._there = parts
        return kept

    def has(self, number: int, size: int, meter: Meter) -> bool:
        """A file's piece is held against its part's ETag, for nothing vouches for a file; an object's ETag does."""
        part = self._there.get(number + 1)
        if part is None or part.size != size or not self._item.is_object:
            return False
        meter.find(size)
        self._keep(part)
        return True

    def write(self, number: int, data: bytes, meter: Meter) -> None:
        part = self._there.get(number + 1)
        if part is not None and _is_of(part, data):
            meter.find(len(data))
        else:
            etag = self._objects.put_part(self._key, self._upload_id, number + 1, data, meter)
            part = Part(number + 1, len(data), self._to.accepted(data, etag))
        self._keep(part)

    def _keep(self, part: Part) -> None:
        with self._lock:
            self._parts[part.number] = part

    def finish(self) -> str:
        parts = [self._parts[number] for number in sorted(self._parts)]
        etag = self._objects.complete(self._key, self._upload_id, parts)
        self._to.memory.forget_upload(self._to.pair, self._item.path)
        return etag

    def drop(self) -> None:
        try:
            self._objects.abort(self._key, self._upload_id)
        except FileFault as exc:  # its file has failed already
            _log.warning("the upload %s of %s could not be aborted: %s", self._upload_id, self._key, exc)
        self._to.memory.forget_upload(self._to.pair, self._item.path)

    def leave(self) -> None:
        """The journal knows it."""


def _is_of(part: Part, data: bytes) -> bool:
    form = form_of(part.etag)
    return part.size == len(data) and form is not None and form.is_whole and etag_of(data, form) == part.etag
