"""aws-chunked bodies without I/O: bytes in, pieces of content out.

    body     = *chunk last-chunk end
    chunk    = size [";chunk-signature=" 64HEX] CRLF content CRLF
    last     = "0"  [";chunk-signature=" 64HEX] CRLF
    end      = [CRLF]                                   without a trailer
             | *(name ":" value NL) [CRLF] [x-amz-trailer-signature ":" 64HEX NL] [NL]
    NL       = CRLF | LF

    state     reads                          then
    HEAD      a chunk's first line           CONTENT, or END after the size 0
    CONTENT   `size` bytes, given out        GAP
    GAP       the CRLF behind them           HEAD
    END       what is left, kept to the end  -

Where the body ends is HTTP's to say; the end is therefore parsed by `finish`, in whole, and
may be as untidy as clients make it: minio-go ends trailer lines with LF and leaves an empty
line before their signature, others leave out the last CRLF.

Memory is constant: a chunk is given out as it arrives, and its signature checked once all of
it has passed. Nothing given out may become visible before `finish` has returned.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import Enum, auto

from gateway.s3.errors import IncompleteBody, InvalidRequest, MalformedTrailerError, S3Error, SignatureDoesNotMatch
from gateway.s3.sigv4 import EMPTY_SHA256, ChunkSigner

MAX_LINE = 1024
MAX_TRAILER = 16 * 1024
TRAILER_SIGNATURE = "x-amz-trailer-signature"

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*((?:;[^\r\n]*)?)")
_CHUNK_SIGNATURE = re.compile(rb";[ \t]*chunk-signature=([0-9a-f]{64})[ \t]*(?:;|\Z)")
_TRAILER_LINE = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([^\0]*)")


class _State(Enum):
    HEAD = auto()
    CONTENT = auto()
    GAP = auto()
    END = auto()
    FINISHED = auto()


class ChunkedDecoder:
    """Decodes one body. `signer` checks the signatures of chunks and trailer; None: unsigned.

    `trailers` holds the trailer section, names in lower case, once `finish` has returned.
    After an error, every further call is refused with the same one.
    """

    def __init__(self, signer: ChunkSigner | None, trailer: bool) -> None:
        self.trailers: dict[str, str] = {}
        self._signer = signer
        self._has_trailer = trailer
        self._state = _State.HEAD
        self._kept = bytearray()  # an unfinished line, a gap, or the end
        self._left = 0  # of the chunk's content
        self._hash = hashlib.sha256()
        self._announced = b""  # the chunk's signature
        self._error: S3Error | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> list[memoryview]:
        """The content in `data`, as views of it: none is copied, and none outlives its buffer."""
        self._refuse_after_error()
        pieces: list[memoryview] = []
        try:
            self._feed(memoryview(data), pieces)
        except S3Error as error:
            self._error = error
            raise
        return pieces

    def finish(self) -> None:
        """The body has ended: raise if it may not end here, or its trailer is wrong."""
        self._refuse_after_error()
        try:
            self._finish()
        except S3Error as error:
            self._error = error
            raise

    def _refuse_after_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _feed(self, view: memoryview, pieces: list[memoryview]) -> None:
        position = 0
        while position < len(view):
            if self._state is _State.CONTENT:
                piece = view[position : position + self._left]
                position += len(piece)
                pieces.append(piece)
                self._pass(piece)
            elif self._state is _State.HEAD:
                position = self._read_line(view, position)
            elif self._state is _State.GAP:
                position = self._read_gap(view, position)
            else:
                self._keep_end(view[position:])
                return

    def _pass(self, piece: memoryview) -> None:
        """Account for content that has been given out."""
        if self._signer is not None:
            self._hash.update(piece)
        self._left -= len(piece)
        if self._left == 0:
            self._check_chunk(self._hash.hexdigest())
            self._state = _State.GAP

    def _read_line(self, view: memoryview, position: int) -> int:
        kept = len(self._kept)
        self._kept += view[position : position + MAX_LINE - kept]
        end = self._kept.find(b"\r\n")
        if end >= 0:
            line = bytes(self._kept[:end])
            self._kept.clear()
            self._start_chunk(line)
            return position + end + 2 - kept
        if len(self._kept) >= MAX_LINE:
            raise InvalidRequest("A chunk's header line is too long.")
        return len(view)

    def _start_chunk(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise InvalidRequest("A chunk's header line is not well-formed.")
        self._left = int(match[1], 16)
        if self._signer is not None:
            signature = _CHUNK_SIGNATURE.search(match[2])
            if signature is None:
                raise SignatureDoesNotMatch("A chunk of this signed body has no signature.")
            self._announced = signature[1]
            self._hash = hashlib.sha256()
        if self._left == 0:
            self._check_chunk(EMPTY_SHA256)
            self._state = _State.END
        else:
            self._state = _State.CONTENT

    def _check_chunk(self, sha256: str) -> None:
        if self._signer is None:
            return
        if not hmac.compare_digest(self._signer.chunk(sha256).encode(), self._announced):
            raise SignatureDoesNotMatch("The signature of a chunk does not match its content.")

    def _read_gap(self, view: memoryview, position: int) -> int:
        taken = view[position : position + 2 - len(self._kept)]
        self._kept += taken
        if not b"\r\n".startswith(self._kept):
            raise InvalidRequest("A chunk's content is not followed by CRLF.")
        if len(self._kept) == 2:
            self._kept.clear()
            self._state = _State.HEAD
        return position + len(taken)

    def _keep_end(self, rest: memoryview) -> None:
        if self._state is _State.FINISHED:
            raise InvalidRequest("Bytes follow the end of the body.")
        if len(self._kept) + len(rest) > MAX_TRAILER:
            raise MalformedTrailerError
        self._kept += rest

    def _finish(self) -> None:
        if self._state is _State.FINISHED:
            return
        if self._state is not _State.END:
            raise IncompleteBody("The request body terminated before its last chunk.")
        if self._has_trailer:
            self._parse_trailer(self._kept.decode("utf-8", "surrogateescape"))
        elif not b"\r\n".startswith(self._kept):
            raise InvalidRequest("Bytes follow the last chunk of the body.")
        self._state = _State.FINISHED

    def _parse_trailer(self, text: str) -> None:
        signature: str | None = None
        closed = False
        for line in text.split("\n"):
            line = line.removesuffix("\r")
            if not line:
                # The line that ends the section, unless the section is still empty.
                closed = closed or bool(self.trailers)
                continue
            name, value = _parse_trailer_line(line)
            if signature is not None or (closed and name != TRAILER_SIGNATURE) or name in self.trailers:
                raise MalformedTrailerError
            if name == TRAILER_SIGNATURE:
                signature = value
            else:
                self.trailers[name] = value
        if self._signer is not None:
            self._check_trailer(self._signer, signature)

    def _check_trailer(self, signer: ChunkSigner, signature: str | None) -> None:
        if signature is None:
            raise MalformedTrailerError(f"The trailer of this signed body has no {TRAILER_SIGNATURE}.")
        lines = "".join([f"{name}:{value}\n" for name, value in self.trailers.items()])
        expected = signer.trailer(hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest())
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogateescape")):
            raise SignatureDoesNotMatch("The signature of the trailer does not match it.")


def _parse_trailer_line(line: str) -> tuple[str, str]:
    match = _TRAILER_LINE.fullmatch(line)
    if match is None:
        raise MalformedTrailerError
    return match[1].lower(), match[2].rstrip(" \t")
