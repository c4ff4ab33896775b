"""Values in request headers: conditions, ranges, what is kept with an object, copy sources.

Headers that ask for what is not offered are refused here, so that none is dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from gateway.s3 import errors
from gateway.s3.acl import HEADER as ACL_HEADER
from gateway.s3.acl import canned_acl, format_acl
from gateway.s3.address import percent_decode
from gateway.s3.dates import parse_http_date
from gateway.s3.errors import (
    InvalidArgument,
    InvalidStorageClass,
    MetadataTooLarge,
)
from gateway.s3.operations import ByteRange, Conditions, CopySource, ObjectHeaders
from gateway.s3.parse_params import invalid_argument
from gateway.s3.request import Request, wire_bytes
from gateway.s3.tags import parse_tags_header

STANDARD_HEADERS = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
)
# The `response-*` parameters of a GET.
OVERRIDABLE = tuple(name for name in STANDARD_HEADERS if not name.startswith("x-amz-"))
METADATA_PREFIX = "x-amz-meta-"
MAX_METADATA_BYTES = 2048

STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "GLACIER_IR",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "SNOW",
        "EXPRESS_ONEZONE",
        "FSX_OPENZFS",
        "FSX_ONTAP",
        "AWS_BACKUP_WARM",
        "AWS_BACKUP_LOW_COST_WARM",
    }
)

# Encryption, retention, appends: to drop one of these would promise what is not kept.
_NOT_OFFERED = (
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-object-lock-",
    "x-amz-write-offset-bytes",
    "x-amz-if-match-",  # by time and size, in place of by ETag
    "x-amz-grant-",
)

_ETAG = re.compile(r'(?:W/)?"([^"]*)"|([^\s,"]+)')
_RANGE = re.compile(r"bytes=\s*([0-9]{0,30})-([0-9]{0,30})\s*", re.IGNORECASE)
_SOURCE_RANGE = re.compile(r"bytes=([0-9]{1,30})-([0-9]{1,30})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def refuse_unoffered(request: Request) -> None:
    """NotImplemented where a header asks for encryption, object lock, grants and the like."""
    for name in request.headers:
        if name.startswith(_NOT_OFFERED):
            raise errors.NotImplemented(fields={"Header": name})


# ---------------------------------------------------------------- conditions and ranges


def conditions(request: Request, prefix: str = "") -> Conditions:
    """If-Match and its kin; with `prefix` "x-amz-copy-source-" those on a copy's source."""
    headers = request.headers
    return Conditions(
        if_match=_etags(headers.get(prefix + "if-match")),
        if_none_match=_etags(headers.get(prefix + "if-none-match")),
        if_modified_since=_date(headers.get(prefix + "if-modified-since")),
        if_unmodified_since=_date(headers.get(prefix + "if-unmodified-since")),
    )


def _etags(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(quoted or bare for quoted, bare in _ETAG.findall(text)) or None


def _date(text: str | None) -> datetime | None:
    return None if text is None else parse_http_date(text)


def byte_range(request: Request) -> ByteRange | None:
    """A single `bytes=` range. Anything else counts as not sent (RFC 9110 §14.2), several ranges too, as in S3."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None:
        return None
    first = int(match[1]) if match[1] else None
    last = int(match[2]) if match[2] else None
    if first is None:
        return None if last is None else ByteRange(None, last)
    return None if last is not None and first > last else ByteRange(first, last)


# ---------------------------------------------------------------- what is kept with an object


def object_headers(request: Request) -> ObjectHeaders:
    """Raises MetadataTooLarge, InvalidTag, and InvalidArgument for text that is not UTF-8."""
    check_storage_class(request)
    standard = {name: value for name in STANDARD_HEADERS if (value := _standard_value(request, name))}
    metadata = {
        name.removeprefix(METADATA_PREFIX): value
        for name, value in request.headers.items()
        if name.startswith(METADATA_PREFIX)
    }
    _check_metadata(metadata)
    _check_text(standard.items())
    tags = request.header("x-amz-tagging")
    return ObjectHeaders(standard, metadata, None if tags is None else parse_tags_header(tags), acl(request) or "")


def _standard_value(request: Request, name: str) -> str | None:
    value = request.header(name)
    if value is None or name != "content-encoding":
        return value
    # aws-chunked describes the transfer, not the object; it may come before or after the others.
    codings = (coding.strip() for coding in value.split(","))
    return ", ".join(coding for coding in codings if coding and coding.lower() != "aws-chunked")


def _check_metadata(metadata: dict[str, str]) -> None:
    size = sum(len(wire_bytes(name)) + len(wire_bytes(value)) for name, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        raise MetadataTooLarge(fields={"Size": str(size), "MaxSizeAllowed": str(MAX_METADATA_BYTES)})
    _check_text((METADATA_PREFIX + name, value) for name, value in metadata.items())


def _check_text(headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        text = name + value
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise invalid_argument(name, value, f"The value of {name} is not valid UTF-8.")


def check_storage_class(request: Request) -> None:
    """Any class that S3 knows is accepted, and none makes a difference; InvalidStorageClass for others."""
    name = request.header("x-amz-storage-class")
    if name and name not in STORAGE_CLASSES:
        raise InvalidStorageClass(fields={"StorageClassRequested": name})


def acl(request: Request) -> str | None:
    """x-amz-acl as `format_acl` has it; None where it was not sent."""
    found = canned_acl(request.header(ACL_HEADER))
    return None if found is None else format_acl(found)


def message(request: Request) -> str | None:
    """x-caret-message, the commit's message; None where it was not sent or is blank."""
    text = request.header("x-caret-message")
    if text is not None:
        _check_text([("x-caret-message", text)])
    return text or None


# ---------------------------------------------------------------- copies


def copy_source(request: Request) -> CopySource:
    """x-amz-copy-source: `[/]bucket/key[?versionId=revision]`; InvalidArgument for anything else."""
    text = request.headers.get("x-amz-copy-source", "")
    # Before decoding: a key may itself hold an encoded `?versionId=`.
    location, mark, version = text.removeprefix("/").rpartition("?versionId=")
    raw_bucket, _, raw_key = (location if mark else version).partition("/")
    try:
        bucket, key = percent_decode(raw_bucket), percent_decode(raw_key)
        version_id = percent_decode(version) if mark else None
    except ValueError as error:
        raise invalid_argument("x-amz-copy-source", text, "Copy Source must be percent-encoded UTF-8") from error
    if not bucket or not key:
        hint = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument("x-amz-copy-source", text, hint)
    if version_id == "":
        raise invalid_argument("x-amz-copy-source", text, "Version id cannot be the empty string")
    return CopySource(bucket, key, version_id)


def copy_source_range(request: Request) -> ByteRange | None:
    """x-amz-copy-source-range with both its ends; InvalidArgument for anything else."""
    text = request.header("x-amz-copy-source-range")
    if text is None:
        return None
    match = _SOURCE_RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        hint = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last "
            "where first and last are the zero-based offsets of the first and last bytes to copy"
        )
        raise invalid_argument("x-amz-copy-source-range", text, hint)
    return ByteRange(int(match[1]), int(match[2]))


def replaces(request: Request, name: str) -> bool:
    """Whether a directive header says REPLACE; COPY, the default, may be said too."""
    text = request.headers.get(name) or "COPY"
    if text not in ("COPY", "REPLACE"):
        raise invalid_argument(name, text, f"Unknown {name.removeprefix('x-amz-')}.")
    return text == "REPLACE"


# ---------------------------------------------------------------- overrides


def response_overrides(request: Request) -> dict[str, str]:
    """The `response-*` parameters of a GET: lower-case header name → value."""
    overrides = {}
    for name in OVERRIDABLE:
        value = request.param(f"response-{name}")
        if value:
            if _CONTROL.search(value):  # a line break would start a header of the caller's making
                raise InvalidArgument(fields={"ArgumentName": f"response-{name}"})
            overrides[name] = value
    return overrides
