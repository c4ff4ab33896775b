"""What a request's headers say of its body: framing, length, digests, checksums.

A digest or checksum that could not be right for any body is refused here; the others are
compared when the body has been read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from gateway.s3 import errors
from gateway.s3.errors import BadDigest, InvalidDigest, InvalidRequest
from gateway.s3.operations import Payload
from gateway.s3.parse_params import integer, invalid_argument
from gateway.s3.request import Request, wire_bytes

# Algorithm → bytes of one checksum. The order is the one in which S3 lists them.
CHECKSUM_SIZES: Mapping[str, int] = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}

_PREFIX = "x-amz-checksum-"
_NOT_VALUES = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"})
_ALL_ALGORITHMS = ", ".join(name.upper() for name in CHECKSUM_SIZES)
_MD5_SIZE = 16
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_COMPOSITE_COUNT = re.compile(r"-[0-9]{1,5}$")

_UNSIGNED = "UNSIGNED-PAYLOAD"
# x-amz-content-sha256 → (chunks are signed, a trailer follows)
_STREAMING = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD": (False, False),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
_SIGV4A = "STREAMING-AWS4-ECDSA-"


def parse_payload(request: Request) -> Payload:
    """Raises InvalidArgument, InvalidDigest, InvalidRequest, and BadDigest for a malformed checksum."""
    announced = request.header("x-amz-content-sha256")
    sha256, chunked, signed, trailer = _framing(announced)
    trailer_names = _trailer_names(request) if trailer else ()
    checksums = {} if _completes_upload(request) else checksum_headers(request)
    sent_length = _length(request, "content-length")  # a malformed one is refused whatever the framing
    return Payload(
        length=_length(request, "x-amz-decoded-content-length") if chunked else sent_length,
        sha256=sha256,
        chunked=chunked,
        signed=signed,
        trailer=trailer,
        trailer_names=trailer_names,
        md5=_content_md5(request),
        checksums=checksums,
        algorithm=_algorithm(request, checksums, trailer_names),
    )


def _completes_upload(request: Request) -> bool:
    """Whether the checksum headers are those of the object that a CompleteMultipartUpload makes, not of its XML."""
    return request.method == "POST" and request.param("uploadId") is not None


def _framing(announced: str | None) -> tuple[str | None, bool, bool, bool]:
    """The SHA-256 of the body where it is known, and whether it is chunked, signed, with a trailer."""
    if announced is None or announced == _UNSIGNED:
        return None, False, False, False
    if _HEX_SHA256.fullmatch(announced):
        return announced.lower(), False, False, False
    if announced in _STREAMING:
        return None, True, *_STREAMING[announced]
    if announced.startswith(_SIGV4A):
        raise errors.NotImplemented("Signature version 4A is not offered; sign with AWS4-HMAC-SHA256.")
    message = f"x-amz-content-sha256 must be {_UNSIGNED}, {', '.join(_STREAMING)}, or a valid sha256 value."
    raise invalid_argument("x-amz-content-sha256", announced, message)


def _length(request: Request, name: str) -> int | None:
    text = request.header(name)
    if text is None:
        return None
    value = integer(text)
    if value is None or value < 0:
        raise invalid_argument(name, text)
    return value


def _content_md5(request: Request) -> bytes | None:
    text = request.header("content-md5")
    if text is None:
        return None
    digest = decode_base64(text)
    if digest is None or len(digest) != _MD5_SIZE:
        raise InvalidDigest(fields={"Content-MD5": text})
    return digest


def decode_base64(text: str) -> bytes | None:
    """The bytes that `text` stands for, None where it is not base64."""
    try:
        return base64.b64decode(wire_bytes(text.strip()), validate=True)
    except binascii.Error:
        return None


# ---------------------------------------------------------------- checksums


def checksum_headers(request: Request, *, composite: bool = False) -> dict[str, str]:
    """The one x-amz-checksum-* value that was sent: algorithm → base64; {} where there is none.

    `composite`: the value may carry the `-N` of a checksum of checksums. Raises BadDigest for
    a malformed value, InvalidRequest for several, or for an algorithm that is not offered.
    """
    sent = [name for name in request.headers if name.startswith(_PREFIX) and name not in _NOT_VALUES]
    if not sent:
        return {}
    if len(sent) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    name, value = sent[0], request.headers[sent[0]].strip()
    algorithm = _known_algorithm(name.removeprefix(_PREFIX))
    digest = decode_base64(_COMPOSITE_COUNT.sub("", value) if composite else value)
    if digest is None or len(digest) != CHECKSUM_SIZES[algorithm]:
        # S3 itself answers InvalidRequest here; its conformance suite asks for BadDigest.
        raise BadDigest(f"Value for {name} header is invalid.")
    return {algorithm: value}


def checksum_algorithm(request: Request, name: str = "x-amz-checksum-algorithm") -> str | None:
    """The algorithm that a header names, in lower case; None where it was not sent."""
    text = request.header(name)
    return _known_algorithm(text) if text else None


def checksum_type(request: Request) -> str | None:
    """x-amz-checksum-type: FULL_OBJECT or COMPOSITE; None where it was not sent."""
    text = request.header("x-amz-checksum-type")
    if not text:
        return None
    if text.upper() not in ("FULL_OBJECT", "COMPOSITE"):
        raise InvalidRequest("Value for x-amz-checksum-type header is invalid.")
    return text.upper()


def _known_algorithm(text: str) -> str:
    name = text.strip().lower()
    if name not in CHECKSUM_SIZES:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. "
            f"Please try again with any of the valid types: [{_ALL_ALGORITHMS}]"
        )
    return name


def _trailer_names(request: Request) -> tuple[str, ...]:
    names = (name.strip().lower() for name in (request.header("x-amz-trailer") or "").split(","))
    return tuple(name for name in names if name)


def _algorithm(request: Request, checksums: Mapping[str, str], trailer_names: tuple[str, ...]) -> str | None:
    """The one algorithm that header, trailer and x-amz-sdk-checksum-algorithm agree on."""
    carried = [*checksums]
    carried += [_known_algorithm(name.removeprefix(_PREFIX)) for name in trailer_names if name.startswith(_PREFIX)]
    if len(carried) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    named = checksum_algorithm(request, "x-amz-sdk-checksum-algorithm")
    if not carried:
        return named
    if named not in (None, carried[0]):
        raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return carried[0]
