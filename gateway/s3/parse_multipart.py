"""Request → Input: multipart uploads; otherwise as `parse`."""

from __future__ import annotations

import re

from gateway.s3 import operations as op
from gateway.s3.errors import InvalidRequest, MalformedXML
from gateway.s3.parse import bucket_name, etag_text, object_name
from gateway.s3.parse_batch import refuse_batch
from gateway.s3.parse_headers import (
    conditions,
    copy_source,
    copy_source_range,
    message,
    object_headers,
    refuse_unoffered,
)
from gateway.s3.parse_params import (
    MAX_PART_NUMBER,
    encoding_type,
    integer,
    integer_param,
    invalid_argument,
    page_size,
    part_number,
)
from gateway.s3.parse_payload import (
    CHECKSUM_SIZES,
    checksum_algorithm,
    checksum_headers,
    checksum_type,
    parse_payload,
)
from gateway.s3.request import Request
from gateway.s3.xml import Element, parse_xml

MAX_PARTS = MAX_PART_NUMBER
MAX_COMPLETE_BYTES = 4 << 20

_PART_NUMBER = re.compile(r"[0-9]{1,9}")
_CHECKSUM_ELEMENTS = {f"Checksum{name.upper()}": name for name in CHECKSUM_SIZES}

# A CRC of the whole follows from those of the parts (CRC64NVME has no other form); a SHA does not.
_FULL_OBJECT_ONLY = "crc64nvme"
_COMPOSITE_ONLY = ("sha1", "sha256")


def create_multipart_upload(request: Request, body: bytes) -> op.CreateMultipartUploadInput:
    refuse_unoffered(request)
    refuse_batch(request)
    bucket, key = object_name(request)
    algorithm, kind = checksum_algorithm(request), checksum_type(request)
    _check_pairing(algorithm, kind)
    return op.CreateMultipartUploadInput(
        bucket=bucket,
        key=key,
        headers=object_headers(request),
        checksum_algorithm=algorithm,
        checksum_type=kind,
    )


def _check_pairing(algorithm: str | None, kind: str | None) -> None:
    if kind is None:
        return
    if algorithm is None:
        raise InvalidRequest(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        )
    if (algorithm == _FULL_OBJECT_ONLY and kind == "COMPOSITE") or (
        algorithm in _COMPOSITE_ONLY and kind == "FULL_OBJECT"
    ):
        raise InvalidRequest(f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.")


def upload_part(request: Request, body: bytes) -> op.UploadPartInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    return op.UploadPartInput(
        bucket=bucket,
        key=key,
        upload_id=upload_id(request),
        part_number=_required_part_number(request),
        payload=parse_payload(request),
    )


def upload_part_copy(request: Request, body: bytes) -> op.UploadPartCopyInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    return op.UploadPartCopyInput(
        bucket=bucket,
        key=key,
        upload_id=upload_id(request),
        part_number=_required_part_number(request),
        source=copy_source(request),
        source_conditions=conditions(request, "x-amz-copy-source-"),
        range=copy_source_range(request),
    )


def upload_id(request: Request) -> str:
    """`uploadId`, by which the request was routed; InvalidArgument where it is empty."""
    text = request.param("uploadId")
    if not text:
        raise invalid_argument("uploadId", "", "This operation does not accept an empty upload id.")
    return text


def _required_part_number(request: Request) -> int:
    number = part_number(request)
    if number is None:
        raise invalid_argument("partNumber", "", "A part needs a part number.")
    return number


def list_parts(request: Request, body: bytes) -> op.ListPartsInput:
    bucket, key = object_name(request)
    return op.ListPartsInput(
        bucket=bucket,
        key=key,
        upload_id=upload_id(request),
        max_parts=page_size(request, "max-parts"),
        part_number_marker=integer_param(request, "part-number-marker", 0),
        encoding_type=encoding_type(request),
    )


def list_multipart_uploads(request: Request, body: bytes) -> op.ListMultipartUploadsInput:
    key_marker = request.param("key-marker")
    return op.ListMultipartUploadsInput(
        bucket=bucket_name(request),
        prefix=request.param("prefix"),
        delimiter=request.param("delimiter") or None,
        max_uploads=page_size(request, "max-uploads"),
        encoding_type=encoding_type(request),
        key_marker=key_marker,
        # "If key-marker is not specified, the upload-id-marker parameter is ignored."
        upload_id_marker=(request.param("upload-id-marker") or None) if key_marker else None,
    )


def complete_multipart_upload(request: Request, body: bytes) -> op.CompleteMultipartUploadInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    parts = parse_xml(body, "CompleteMultipartUpload", max_bytes=MAX_COMPLETE_BYTES).find_all("Part")
    if not 1 <= len(parts) <= MAX_PARTS:
        raise MalformedXML
    return op.CompleteMultipartUploadInput(
        bucket=bucket,
        key=key,
        upload_id=upload_id(request),
        parts=tuple([_completed_part(part) for part in parts]),
        conditions=conditions(request),
        checksums=checksum_headers(request, composite=True),
        checksum_type=checksum_type(request),
        object_size=_object_size(request),
        message=message(request),
    )


def _completed_part(part: Element) -> op.CompletedPart:
    fields = {child.name: child.text for child in part.children}
    number = fields.get("PartNumber", "").strip()
    if not _PART_NUMBER.fullmatch(number):
        raise MalformedXML
    etag = fields.get("ETag")
    return op.CompletedPart(
        part_number=int(number),
        etag=etag_text(etag) if etag else None,
        checksums={_CHECKSUM_ELEMENTS[name]: fields[name].strip() for name in fields.keys() & _CHECKSUM_ELEMENTS},
    )


def _object_size(request: Request) -> int | None:
    text = request.header("x-amz-mp-object-size")
    if text is None:
        return None
    value = integer(text)
    if value is None or value < 0:
        raise invalid_argument("x-amz-mp-object-size", text)
    return value


def abort_multipart_upload(request: Request, body: bytes) -> op.AbortMultipartUploadInput:
    bucket, key = object_name(request)
    return op.AbortMultipartUploadInput(bucket=bucket, key=key, upload_id=upload_id(request))
