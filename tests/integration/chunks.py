"""aws-chunked bodies in their four forms, written out by hand.

    signed:    <hex size>;chunk-signature=<64 hex>\r\n<bytes>\r\n … 0;chunk-signature=…\r\n
    unsigned:  <hex size>\r\n<bytes>\r\n … 0\r\n
    then, with a trailer: name:value\r\n … [x-amz-trailer-signature:<64 hex>\r\n]; always \r\n at the end

("Signature calculations for the authorization header: transferring payload in multiple chunks",
S3 API reference.)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from .raw import EMPTY_SHA256, Signature

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def unsigned_body(pieces: Iterable[bytes], trailer: Mapping[str, str] | None = None) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n" + _lines(trailer or {}) + b"\r\n"


def signed_body(pieces: Iterable[bytes], seed: Signature, trailer: Mapping[str, str] | None = None) -> bytes:
    """Each chunk's signature covers the one before it; the first covers the head's, `seed`."""
    key = _signing_key(seed)
    previous, body = seed.value, b""
    for piece in [*pieces, b""]:
        content = f"{EMPTY_SHA256}\n{hashlib.sha256(piece).hexdigest()}"
        previous = _sign(key, f"AWS4-HMAC-SHA256-PAYLOAD\n{seed.timestamp}\n{seed.scope}\n{previous}\n{content}")
        body += b"%x;chunk-signature=%s\r\n" % (len(piece), previous.encode())
        body += piece + b"\r\n" if piece else b""
    if trailer:
        canonical = "".join(f"{name}:{value}\n" for name, value in trailer.items())
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        last = _sign(key, f"AWS4-HMAC-SHA256-TRAILER\n{seed.timestamp}\n{seed.scope}\n{previous}\n{digest}")
        body += _lines({**trailer, "x-amz-trailer-signature": last})
    return body + b"\r\n"


def _lines(trailer: Mapping[str, str]) -> bytes:
    return "".join(f"{name}:{value}\r\n" for name, value in trailer.items()).encode()


def _signing_key(seed: Signature) -> bytes:
    key = f"AWS4{seed.secret_key}".encode()
    for part in seed.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()
