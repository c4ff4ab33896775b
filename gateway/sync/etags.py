"""ETags that can be computed from content, so that two sides are compared without a transfer.

    of a gateway of ours   <64 hex of BLAKE3>-N     N = 1: of the content; N > 1: of the N parts' digests
    of S3 and its like     <32 hex of MD5>          of the content
                           <32 hex of MD5>-N        of the N parts' digests

Digests of parts are joined as bytes. Whatever else an ETag may be (encrypted objects have such) is opaque: it tells
that an object is still the one that it was, and nothing about its content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, Protocol

from blake3 import blake3

_ETAG = re.compile(r"(?P<digest>[0-9a-f]{64}|[0-9a-f]{32})(?:-(?P<parts>[1-9][0-9]{0,4}))?")
_READ_BYTES = 4 * 1024 * 1024

ReadAt = Callable[[int, int], bytes]
"""From an offset so many bytes, all of them."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class Form(NamedTuple):
    """How an ETag is made. `parts` is 0 where it is of the whole content in the way of a plain put."""

    algorithm: Literal["blake3", "md5"]
    parts: int

    @property
    def is_whole(self) -> bool:
        """Whether the content alone decides it, however it was sent."""
        return self in (OURS, FOREIGN)

    def new(self) -> _Hash:
        return blake3() if self.algorithm == "blake3" else hashlib.md5(usedforsecurity=False)

    def join(self, digests: Iterable[bytes]) -> str:
        """The ETag of the parts, or the one content, that have these digests."""
        found = list(digests)
        if self.is_whole:
            [digest] = found
        else:
            whole = self.new()
            whole.update(b"".join(found))
            digest = whole.digest()
        return f"{digest.hex()}-{self.parts}" if self.parts else digest.hex()


OURS = Form("blake3", 1)
FOREIGN = Form("md5", 0)


def form_of(etag: str) -> Form | None:
    """None where it is opaque."""
    found = _ETAG.fullmatch(etag)
    if found is None:
        return None
    parts = int(found["parts"] or 0)
    if len(found["digest"]) == 32:
        return Form("md5", parts)
    return Form("blake3", parts) if parts else None


def etag_of(data: bytes | memoryview, form: Form) -> str:
    """Of content that was put in one piece."""
    digest = form.new()
    digest.update(data)  # type: ignore[arg-type]  # any buffer will do
    return form.join([digest.digest()])


def etag_of_pieces(read: ReadAt, size: int, form: Form, part_size: int, check: Callable[[], None]) -> str:
    """Of content that is read piece by piece and was put in parts of `part_size`. `check` is called now and then."""
    step = max(size, 1) if form.is_whole else max(part_size, 1)
    digests = []
    for start in range(0, max(size, 1), step):
        digest, end = form.new(), min(start + step, size)
        for at in range(start, end, _READ_BYTES):
            check()
            digest.update(read(at, min(_READ_BYTES, end - at)))
        digests.append(digest.digest())
    return form.join(digests)


def part_count(size: int, part_size: int) -> int:
    return max(1, -(-size // part_size))
