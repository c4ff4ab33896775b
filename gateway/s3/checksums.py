"""The checksums that S3 clients announce, and the proof of a body against all it was announced to be.

Source: S3 user guide, "Checking object integrity". A value travels as base64 of the digest; a
CRC's digest is its big-endian bytes. Of a multipart object there are two types of value:

    FULL_OBJECT   over the whole content; of the parts' values, where these are CRCs
    COMPOSITE     over the parts' digests, written `base64-N` for N parts

The content's own name (BLAKE3) is the store's affair, not this module's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from awscrt import checksums as crt

from gateway.s3.errors import (
    BadDigest,
    EntityTooLarge,
    EntityTooSmall,
    IncompleteBody,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailerError,
    XAmzContentSHA256Mismatch,
)
from gateway.s3.operations import Payload

Bytes: TypeAlias = bytes | bytearray | memoryview

FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"
HEADER_PREFIX = "x-amz-checksum-"


class Hasher(Protocol):
    """What computes a digest as the bytes pass."""

    def update(self, data: Bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A running CRC with the face of a hashlib object."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[Bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: Bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@dataclass(frozen=True, slots=True)
class _Algorithm:
    """`types`: the legal ones of a multipart upload, the default first. `combine`: CRCs alone."""

    size: int
    new: Callable[[], Hasher]
    types: tuple[str, ...]
    combine: Callable[[int, int, int], int] | None = None


_ALGORITHMS = {
    "crc32": _Algorithm(4, lambda: _Crc(crt.crc32, 4), (COMPOSITE, FULL_OBJECT), crt.combine_crc32),
    "crc32c": _Algorithm(4, lambda: _Crc(crt.crc32c, 4), (COMPOSITE, FULL_OBJECT), crt.combine_crc32c),
    "crc64nvme": _Algorithm(8, lambda: _Crc(crt.crc64nvme, 8), (FULL_OBJECT,), crt.combine_crc64nvme),
    "sha1": _Algorithm(20, lambda: hashlib.sha1(usedforsecurity=False), (COMPOSITE,)),
    "sha256": _Algorithm(32, hashlib.sha256, (COMPOSITE,)),
}
ALGORITHMS = frozenset(_ALGORITHMS)


class Checksum:
    """A checksum being computed."""

    __slots__ = ("_hasher",)

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    def update(self, data: Bytes) -> None:
        self._hasher.update(data)

    def digest(self) -> bytes:
        return self._hasher.digest()

    def hex(self) -> str:
        return self.digest().hex()

    def b64(self) -> str:
        """The value as it travels."""
        return _b64(self.digest())


def new(algorithm: str) -> Checksum:
    """A fresh checksum; InvalidRequest for an algorithm that is not in `ALGORITHMS`."""
    return Checksum(_algorithm(algorithm).new())


def parse_b64(algorithm: str, text: str) -> bytes:
    """The digest that a checksum header or trailer holds; BadDigest where it cannot be one."""
    digest = _decode(text)
    if digest is None or len(digest) != _algorithm(algorithm).size:
        raise BadDigest(f"The value of {HEADER_PREFIX}{algorithm} is not a {algorithm.upper()} digest in base64.")
    return digest


def parse_md5(text: str) -> bytes:
    """The 16 bytes of a Content-MD5 header; InvalidDigest where it holds none."""
    digest = _decode(text.strip())
    if digest is None or len(digest) != 16:
        raise InvalidDigest
    return digest


def _decode(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # The decoder overlooks stray bits in the last digit: two texts must not name one digest.
    return data if _b64(data) == text else None


def _b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _algorithm(name: str) -> _Algorithm:
    try:
        return _ALGORITHMS[name]
    except KeyError:
        raise InvalidRequest(f"{name!r} is not a checksum algorithm that this gateway offers.") from None


# ---------------------------------------------------------------- of several parts


def multipart_type(algorithm: str, requested: str | None) -> str:
    """The type that an upload's checksum will have; InvalidRequest where the algorithm has no such type."""
    types = _algorithm(algorithm).types
    if requested is None:
        return types[0]
    if requested not in types:
        raise InvalidRequest(
            f"The {requested} checksum type cannot be used with the {algorithm} checksum algorithm.",
        )
    return requested


def composite(algorithm: str, values: Sequence[str]) -> str:
    """The COMPOSITE value of parts, from theirs, in order."""
    whole = new(algorithm)
    for value in values:
        whole.update(parse_b64(algorithm, value))
    return f"{whole.b64()}-{len(values)}"


def combine(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """The FULL_OBJECT value of parts, from the value and the length in bytes of each, in order.

    No content is read; for CRCs alone.
    """
    spec = _algorithm(algorithm)
    if spec.combine is None:
        raise InvalidRequest(f"The FULL_OBJECT checksum type cannot be used with the {algorithm} checksum algorithm.")
    whole = 0
    for value, length in parts:
        whole = spec.combine(whole, int.from_bytes(parse_b64(algorithm, value), "big"), length)
    return _b64(whole.to_bytes(spec.size, "big"))


# ---------------------------------------------------------------- a body against its announcement


class Verifier:
    """Holds a body's content, as it passes, against what the request's head announced.

    Computed is only what the client asked for. Not for several threads at once.
    """

    def __init__(self, payload: Payload) -> None:
        self.length = 0
        self._payload = payload
        self._announced_trailers = _checksum_names(payload.trailer_names)
        named = {*payload.checksums, *self._announced_trailers}
        if payload.algorithm is not None:
            named.add(payload.algorithm)
        self._checksums = {name: new(name) for name in sorted(named)}
        self._expected = {name: parse_b64(name, value) for name, value in payload.checksums.items()}
        self._md5 = None if payload.md5 is None else hashlib.md5(usedforsecurity=False)
        self._sha256 = None if payload.sha256 is None else self._checksums.get("sha256") or new("sha256")
        self._hashers: list[Hasher] = list(self._checksums.values())
        if self._md5 is not None:
            self._hashers.append(self._md5)
        if self._sha256 is not None and "sha256" not in self._checksums:
            self._hashers.append(self._sha256)

    def update(self, data: Bytes) -> None:
        """The next piece of content. IncompleteBody or EntityTooLarge as soon as it is more than it may be."""
        self.length += len(data)
        if self._payload.length is not None and self.length > self._payload.length:
            raise IncompleteBody("The request body is longer than was announced.")
        if self._payload.sizes is not None and self.length > self._payload.sizes[1]:
            most = str(self._payload.sizes[1])
            raise EntityTooLarge(fields={"ProposedSize": str(self.length), "MaxSizeAllowed": most})
        for hasher in self._hashers:
            hasher.update(data)

    def finish(self, trailers: Mapping[str, str]) -> dict[str, str]:
        """The checksums to store, algorithm → base64; raise unless all that was announced holds."""
        if self._payload.length is not None and self.length != self._payload.length:
            raise IncompleteBody
        if self._payload.sizes is not None and self.length < self._payload.sizes[0]:
            least = str(self._payload.sizes[0])
            message = "Your proposed upload is smaller than the minimum allowed size."
            raise EntityTooSmall(message, fields={"ProposedSize": str(self.length), "MinSizeAllowed": least})
        if self._sha256 is not None and self._sha256.hex() != (self._payload.sha256 or "").lower():
            raise XAmzContentSHA256Mismatch
        if self._md5 is not None and self._md5.digest() != self._payload.md5:
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
        for name, expected in (*self._expected.items(), *self._trailing(trailers).items()):
            if self._checksums[name].digest() != expected:
                raise BadDigest(f"The {name.upper()} you specified did not match the calculated checksum.")
        return {name: checksum.b64() for name, checksum in self._checksums.items()}

    def _trailing(self, trailers: Mapping[str, str]) -> dict[str, bytes]:
        """The digests that the trailer brings: just those that x-amz-trailer announced."""
        sent = {name.removeprefix(HEADER_PREFIX): value for name, value in trailers.items() if _is_checksum(name)}
        if sent.keys() != self._announced_trailers:
            raise MalformedTrailerError("The trailer's checksums are not those that x-amz-trailer announced.")
        return {name: parse_b64(name, value) for name, value in sent.items()}


def _is_checksum(header: str) -> bool:
    return header.startswith(HEADER_PREFIX)


def _checksum_names(headers: Iterable[str]) -> frozenset[str]:
    return frozenset(header.removeprefix(HEADER_PREFIX) for header in map(str.lower, headers) if _is_checksum(header))
