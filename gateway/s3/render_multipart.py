"""Output → Response: multipart uploads, but for their listings."""

from __future__ import annotations

from gateway.s3 import operations as op
from gateway.s3.render import (
    checksum_elements,
    checksum_headers,
    copy_result,
    optional_headers,
    quoted,
    xml_response,
)
from gateway.s3.response import Response
from gateway.s3.xml import document, element, optional


def create_multipart_upload(output: op.CreateMultipartUploadOutput) -> Response:
    body = document(
        "InitiateMultipartUploadResult",
        element("Bucket", output.bucket),
        element("Key", output.key),
        element("UploadId", output.upload_id),
    )
    algorithm = output.checksum_algorithm
    headers = {
        "x-amz-checksum-algorithm": algorithm.upper() if algorithm else None,
        "x-amz-checksum-type": output.checksum_type,
    }
    return xml_response(body, *optional_headers(headers))


def upload_part(output: op.UploadPartOutput) -> Response:
    # Without the type: S3 says it of whole objects only.
    checksums = op.Checksums(output.checksums.values)
    return Response(200, [("ETag", quoted(output.etag)), *checksum_headers(checksums)])


def upload_part_copy(output: op.UploadPartCopyOutput) -> Response:
    body = document("CopyPartResult", *copy_result(output))
    return xml_response(body, *optional_headers({"x-amz-copy-source-version-id": output.source_version_id}))


def complete_multipart_upload(output: op.CompleteMultipartUploadOutput) -> Response:
    body = document(
        "CompleteMultipartUploadResult",
        element("Location", output.location),
        element("Bucket", output.bucket),
        element("Key", output.key),
        element("ETag", quoted(output.etag)),
        checksum_elements(output.checksums),
        optional("ChecksumType", output.checksums.type if output.checksums.values else None),
    )
    return xml_response(body, ("x-amz-version-id", output.version_id))
