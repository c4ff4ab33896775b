"""Output or error → Response: buckets and objects. Listings are in `render_lists`, uploads in
`render_multipart`.

One function per operation. Elements come in S3's order, for some clients read them by position.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.s3 import operations as op
from gateway.s3.dates import format_http_date, format_iso
from gateway.s3.errors import S3Error
from gateway.s3.parse_headers import METADATA_PREFIX
from gateway.s3.parse_payload import CHECKSUM_SIZES
from gateway.s3.request import Request
from gateway.s3.response import HOST_ID, Response
from gateway.s3.xml import document, element, escape, group, legible, optional

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
STORAGE_CLASS = "STANDARD"
XML_HEADERS = (("Content-Type", "application/xml"),)

_CHECKSUM_HEADERS = {name: f"x-amz-checksum-{name}" for name in CHECKSUM_SIZES}
_CHECKSUM_ELEMENTS = {name: f"Checksum{name.upper()}" for name in CHECKSUM_SIZES}


# ---------------------------------------------------------------- errors


def render_error(error: S3Error, request: Request) -> Response:
    """S3's XML for an error; for HEAD and for 304 the status and headers alone."""
    headers = list(error.headers.items())
    if request.method == "HEAD" or error.status == 304:
        return Response(error.status, headers)
    body = document(
        "Error",
        element("Code", error.code),
        element("Message", legible(error.detail)),
        *(element(name, legible(value)) for name, value in error.fields.items()),
        element("Resource", legible(request.raw_path)),
        element("RequestId", request.request_id),
        element("HostId", HOST_ID),
        namespace=None,
    )
    return Response(error.status, [*XML_HEADERS, *headers], body)


# ---------------------------------------------------------------- shared parts


def xml_response(body: bytes, *headers: tuple[str, str]) -> Response:
    return Response(200, [*XML_HEADERS, *headers], body)


def quoted(etag: str) -> str:
    """An ETag as a header or element shows it."""
    return f'"{etag}"'


def owner(name: str, who: op.Owner) -> str:
    """<Owner>, <Initiator>."""
    return group(name, element("ID", who.id), element("DisplayName", who.display_name))


def checksum_elements(checksums: op.Checksums) -> str:
    values = checksums.values
    return "".join([element(_CHECKSUM_ELEMENTS[name], values[name]) for name in _CHECKSUM_ELEMENTS if name in values])


def checksum_headers(checksums: op.Checksums | None) -> list[tuple[str, str]]:
    if checksums is None or not checksums.values:
        return []
    headers = [
        (header, checksums.values[name]) for name, header in _CHECKSUM_HEADERS.items() if name in checksums.values
    ]
    if checksums.type:
        headers.append(("x-amz-checksum-type", checksums.type))
    return headers


def optional_headers(values: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Those headers that have a value."""
    return [(name, value) for name, value in values.items() if value is not None]


def empty(output: op.Empty) -> Response:
    return Response(output.status, list(output.headers.items()))


# ---------------------------------------------------------------- service and buckets


def list_buckets(output: op.ListBucketsOutput) -> Response:
    body = document(
        "ListAllMyBucketsResult",
        owner("Owner", output.owner),
        group("Buckets", *(_bucket(bucket) for bucket in output.buckets)),
        optional("ContinuationToken", output.continuation_token),
        optional("Prefix", output.prefix or None),
    )
    return xml_response(body)


def _bucket(bucket: op.BucketSummary) -> str:
    return group("Bucket", element("Name", bucket.name), element("CreationDate", format_iso(bucket.creation_date)))


def create_bucket(output: op.CreateBucketOutput) -> Response:
    return Response(200, [("Location", output.location)])


def head_bucket(output: op.HeadBucketOutput) -> Response:
    return Response(200, [*XML_HEADERS, ("x-amz-bucket-region", output.region)])


def get_bucket_location(output: op.GetBucketLocationOutput) -> Response:
    """The root is the value itself; "" is how S3 spells us-east-1."""
    return xml_response(document("LocationConstraint", escape(output.location)))


def get_bucket_versioning(output: op.GetBucketVersioningOutput) -> Response:
    return xml_response(document("VersioningConfiguration", element("Status", output.status)))


# ---------------------------------------------------------------- objects

_STANDARD_NAMES = {
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "expires": "Expires",
}


def get_object(output: op.GetObjectOutput) -> Response:
    """GetObject and HeadObject; the content travels beside the Response."""
    standard = {"content-type": DEFAULT_CONTENT_TYPE, **output.headers.standard, **output.overrides}
    headers = [
        ("Content-Type", standard.pop("content-type")),
        ("Content-Length", str(output.content_length)),
        ("ETag", quoted(output.etag)),
        ("Last-Modified", format_http_date(output.last_modified)),
        ("Accept-Ranges", "bytes"),
        ("x-amz-version-id", output.version_id),
    ]
    headers += [(_STANDARD_NAMES.get(name, name), value) for name, value in standard.items()]
    headers += [(METADATA_PREFIX + name, value) for name, value in output.headers.metadata.items()]
    headers += checksum_headers(output.checksums)
    if output.parts_count is not None:
        headers.append(("x-amz-mp-parts-count", str(output.parts_count)))
    if output.tagging_count:
        headers.append(("x-amz-tagging-count", str(output.tagging_count)))
    if output.content_range is None:
        return Response(200, headers)
    first, last, total = output.content_range
    return Response(206, [*headers, ("Content-Range", f"bytes {first}-{last}/{total}")])


def put_object(output: op.PutObjectOutput) -> Response:
    size = None if output.size is None else str(output.size)
    return Response(
        200,
        [
            ("ETag", quoted(output.etag)),
            ("x-amz-version-id", output.version_id),
            *checksum_headers(output.checksums),
            *optional_headers({"x-amz-object-size": size}),
        ],
    )


def copy_object(output: op.CopyObjectOutput) -> Response:
    body = document("CopyObjectResult", *copy_result(output))
    headers = {"x-amz-copy-source-version-id": output.source_version_id, "x-amz-version-id": output.version_id}
    return xml_response(body, *optional_headers(headers))


def copy_result(output: op.CopyObjectOutput | op.UploadPartCopyOutput) -> tuple[str, ...]:
    """The elements that the answers to CopyObject and UploadPartCopy share."""
    return (
        element("LastModified", format_iso(output.last_modified)),
        element("ETag", quoted(output.etag)),
        checksum_elements(output.checksums),
        optional("ChecksumType", output.checksums.type if output.checksums.values else None),
    )


def delete_object(output: op.DeleteObjectOutput) -> Response:
    marker = "true" if output.delete_marker else None
    return Response(204, optional_headers({"x-amz-version-id": output.version_id, "x-amz-delete-marker": marker}))


def delete_objects(output: op.DeleteObjectsOutput) -> Response:
    deleted = () if output.quiet else output.deleted
    body = document(
        "DeleteResult",
        *(_deleted(entry) for entry in deleted),
        *(_delete_error(entry) for entry in output.errors),
    )
    return xml_response(body)


def _deleted(entry: op.DeletedObject) -> str:
    return group(
        "Deleted",
        element("Key", entry.key),
        optional("VersionId", entry.version_id),
        "<DeleteMarker>true</DeleteMarker>" if entry.delete_marker else "",
        optional("DeleteMarkerVersionId", entry.delete_marker_version_id),
    )


def _delete_error(entry: op.DeleteError) -> str:
    return group(
        "Error",
        element("Key", entry.key),
        optional("VersionId", entry.version_id),
        element("Code", entry.code),
        element("Message", entry.message),
    )
