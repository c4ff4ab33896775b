"""Request → Input: buckets, listings and objects. Multipart uploads are in `parse_multipart`.

One function per operation, called `operation_name(request, body)`. `body` is the whole body
of the operations that take XML and empty for all others; where content is streamed, the Input
carries a Payload that says what it must turn out to be. Whether a bucket or a key exists, and
whether a bucket's name is legal, is for the handlers to find out.
"""

from __future__ import annotations

from datetime import datetime

from gateway.s3 import errors
from gateway.s3 import operations as op
from gateway.s3.address import MAX_KEY_BYTES
from gateway.s3.dates import parse_http_date
from gateway.s3.errors import InvalidRequest, KeyTooLongError, MalformedXML
from gateway.s3.parse_headers import (
    acl,
    byte_range,
    conditions,
    copy_source,
    message,
    object_headers,
    refuse_unoffered,
    replaces,
    response_overrides,
)
from gateway.s3.parse_params import (
    encoding_type,
    integer,
    integer_header,
    invalid_argument,
    page_size,
    part_number,
    version_id,
)
from gateway.s3.parse_payload import checksum_algorithm, parse_payload
from gateway.s3.request import Request
from gateway.s3.tags import MAX_BUCKET_TAGS, read_tags
from gateway.s3.xml import Element, parse_xml

MAX_BUCKETS_PAGE = 10_000
MAX_DELETE_OBJECTS = 1_000
MAX_DELETE_BYTES = 4 << 20
MAX_ATTRIBUTE_PARTS = 1_000

OBJECT_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


def bucket_name(request: Request) -> str:
    """The request's bucket; routing has seen to it that there is one."""
    if request.bucket is None:
        raise InvalidRequest("The request names no bucket.")
    return request.bucket


def object_name(request: Request) -> tuple[str, str]:
    """The request's bucket and key; routing has seen to it that there are both."""
    if request.key is None:
        raise InvalidRequest("The request names no key.")
    return bucket_name(request), request.key


def etag_text(text: str) -> str:
    """An ETag out of an XML body, without its quotes."""
    return text.strip().removeprefix("W/").strip('"')


# ---------------------------------------------------------------- service and buckets


def list_buckets(request: Request, body: bytes) -> op.ListBucketsInput:
    asked = request.param("max-buckets")
    return op.ListBucketsInput(
        prefix=request.param("prefix") or "",
        max_buckets=page_size(request, "max-buckets", low=1, limit=MAX_BUCKETS_PAGE) if asked else None,
        continuation_token=request.param("continuation-token"),
    )


def create_bucket(request: Request, body: bytes) -> op.CreateBucketInput:
    refuse_unoffered(request)
    if request.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true":
        raise errors.NotImplemented(fields={"Header": "x-amz-bucket-object-lock-enabled"})
    name, granted = bucket_name(request), acl(request) or ""
    if not body.strip():
        return op.CreateBucketInput(name, acl=granted)
    root = parse_xml(body, "CreateBucketConfiguration")
    tags = root.find("Tags")
    return op.CreateBucketInput(
        bucket=name,
        location_constraint=(root.child_text("LocationConstraint") or "").strip() or None,
        tags={} if tags is None else read_tags(tags, MAX_BUCKET_TAGS),
        acl=granted,
    )


def bucket_input(request: Request, body: bytes) -> op.BucketInput:
    """HeadBucket, DeleteBucket, GetBucketLocation and GetBucketVersioning."""
    return op.BucketInput(bucket_name(request))


def put_bucket_versioning(request: Request, body: bytes) -> op.PutBucketVersioningInput:
    root = parse_xml(body, "VersioningConfiguration")
    status, mfa_delete = root.child_text("Status"), root.child_text("MfaDelete")
    if status not in (None, "Enabled", "Suspended") or mfa_delete not in (None, "Enabled", "Disabled"):
        raise MalformedXML
    return op.PutBucketVersioningInput(bucket_name(request), status, mfa_delete)


# ---------------------------------------------------------------- listings


def list_objects(request: Request, body: bytes) -> op.ListObjectsInput:
    return op.ListObjectsInput(
        bucket=bucket_name(request),
        version=1,
        prefix=request.param("prefix"),
        delimiter=request.param("delimiter") or None,
        max_keys=page_size(request, "max-keys"),
        encoding_type=encoding_type(request),
        marker=request.param("marker"),
    )


def list_objects_v2(request: Request, body: bytes) -> op.ListObjectsInput:
    version = request.param("list-type") or ""
    if version != "2":
        raise invalid_argument("list-type", version, "Invalid List Type specified in Request")
    return op.ListObjectsInput(
        bucket=bucket_name(request),
        version=2,
        prefix=request.param("prefix"),
        delimiter=request.param("delimiter") or None,
        max_keys=page_size(request, "max-keys"),
        encoding_type=encoding_type(request),
        start_after=request.param("start-after"),
        continuation_token=request.param("continuation-token"),
        fetch_owner=_boolean(request.param("fetch-owner")),
    )


def list_object_versions(request: Request, body: bytes) -> op.ListObjectVersionsInput:
    key_marker = request.param("key-marker")
    version_id_marker = request.param("version-id-marker") or None
    if version_id_marker and not key_marker:
        hint = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument("version-id-marker", version_id_marker, hint)
    return op.ListObjectVersionsInput(
        bucket=bucket_name(request),
        prefix=request.param("prefix"),
        delimiter=request.param("delimiter") or None,
        max_keys=page_size(request, "max-keys"),
        encoding_type=encoding_type(request),
        key_marker=key_marker,
        version_id_marker=version_id_marker,
    )


def _boolean(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"


# ---------------------------------------------------------------- objects


def get_object(request: Request, body: bytes) -> op.GetObjectInput:
    """GetObject and HeadObject."""
    refuse_unoffered(request)
    bucket, key = object_name(request)
    part = part_number(request)
    if part is not None and "range" in request.headers:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter.")
    return op.GetObjectInput(
        bucket=bucket,
        key=key,
        head=request.method == "HEAD",
        version_id=version_id(request),
        conditions=conditions(request),
        range=byte_range(request),
        part_number=part,
        overrides=response_overrides(request),
        checksum_mode=request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED",
    )


def object_version(request: Request, body: bytes) -> op.ObjectVersionInput:
    """GetObjectTagging and DeleteObjectTagging."""
    bucket, key = object_name(request)
    return op.ObjectVersionInput(bucket, key, version_id(request))


def get_object_attributes(request: Request, body: bytes) -> op.GetObjectAttributesInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    return op.GetObjectAttributesInput(
        bucket=bucket,
        key=key,
        attributes=_object_attributes(request),
        version_id=version_id(request),
        max_parts=min(integer_header(request, "x-amz-max-parts", MAX_ATTRIBUTE_PARTS), MAX_ATTRIBUTE_PARTS),
        part_number_marker=integer_header(request, "x-amz-part-number-marker", 0),
    )


def _object_attributes(request: Request) -> frozenset[str]:
    header = "x-amz-object-attributes"
    text = request.headers.get(header, "")
    names = frozenset(name.strip() for name in text.split(",")) - {""}
    if not names:
        raise InvalidRequest(
            f"The {header} header, which specifies the attributes to be retrieved, is missing or empty."
        )
    if not names <= OBJECT_ATTRIBUTES:
        raise invalid_argument(header, text, "Invalid attribute name specified.")
    return names


def put_object(request: Request, body: bytes) -> op.PutObjectInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    refuse_stray_part(request)
    return op.PutObjectInput(
        bucket=bucket,
        key=key,
        headers=object_headers(request),
        conditions=conditions(request),
        payload=parse_payload(request),
        message=message(request),
    )


def refuse_stray_part(request: Request) -> None:
    """A part whose upload id was lost must not become the object."""
    part = request.param("partNumber")
    if part is not None:
        raise invalid_argument("partNumber", part, "This operation does not accept a part number without an upload id.")


def copy_object(request: Request, body: bytes) -> op.CopyObjectInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    refuse_stray_part(request)
    return op.CopyObjectInput(
        bucket=bucket,
        key=key,
        source=copy_source(request),
        source_conditions=conditions(request, "x-amz-copy-source-"),
        conditions=conditions(request),
        replace_metadata=replaces(request, "x-amz-metadata-directive"),
        replace_tags=replaces(request, "x-amz-tagging-directive"),
        headers=object_headers(request),
        algorithm=checksum_algorithm(request),
        message=message(request),
    )


def delete_object(request: Request, body: bytes) -> op.DeleteObjectInput:
    refuse_unoffered(request)
    bucket, key = object_name(request)
    return op.DeleteObjectInput(
        bucket=bucket,
        key=key,
        version_id=version_id(request),
        conditions=conditions(request),
        message=message(request),
    )


def delete_objects(request: Request, body: bytes) -> op.DeleteObjectsInput:
    root = parse_xml(body, "Delete", max_bytes=MAX_DELETE_BYTES)
    objects = root.find_all("Object")
    if not 1 <= len(objects) <= MAX_DELETE_OBJECTS:
        raise MalformedXML
    return op.DeleteObjectsInput(
        bucket=bucket_name(request),
        objects=tuple([_object_identifier(entry) for entry in objects]),
        quiet=_boolean(root.child_text("Quiet")),
        message=message(request),
    )


def _object_identifier(entry: Element) -> op.ObjectIdentifier:
    key = entry.child_text("Key")
    if not key:
        raise MalformedXML
    if len(key.encode()) > MAX_KEY_BYTES:
        raise KeyTooLongError(fields={"Key": key})
    etag = entry.child_text("ETag")
    return op.ObjectIdentifier(
        key=key,
        version_id=entry.child_text("VersionId") or None,
        etag=etag_text(etag) if etag else None,
        size=_size(entry.child_text("Size")),
        last_modified_time=_time(entry.child_text("LastModifiedTime")),
    )


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    value = integer(text.strip())
    if value is None or value < 0:
        raise MalformedXML
    return value


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = parse_http_date(text)
    if moment is None:
        raise MalformedXML
    return moment
