"""Output → Response: what is told of an object or a bucket beside its content: attributes, tags."""

from __future__ import annotations

from gateway.s3 import operations as op
from gateway.s3.dates import format_http_date
from gateway.s3.render import STORAGE_CLASS, checksum_elements, optional_headers, xml_response
from gateway.s3.response import Response
from gateway.s3.tags import tag_set_element
from gateway.s3.xml import document, element, group, optional


def get_tagging(output: op.GetTaggingOutput) -> Response:
    """GetObjectTagging and GetBucketTagging."""
    body = document("Tagging", tag_set_element(output.tags))
    return xml_response(body, *optional_headers({"x-amz-version-id": output.version_id}))


def get_object_attributes(output: op.GetObjectAttributesOutput) -> Response:
    """Only what was asked for; the ETag is without quotes here, unlike anywhere else in S3."""
    asked = output.request.attributes
    body = document(
        "GetObjectAttributesResponse",
        element("ETag", output.etag) if "ETag" in asked else "",
        _checksum(output.checksums) if "Checksum" in asked else "",
        _object_parts(output.request, output.object_parts) if output.object_parts else "",
        element("StorageClass", STORAGE_CLASS) if "StorageClass" in asked else "",
        element("ObjectSize", str(output.size)) if "ObjectSize" in asked else "",
    )
    return xml_response(
        body,
        ("Last-Modified", format_http_date(output.last_modified)),
        ("x-amz-version-id", output.version_id),
    )


def _checksum(checksums: op.Checksums) -> str:
    if not checksums.values:
        return ""
    return group("Checksum", checksum_elements(checksums), optional("ChecksumType", checksums.type))


def _object_parts(request: op.GetObjectAttributesInput, parts: op.ObjectParts) -> str:
    """`PartsCount` counts them all; SDKs call it TotalPartsCount."""
    return group(
        "ObjectParts",
        element("PartsCount", str(parts.total)),
        element("PartNumberMarker", str(request.part_number_marker)),
        element("NextPartNumberMarker", str(parts.next_part_number_marker)),
        element("MaxParts", str(request.max_parts)),
        element("IsTruncated", "true" if parts.is_truncated else "false"),
        *(_part(part) for part in parts.parts),
    )


def _part(part: op.ObjectPart) -> str:
    return group(
        "Part",
        element("PartNumber", str(part.part_number)),
        element("Size", str(part.size)),
        checksum_elements(part.checksums),
    )
