"""Batches of small files: a PUT whose body is an archive of what is to be stored.

Sources: AWS Snowball Edge developer guide, "Batching small files" (x-amz-meta-snowball-auto-extract); MinIO, which
added a prefix, a choice about directories and headers of single files. Both put what is in the archive where its path
says, from the bucket's root on: the key of the PUT names the archive and nothing else.

The request's headers tell of the archive, so none is kept with what is in it, but for what is to hold for all: ACL,
tags, storage class. A file's own headers are pax records, `minio.metadata.<header>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from gateway.s3 import errors
from gateway.s3 import operations as op
from gateway.s3.acl import HEADER as ACL_HEADER
from gateway.s3.address import MAX_KEY_BYTES
from gateway.s3.errors import InvalidArgument, KeyTooLongError
from gateway.s3.parse import object_name, refuse_stray_part
from gateway.s3.parse_headers import (
    METADATA_PREFIX,
    STANDARD_HEADERS,
    conditions,
    message,
    object_headers,
    refuse_unoffered,
)
from gateway.s3.parse_params import invalid_argument
from gateway.s3.parse_payload import parse_payload
from gateway.s3.request import Request
from gateway.s3.tar import Member

AUTO_EXTRACT = "x-amz-meta-snowball-auto-extract"

_OPTIONS = ("x-amz-meta-minio-snowball-", "x-amz-meta-snowball-")
_OWN_HEADER = "minio.metadata."
_OWN_VERSION = "minio.versionId"
_OWN_HEADERS = (*STANDARD_HEADERS, "x-amz-tagging", ACL_HEADER, "x-amz-storage-class")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_batch(request: Request) -> bool:
    """Whether the body of the upload that the request makes or begins is to be extracted."""
    return request.headers.get(AUTO_EXTRACT, "").strip().lower() == "true"


def refuse_batch(request: Request) -> None:
    """NotImplemented where what is uploaded in another way than by one PUT is to be extracted."""
    if is_batch(request):
        raise errors.NotImplemented(
            "An archive can only be extracted where it is put by a single PutObject, not by parts or by a form.",
            fields={"Header": AUTO_EXTRACT},
        )


def put_object_extract(request: Request, body: bytes) -> op.PutObjectExtractInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    refuse_stray_part(request)
    if conditions(request):
        raise errors.NotImplemented("Conditions can not be put to the objects of an archive.")
    if _flag(request, "ignore-errors"):
        raise errors.NotImplemented(
            "An archive is stored whole or not at all: none of its files can be left out.",
            fields={"Header": f"{_OPTIONS[0]}ignore-errors"},
        )
    plain = file_request(request, key, {})
    return op.PutObjectExtractInput(
        bucket=bucket,
        key=key,
        prefix=_prefix(_option(request, "prefix") or ""),
        ignore_dirs=_flag(request, "ignore-dirs"),
        headers=object_headers(plain),
        payload=parse_payload(request),
        message=message(request),
    )


def _option(request: Request, name: str) -> str | None:
    found = (request.headers.get(prefix + name) for prefix in _OPTIONS)
    return next((value for value in found if value is not None), None)


def _flag(request: Request, name: str) -> bool:
    return (_option(request, name) or "").strip().lower() == "true"


def _prefix(text: str) -> str:
    folder = _path(text, "prefix")
    return f"{folder}/" if folder else ""


# ---------------------------------------------------------------- one member


def member_key(prefix: str, member: Member) -> str:
    """The key that it is stored under, "" for the archive's own root. A directory's ends in a slash.

    Raises InvalidArgument, KeyTooLongError.
    """
    path = _path(member.name, "archive")
    if not path:
        if member.is_directory:
            return ""
        raise invalid_argument("archive", member.name, "A file of the archive has no name.")
    key = prefix + path
    if member.is_directory or member.name.endswith("/"):
        key += "/"
    try:
        size = len(key.encode())
    except UnicodeEncodeError as exc:
        raise invalid_argument("archive", key, "A name in the archive is not UTF-8.") from exc
    if size > MAX_KEY_BYTES:
        raise KeyTooLongError(fields={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_BYTES)})
    return key


def _path(name: str, argument: str) -> str:
    """Without empty parts and `.`, as tar and MinIO have it. What leads out of its folder is refused."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise invalid_argument(argument, name, "A path must not lead upwards: it has a part `..`.")
    if "\0" in name:
        raise invalid_argument(argument, name, "A path must not hold NUL.")
    return "/".join(parts)


def member_headers(member: Member) -> Mapping[str, str]:
    """The headers that its records give it, {} for most.

    Raises NotImplemented for what a PutObject would not drop without a word, InvalidArgument for what is no header.
    """
    if not member.records:
        return {}
    if member.records.get(_OWN_VERSION):
        raise errors.NotImplemented("The version of a file of the archive can not be chosen.")
    own = {
        keyword.removeprefix(_OWN_HEADER).lower(): value.strip(" \t")
        for keyword, value in member.records.items()
        if keyword.startswith(_OWN_HEADER)
    }
    for name, value in own.items():
        _check_header(name, value)
    return {name: value for name, value in own.items() if name in _OWN_HEADERS or name.startswith(METADATA_PREFIX)}


def _check_header(name: str, value: str) -> None:
    if _HEADER_NAME.fullmatch(name) is None or _CONTROL.search(value):
        shown = {"ArgumentName": "archive", "ArgumentValue": _OWN_HEADER + name}
        raise InvalidArgument("A record of the archive is no header.", fields=shown)
    is_taken = name in _OWN_HEADERS or name.startswith(METADATA_PREFIX)
    if not is_taken and (name.startswith("x-amz-") or name == "content-md5"):
        raise errors.NotImplemented(fields={"Header": name})


def file_request(request: Request, key: str, own: Mapping[str, str]) -> Request:
    """The PUT of one file: the request without what it says of the archive, with the file's own headers."""
    common = {
        name: value
        for name, value in request.headers.items()
        if name not in STANDARD_HEADERS and not name.startswith(METADATA_PREFIX)
    }
    return replace(request, key=key, headers={**common, **own})
