"""A manifest's bytes: the ordered parts of one object, each a list of extents of blobs. Pure.

    "caret manifest 1\\n"
    u32 number of parts, then per part:
        u64 size   32 bytes digest   u16 length of checksum, checksum (UTF-8)   u32 number of extents
        per extent: 32 bytes blob digest   u64 offset   u64 length

Integers are big-endian. The manifest's own digest is the BLAKE3 of these bytes. The object's ETag is the
BLAKE3 of its parts' digests, one after the other; of a single part, that part's digest.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from blake3 import blake3

from pfs.errors import BadRecord
from pfs.model import MANIFEST, Content, Digest, Extent, Part

_MAGIC = b"caret manifest 1\n"
_COUNT, _LENGTH = struct.Struct(">I"), struct.Struct(">H")
_PART = struct.Struct(">Q32s")
_EXTENT = struct.Struct(">32sQQ")


def encode_extents(extents: Sequence[Extent]) -> bytes:
    return b"".join(_EXTENT.pack(extent.digest, extent.offset, extent.length) for extent in extents)


def decode_extents(raw: bytes) -> tuple[Extent, ...]:
    return tuple(Extent(Digest(digest), offset, length) for digest, offset, length in _EXTENT.iter_unpack(raw))


def encode_manifest(parts: Sequence[Part]) -> bytes:
    pieces = [_MAGIC, _COUNT.pack(len(parts))]
    for part in parts:
        checksum = part.checksum.encode()
        pieces += (
            _PART.pack(part.size, part.digest),
            _LENGTH.pack(len(checksum)),
            checksum,
            _COUNT.pack(len(part.extents)),
            encode_extents(part.extents),
        )
    return b"".join(pieces)


def decode_manifest(raw: bytes) -> tuple[Part, ...]:
    """The parts, numbered from 1 in order. Raises BadRecord."""
    if not raw.startswith(_MAGIC):
        raise BadRecord("manifest", "it does not begin as one")
    try:
        return _decode(raw)
    except (struct.error, UnicodeDecodeError) as exc:
        raise BadRecord("manifest", str(exc)) from exc


def _decode(raw: bytes) -> tuple[Part, ...]:
    at = len(_MAGIC)
    (count,) = _COUNT.unpack_from(raw, at)
    at += _COUNT.size
    parts = []
    for number in range(1, count + 1):
        size, digest = _PART.unpack_from(raw, at)
        at += _PART.size
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        checksum = raw[at : at + length].decode()
        at += length
        (extent_count,) = _COUNT.unpack_from(raw, at)
        at += _COUNT.size
        end = at + extent_count * _EXTENT.size
        parts.append(Part(number, size, Digest(digest), decode_extents(raw[at:end]), checksum))
        at = end
    if at != len(raw):
        raise BadRecord("manifest", "its length is wrong")
    return tuple(parts)


def compose(parts: Sequence[Part]) -> Content:
    """The content that these parts make up, in order: its manifest is pending, no byte is copied."""
    body = encode_manifest(parts)
    etag = parts[0].digest if len(parts) == 1 else blake3(b"".join(part.digest for part in parts)).digest()
    return Content(
        size=sum(part.size for part in parts),
        digest=Digest(blake3(body).digest()),
        etag=f"{etag.hex()}-{len(parts)}",
        layout=MANIFEST,
        pending=body,
    )


def cut(extents: Sequence[Extent], first: int, length: int) -> tuple[Extent, ...]:
    """The extents of `length` bytes from byte `first` of what these extents make up."""
    taken = []
    for extent in extents:
        if length <= 0:
            break
        if first >= extent.length:
            first -= extent.length
            continue
        count = min(extent.length - first, length)
        taken.append(Extent(extent.digest, extent.offset + first, count))
        first, length = 0, length - count
    return tuple(taken)
