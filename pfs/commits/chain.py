"""A commit's canonical bytes and its id. Pure; `pfs.fsck` recomputes every id with it.

    "caret commit 1\\n"
    16 bytes repo uid   16 bytes timeline uid   u64 seq
    u8 number of parents, 32 bytes each
    i64 time (µs since the epoch, UTC)
    text author   text message   text metadata (canonical JSON)
    u32 number of changes, then per change in the order of its key's bytes:
        u8 kind (0 object, 1 delete marker)   text key
        objects only: u64 size   u8 layout   32 bytes content digest   text ETag
                      32 bytes BLAKE3 of (text attributes, text checksums)

A text is a u32 length and that many bytes of UTF-8; integers are big-endian. The id is the BLAKE3 of
all this. A commit names its parents' ids, so each id vouches for the whole history behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from blake3 import blake3

from pfs.model import CommitId, Entry

_MAGIC = b"caret commit 1\n"
_HEAD = struct.Struct(">16s16sQB")
_TIME = struct.Struct(">q")
_U32 = struct.Struct(">I")
_OBJECT = struct.Struct(">QB32s")


def commit_id(
    *,
    repo_uid: bytes,
    timeline_uid: bytes,
    seq: int,
    parents: Sequence[CommitId],
    time_us: int,
    author: str,
    message: str,
    metadata: str,
    changes: Iterable[tuple[bytes, Entry]],
) -> CommitId:
    """`changes` are (key bytes, entry), ordered by key; the entries' own seq, time and id play no part."""
    described = [_change(key, entry) for key, entry in changes]
    head = _head(repo_uid, timeline_uid, seq, parents, time_us, author, message, metadata, len(described))
    return CommitId(blake3(b"".join((head, *described))).hexdigest())


class CommitHash:
    """A commit's id where its changes come one by one, in the order of their keys, and may be too many to hold."""

    def __init__(
        self,
        *,
        repo_uid: bytes,
        timeline_uid: bytes,
        seq: int,
        parents: Sequence[CommitId],
        time_us: int,
        author: str,
        message: str,
        metadata: str,
        change_count: int,
    ) -> None:
        self._hash = blake3(
            _head(repo_uid, timeline_uid, seq, parents, time_us, author, message, metadata, change_count)
        )

    def add(self, key: bytes, entry: Entry) -> None:
        self._hash.update(_change(key, entry))

    def commit_id(self) -> CommitId:
        """Of all `change_count` changes, once they are added."""
        return CommitId(self._hash.hexdigest())


def _head(
    repo_uid: bytes,
    timeline_uid: bytes,
    seq: int,
    parents: Sequence[CommitId],
    time_us: int,
    author: str,
    message: str,
    metadata: str,
    change_count: int,
) -> bytes:
    return b"".join(
        (
            _MAGIC,
            _HEAD.pack(repo_uid, timeline_uid, seq, len(parents)),
            *(bytes.fromhex(parent) for parent in parents),
            _TIME.pack(time_us),
            _text(author),
            _text(message),
            _text(metadata),
            _U32.pack(change_count),
        )
    )


def _change(key: bytes, entry: Entry) -> bytes:
    kind = bytes((entry.kind,)) + _U32.pack(len(key)) + key
    if entry.is_marker:
        return kind
    described = blake3(_text(entry.attrs) + _text(entry.checksums)).digest()
    return kind + _OBJECT.pack(entry.size, entry.layout, entry.digest) + _text(entry.etag) + described


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return _U32.pack(len(raw)) + raw
