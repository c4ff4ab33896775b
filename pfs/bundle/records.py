"""A bundle's bytes: typed records in a stream, written and read from the front to the end. Nothing is judged here.

    "caret bundle 1\\n"
    records, each:   u8 type   u64 length   body of that many bytes

    1 repo        16 bytes uid   i64 created (µs)   text name   text default branch
    2 timeline    16 bytes uid   i64 fork seq   16 bytes uid of the parent; of the root, which has none, zeros
    3 commit      32 bytes id   i64 seq   i64 time (µs)   text author   text message   text metadata
                  u32 number of changes   u8 number of parents beside the first, 32 bytes each
    4 entry       u8 kind (0 object, 1 delete marker)   text key   text settings
                  objects only: i64 size   u8 layout   32 bytes digest   text ETag   text attributes   text checksums
    5 manifest    the manifest's bytes (see `pfs.manifest`)
    6 blob        32 bytes digest   the blob's bytes
    7 branch      16 bytes uid of its timeline   i64 seq of its head   i64 created (µs)
                  text name   text label   u32 number of settings, then of each: text name   text value
    8 tag         32 bytes commit id   i64 time (µs)   text name   text author   text message
    9 protection  i64 created (µs)   text pattern   text author
    10 end        u64 number of records of each type from 1 to 9   32 bytes BLAKE3 of all bytes before

A text is a u32 length and that many bytes of UTF-8 without NUL; integers are big-endian. Only a blob may have
more than MAX_BODY bytes; it is handed on in pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from blake3 import blake3

from pfs.errors import BadRecord
from pfs.meta.entries import marker
from pfs.model import OBJECT, CommitId, Digest, Entry

MAGIC = b"caret bundle 1\n"
MAX_BODY = 256 * 1024 * 1024
PIECE = 1024 * 1024

_KIND_OF_FILE = b"caret bundle "
_FRAME = struct.Struct(">BQ")
_U8, _U32, _I64 = struct.Struct(">B"), struct.Struct(">I"), struct.Struct(">q")
_UID, _DIGEST = 16, 32
NO_PARENT = bytes(_UID)
_NONE = Digest(b"")


@dataclass(frozen=True, slots=True)
class RepoRecord:
    type: ClassVar = 1
    uid: bytes
    created_us: int
    name: str
    default_branch: str

    def body(self) -> bytes:
        return self.uid + _I64.pack(self.created_us) + _text(self.name) + _text(self.default_branch)

    @staticmethod
    def parse(body: _Body) -> RepoRecord:
        return RepoRecord(body.raw(_UID), body.i64(), body.text(), body.text())


@dataclass(frozen=True, slots=True)
class TimelineRecord:
    """`parent` is NO_PARENT for the root."""

    type: ClassVar = 2
    uid: bytes
    fork_seq: int
    parent: bytes

    def body(self) -> bytes:
        return self.uid + _I64.pack(self.fork_seq) + self.parent

    @staticmethod
    def parse(body: _Body) -> TimelineRecord:
        return TimelineRecord(body.raw(_UID), body.i64(), body.raw(_UID))


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """Of the timeline before it; `merged` are its parents beside the first."""

    type: ClassVar = 3
    id: CommitId
    seq: int
    time_us: int
    author: str
    message: str
    metadata: str
    change_count: int
    merged: tuple[CommitId, ...]

    def body(self) -> bytes:
        return b"".join(
            (
                bytes.fromhex(self.id),
                _I64.pack(self.seq),
                _I64.pack(self.time_us),
                _text(self.author),
                _text(self.message),
                _text(self.metadata),
                _U32.pack(self.change_count),
                _U8.pack(len(self.merged)),
                *(bytes.fromhex(parent) for parent in self.merged),
            )
        )

    @staticmethod
    def parse(body: _Body) -> CommitRecord:
        return CommitRecord(
            body.commit_id(),
            body.i64(),
            body.i64(),
            body.text(),
            body.text(),
            body.text(),
            body.u32(),
            tuple(body.commit_id() for _ in range(body.u8())),
        )


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """A change of the commit before it. `settings` is canonical JSON, "" for none."""

    type: ClassVar = 4
    kind: int
    key: bytes
    settings: str
    size: int = 0
    layout: int = 0
    digest: Digest = _NONE
    etag: str = ""
    attrs: str = ""
    checksums: str = ""

    def body(self) -> bytes:
        head = _U8.pack(self.kind) + _U32.pack(len(self.key)) + self.key + _text(self.settings)
        if self.kind != OBJECT:
            return head
        content = _I64.pack(self.size) + _U8.pack(self.layout) + self.digest
        return head + content + _text(self.etag) + _text(self.attrs) + _text(self.checksums)

    @staticmethod
    def parse(body: _Body) -> EntryRecord:
        kind, key, settings = body.u8(), body.raw(body.u32()), body.text()
        if kind != OBJECT:
            return EntryRecord(kind, key, settings)
        size, layout, digest = body.i64(), body.u8(), body.digest()
        return EntryRecord(kind, key, settings, size, layout, digest, body.text(), body.text(), body.text())

    def entry(self, commit: CommitRecord) -> Entry:
        """What the store holds for it, but for its settings."""
        key = self.key.decode()
        if self.kind != OBJECT:
            return marker(key, commit.seq, commit.id, commit.time_us)
        content = (self.size, self.digest, self.layout, self.etag, self.attrs, self.checksums)
        return Entry(key, commit.seq, self.kind, *content, commit.id, commit.time_us)


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    type: ClassVar = 5
    data: bytes

    def body(self) -> bytes:
        return self.data

    @staticmethod
    def parse(body: _Body) -> ManifestRecord:
        return ManifestRecord(body.rest())


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """Its `size` bytes travel beside it: `Writer.put_blob`, `Reader.pieces`."""

    type: ClassVar = 6
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class BranchRecord:
    type: ClassVar = 7
    timeline: bytes
    head_seq: int
    created_us: int
    name: str
    label: str
    settings: tuple[tuple[str, str], ...]

    def body(self) -> bytes:
        return b"".join(
            (
                self.timeline,
                _I64.pack(self.head_seq),
                _I64.pack(self.created_us),
                _text(self.name),
                _text(self.label),
                _U32.pack(len(self.settings)),
                *(_text(text) for setting in self.settings for text in setting),
            )
        )

    @staticmethod
    def parse(body: _Body) -> BranchRecord:
        return BranchRecord(
            body.raw(_UID),
            body.i64(),
            body.i64(),
            body.text(),
            body.text(),
            tuple((body.text(), body.text()) for _ in range(body.u32())),
        )


@dataclass(frozen=True, slots=True)
class TagRecord:
    type: ClassVar = 8
    commit_id: CommitId
    time_us: int
    name: str
    author: str
    message: str

    def body(self) -> bytes:
        named = _text(self.name) + _text(self.author) + _text(self.message)
        return bytes.fromhex(self.commit_id) + _I64.pack(self.time_us) + named

    @staticmethod
    def parse(body: _Body) -> TagRecord:
        return TagRecord(body.commit_id(), body.i64(), body.text(), body.text(), body.text())


@dataclass(frozen=True, slots=True)
class ProtectionRecord:
    type: ClassVar = 9
    created_us: int
    pattern: str
    author: str

    def body(self) -> bytes:
        return _I64.pack(self.created_us) + _text(self.pattern) + _text(self.author)

    @staticmethod
    def parse(body: _Body) -> ProtectionRecord:
        return ProtectionRecord(body.i64(), body.text(), body.text())


Small = (
    RepoRecord
    | TimelineRecord
    | CommitRecord
    | EntryRecord
    | ManifestRecord
    | BranchRecord
    | TagRecord
    | ProtectionRecord
)
Record = Small | BlobRecord

_SMALL = (
    RepoRecord,
    TimelineRecord,
    CommitRecord,
    EntryRecord,
    ManifestRecord,
    BranchRecord,
    TagRecord,
    ProtectionRecord,
)
_PARSERS = {kind.type: kind.parse for kind in _SMALL}
_TYPES = 9
_END = 10
_END_COUNTS = struct.Struct(f">{_TYPES}Q")


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """What a bundle holds. `digest` (hex) is of all its bytes but the last 32, which are the digest."""

    repo: str
    timelines: int
    commits: int
    versions: int
    manifests: int
    blobs: int
    branches: int
    tags: int
    protections: int
    size_bytes: int
    digest: str


class Writer:
    """`file.write` takes all that it is given, as buffered files do."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self._size = file, blake3(), 0
        self._counts = [0] * _TYPES
        self._repo = ""
        self._write(MAGIC)

    def put(self, record: Small) -> None:
        body = record.body()
        if len(body) > MAX_BODY:
            raise BadRecord("bundle", f"a record of {len(body)} bytes is too large for one")
        if isinstance(record, RepoRecord):
            self._repo = record.name
        self._begin(record.type, len(body))
        self._write(body)

    def put_blob(self, record: BlobRecord, pieces: Iterator[bytes]) -> None:
        """Raises BadRecord where the pieces are not the blob."""
        self._begin(record.type, _DIGEST + record.size)
        self._write(record.digest)
        for piece in checked(record, pieces):
            self._write(piece)

    def end(self) -> BundleSummary:
        self._write(_FRAME.pack(_END, _END_COUNTS.size + _DIGEST) + _END_COUNTS.pack(*self._counts))
        digest = self._hash.digest()
        self._write(digest)
        return summary(self._repo, self._counts, self._size, digest)

    def _begin(self, kind: int, length: int) -> None:
        self._counts[kind - 1] += 1
        self._write(_FRAME.pack(kind, length))

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)
        self._file.write(data)


class Reader:
    """Reads a bundle to its end, whose counts and digest it compares; all its complaints are BadRecord."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self._size = file, blake3(), 0
        self._counts = [0] * _TYPES
        self._repo = ""
        self._blob_left = 0
        self.summary: BundleSummary | None = None
        magic = b""
        while len(magic) < len(MAGIC) and (more := file.read(len(MAGIC) - len(magic))):
            magic += more
        if magic != MAGIC:
            known = magic.startswith(_KIND_OF_FILE)
            raise BadRecord("bundle", "it is of another version" if known else "it does not begin as one")
        self._taken(magic)

    def __iter__(self) -> Iterator[Record]:
        """The records up to the end; then `summary` is known. A blob's `pieces` are to be taken before going on."""
        while True:
            assert not self._blob_left
            kind, length = _FRAME.unpack(self._read(_FRAME.size))
            if kind == _END:
                self._end(length)
                return
            if kind == BlobRecord.type:
                if length < _DIGEST or length - _DIGEST >= 1 << 63:
                    raise BadRecord("bundle", "a blob's length is wrong")
                self._blob_left = length - _DIGEST
                self._counts[kind - 1] += 1
                yield BlobRecord(Digest(self._read(_DIGEST)), self._blob_left)
                continue
            yield self._small(kind, length)

    def pieces(self, record: BlobRecord) -> Iterator[bytes]:
        """The bytes of the blob read last. Raises BadRecord at their end where they are not what its name says."""
        return checked(record, self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        while self._blob_left:
            piece = self._read(min(self._blob_left, PIECE))
            self._blob_left -= len(piece)
            yield piece

    def _small(self, kind: int, length: int) -> Small:
        parse = _PARSERS.get(kind)
        if parse is None or length > MAX_BODY:
            raise BadRecord("bundle", f"it has a record of type {kind} and {length} bytes")
        body = _Body(self._read(length))
        record = parse(body)
        body.close()
        if isinstance(record, RepoRecord):
            self._repo = record.name
        self._counts[kind - 1] += 1
        return record

    def _end(self, length: int) -> None:
        if length != _END_COUNTS.size + _DIGEST:
            raise BadRecord("bundle", "its last record's length is wrong")
        counts = _END_COUNTS.unpack(self._read(_END_COUNTS.size))
        digest = self._hash.digest()
        if list(counts) != self._counts or self._read(_DIGEST) != digest:
            raise BadRecord("bundle", "its bytes are not those that were written")
        if self._file.read(1):
            raise BadRecord("bundle", "it goes on behind its end")
        self.summary = summary(self._repo, self._counts, self._size, digest)

    def _read(self, length: int) -> bytes:
        """In pieces: a length that lies costs no more memory than there are bytes."""
        pieces = []
        while length:
            piece = self._file.read(min(length, PIECE))
            if not piece:
                raise BadRecord("bundle", "it ends too early")
            self._taken(piece)
            pieces.append(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _taken(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)


def checked(record: BlobRecord, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as they come; raises BadRecord where they turn out to be something else than the blob."""
    hasher, size = blake3(), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
        if size > record.size:
            break
        yield piece
    if size != record.size or hasher.digest() != record.digest:
        raise BadRecord(f"blob {record.digest.hex()}", "its bytes are not what its name says")


def summary(repo: str, counts: list[int], size: int, digest: bytes) -> BundleSummary:
    _, timelines, commits, versions, manifests, blobs, branches, tags, protections = counts
    return BundleSummary(
        repo, timelines, commits, versions, manifests, blobs, branches, tags, protections, size, digest.hex()
    )


class _Body:
    """A record's bytes, taken field by field; every complaint is BadRecord."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def raw(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise BadRecord("bundle", "a record is too short for what it says")
        found, self._at = self._data[self._at : end], end
        return found

    def rest(self) -> bytes:
        return self.raw(len(self._data) - self._at)

    def u8(self) -> int:
        return self.raw(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.raw(4), "big")

    def i64(self) -> int:
        return int.from_bytes(self.raw(8), "big", signed=True)

    def digest(self) -> Digest:
        return Digest(self.raw(_DIGEST))

    def commit_id(self) -> CommitId:
        return CommitId(self.raw(_DIGEST).hex())

    def text(self) -> str:
        raw = self.raw(self.u32())
        try:
            text = raw.decode()
        except UnicodeDecodeError as exc:
            raise BadRecord("bundle", f"a text is not UTF-8: {exc.reason}") from exc
        if "\0" in text:
            raise BadRecord("bundle", "a text holds NUL")
        return text

    def close(self) -> None:
        if self._at != len(self._data):
            raise BadRecord("bundle", "a record is longer than what it says")


def _text(text: str) -> bytes:
    raw = text.encode()
    return _U32.pack(len(raw)) + raw
