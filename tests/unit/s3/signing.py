"""Requests and bodies as clients make them, for the tests of signatures and of chunked bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gateway.s3.address import build_request
from gateway.s3.request import Request, wire_bytes
from gateway.s3.sigv4 import ChunkSigner, Credentials

# The credentials and the time of AWS's published examples.
AWS_EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AWS_TIME = datetime(2013, 5, 24, tzinfo=UTC)
REGION = "us-east-1"


def request(method: str, target: str, headers: Mapping[str, str], domains: tuple[str, ...] = ()) -> Request:
    return build_request(
        method, target, [(name.encode(), wire_bytes(value)) for name, value in headers.items()], domains=domains
    )


def chunked_body(
    pieces: Iterable[bytes],
    signer: ChunkSigner | None = None,
    trailers: Mapping[str, str] | None = None,
    newline: bytes = b"\r\n",
) -> bytes:
    """An aws-chunked body. `trailers` None: one of the forms without a trailer."""
    body = bytearray()
    for piece in (*pieces, b""):
        body += b"%x" % len(piece)
        if signer is not None:
            body += b";chunk-signature=" + signer.chunk(hashlib.sha256(piece).hexdigest()).encode()
        body += b"\r\n" + piece + (b"\r\n" if piece else b"")
    lines = "".join(f"{name}:{value}\n" for name, value in (trailers or {}).items()).encode()
    body += lines.replace(b"\n", newline)
    if signer is not None and trailers is not None:
        signature = signer.trailer(hashlib.sha256(lines).hexdigest())
        body += b"x-amz-trailer-signature:" + signature.encode() + newline
    return bytes(body) + b"\r\n"
