from __future__ import annotations

from datetime import UTC, datetime

from gateway.s3 import operations as op
from gateway.s3 import render_multipart
from tests.unit.s3.reading import as_client, tags

MOMENT = datetime(2026, 11, 21, 5, 49, 53, 123_000, tzinfo=UTC)
SHA = op.Checksums({"sha256": "x-2"}, "COMPOSITE")


def test_create() -> None:
    output = op.CreateMultipartUploadOutput("b", "k<", "u", "crc64nvme", "FULL_OBJECT")
    assert as_client("CreateMultipartUpload", render_multipart.create_multipart_upload(output)) == {
        "Bucket": "b",
        "Key": "k<",
        "UploadId": "u",
        "ChecksumAlgorithm": "CRC64NVME",
        "ChecksumType": "FULL_OBJECT",
    }
    plain = render_multipart.create_multipart_upload(op.CreateMultipartUploadOutput("b", "k", "u"))
    assert plain.headers == [("Content-Type", "application/xml")]


def test_upload_part() -> None:
    output = op.UploadPartOutput("e-1", op.Checksums({"crc32": "c"}, "FULL_OBJECT"))
    response = render_multipart.upload_part(output)
    assert response.headers == [("ETag", '"e-1"'), ("x-amz-checksum-crc32", "c")]
    assert as_client("UploadPart", response) == {"ETag": '"e-1"', "ChecksumCRC32": "c"}


def test_upload_part_copy() -> None:
    output = op.UploadPartCopyOutput("e", MOMENT, "s", op.Checksums({"crc32": "c"}))
    assert as_client("UploadPartCopy", render_multipart.upload_part_copy(output)) == {
        "CopySourceVersionId": "s",
        "CopyPartResult": {"ETag": '"e"', "LastModified": MOMENT, "ChecksumCRC32": "c"},
    }


def test_complete() -> None:
    output = op.CompleteMultipartUploadOutput("http://h/b/k", "b", "k", "e-2", "v", SHA)
    response = render_multipart.complete_multipart_upload(output)
    assert tags(response) == ["Location", "Bucket", "Key", "ETag", "ChecksumSHA256", "ChecksumType"]
    assert as_client("CompleteMultipartUpload", response) == {
        "Location": "http://h/b/k",
        "Bucket": "b",
        "Key": "k",
        "ETag": '"e-2"',
        "ChecksumSHA256": "x-2",
        "ChecksumType": "COMPOSITE",
        "VersionId": "v",
    }
