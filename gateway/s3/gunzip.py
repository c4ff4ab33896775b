"""gzip without I/O: bytes in, what they unpack to out, a bounded piece at a time.

Several gzip members in a row are one stream (RFC 1952 §2.2); zeros behind the last are padding.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from gateway.s3.errors import InvalidRequest

MAGIC = b"\x1f\x8b"
PIECE = 256 * 1024

_GZIP = 16 + zlib.MAX_WBITS


class Gunzip:
    """Unpacks one stream. However much a byte unpacks to, no more than PIECE is in memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._is_between = False  # behind a member's end

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """To be exhausted before the next call. Raises InvalidRequest."""
        left = bytes(data)
        while True:
            if self._is_between:
                left = left.lstrip(b"\0")
                if not left:
                    return
                self._member, self._is_between = zlib.decompressobj(_GZIP), False
            try:
                piece = self._member.decompress(left, PIECE)
            except zlib.error as exc:
                raise InvalidRequest(f"The archive can not be unpacked: {exc}") from exc
            if piece:
                yield piece
            if self._member.eof:
                left, self._is_between = self._member.unused_data, True
                continue
            left = self._member.unconsumed_tail
            # A full piece may leave more behind even where all input is taken in.
            if not left and len(piece) < PIECE:
                return

    def finish(self) -> None:
        """InvalidRequest where the stream may not end here."""
        if not self._is_between:
            raise InvalidRequest("The archive ends before its compression does: it is truncated.")
