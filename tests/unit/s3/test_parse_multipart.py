from __future__ import annotations

import base64

import pytest

from gateway.s3 import operations as op
from gateway.s3 import parse_multipart
from gateway.s3.errors import BadDigest, InvalidArgument, InvalidRequest, MalformedXML, NotImplemented
from gateway.s3.xml import document, element, group
from tests.unit.s3.asking import ask

CRC32 = base64.b64encode(b"1234").decode()
SHA256 = base64.b64encode(bytes(32)).decode()


def complete_body(*parts: str) -> bytes:
    return document("CompleteMultipartUpload", *(group("Part", part) for part in parts))


def test_create() -> None:
    headers = {"Content-Type": "a/b", "x-amz-checksum-algorithm": "crc32", "x-amz-checksum-type": "FULL_OBJECT"}
    taken = parse_multipart.create_multipart_upload(ask("POST", "/b/k?uploads", headers), b"")
    assert taken == op.CreateMultipartUploadInput(
        "b", "k", op.ObjectHeaders({"content-type": "a/b"}), "crc32", "FULL_OBJECT"
    )
    with pytest.raises(NotImplemented):
        parse_multipart.create_multipart_upload(
            ask("POST", "/b/k?uploads", {"x-amz-object-lock-mode": "COMPLIANCE"}), b""
        )


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("", "COMPOSITE")],
)
def test_create_with_a_type_that_the_algorithm_has_not(algorithm: str, kind: str) -> None:
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    with pytest.raises(InvalidRequest):
        parse_multipart.create_multipart_upload(ask("POST", "/b/k?uploads", headers), b"")


def test_upload_part() -> None:
    request = ask("PUT", "/b/k?partNumber=7&uploadId=u", {"Content-Length": "3", "x-amz-checksum-crc32": CRC32})
    assert parse_multipart.upload_part(request, b"") == op.UploadPartInput(
        "b", "k", "u", 7, op.Payload(length=3, checksums={"crc32": CRC32}, algorithm="crc32")
    )


@pytest.mark.parametrize(
    "query", ["uploadId=u", "uploadId=&partNumber=1", "uploadId=u&partNumber=0", "uploadId=u&partNumber=10001"]
)
def test_a_part_needs_upload_and_number(query: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_multipart.upload_part(ask("PUT", f"/b/k?{query}"), b"")


def test_upload_part_copy() -> None:
    headers = {"x-amz-copy-source": "src/k", "x-amz-copy-source-range": "bytes=0-9", "x-amz-copy-source-if-match": "e"}
    request = ask("PUT", "/b/k?partNumber=1&uploadId=u", headers)
    assert parse_multipart.upload_part_copy(request, b"") == op.UploadPartCopyInput(
        "b", "k", "u", 1, op.CopySource("src", "k"), op.Conditions(if_match=("e",)), op.ByteRange(0, 9)
    )


def test_list_parts() -> None:
    request = ask("GET", "/b/k?uploadId=u&max-parts=2&part-number-marker=5")
    assert parse_multipart.list_parts(request, b"") == op.ListPartsInput("b", "k", "u", 2, 5)
    for query in ("part-number-marker=x", "part-number-marker=-1", "max-parts=x"):
        with pytest.raises(InvalidArgument):
            parse_multipart.list_parts(ask("GET", f"/b/k?uploadId=u&{query}"), b"")


def test_list_multipart_uploads() -> None:
    request = ask(
        "GET", "/b?uploads&prefix=p&delimiter=/&max-uploads=2&key-marker=k&upload-id-marker=u&encoding-type=url"
    )
    assert parse_multipart.list_multipart_uploads(request, b"") == op.ListMultipartUploadsInput(
        "b", "p", "/", 2, "url", "k", "u"
    )
    request = ask("GET", "/b?uploads&upload-id-marker=u")
    assert parse_multipart.list_multipart_uploads(request, b"") == op.ListMultipartUploadsInput("b")


def test_complete() -> None:
    body = complete_body(
        "<PartNumber>1</PartNumber><ETag>&quot;abc-1&quot;</ETag>",
        f"<ETag> abc </ETag><PartNumber> 2 </PartNumber><ChecksumCRC32>{CRC32}</ChecksumCRC32><Other>x</Other>",
        "<PartNumber>10001</PartNumber>",
    )
    headers = {
        "x-amz-checksum-sha256": SHA256 + "-3",
        "x-amz-checksum-type": "COMPOSITE",
        "x-amz-mp-object-size": "12",
        "If-None-Match": "*",
        "x-caret-message": "why",
    }
    taken = parse_multipart.complete_multipart_upload(ask("POST", "/b/k?uploadId=u", headers), body)
    assert taken == op.CompleteMultipartUploadInput(
        bucket="b",
        key="k",
        upload_id="u",
        parts=(
            op.CompletedPart(1, "abc-1"),
            op.CompletedPart(2, "abc", {"crc32": CRC32}),
            op.CompletedPart(10001),
        ),
        conditions=op.Conditions(if_none_match=("*",)),
        checksums={"sha256": SHA256 + "-3"},
        checksum_type="COMPOSITE",
        object_size=12,
        message="why",
    )


def test_complete_takes_ten_thousand_parts_with_checksums() -> None:
    parts = [
        element("PartNumber", str(number)) + element("ETag", f'"{"e" * 64}-1"') + element("ChecksumSHA256", SHA256)
        for number in range(1, 10_001)
    ]
    request = ask("POST", "/b/k?uploadId=u")
    assert len(parse_multipart.complete_multipart_upload(request, complete_body(*parts)).parts) == 10_000
    with pytest.raises(MalformedXML):
        parse_multipart.complete_multipart_upload(request, complete_body(*parts, parts[0]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        complete_body(),
        complete_body("<ETag>e</ETag>"),
        complete_body("<PartNumber></PartNumber>"),
        complete_body("<PartNumber>-1</PartNumber>"),
        complete_body("<PartNumber>1.0</PartNumber>"),
        complete_body(f"<PartNumber>{'9' * 5000}</PartNumber>"),
    ],
)
def test_complete_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse_multipart.complete_multipart_upload(ask("POST", "/b/k?uploadId=u"), body)


def test_complete_with_values_that_cannot_be() -> None:
    body = complete_body("<PartNumber>1</PartNumber>")
    with pytest.raises(BadDigest):
        parse_multipart.complete_multipart_upload(
            ask("POST", "/b/k?uploadId=u", {"x-amz-checksum-sha256": "bad"}), body
        )
    with pytest.raises(InvalidArgument):
        parse_multipart.complete_multipart_upload(ask("POST", "/b/k?uploadId=u", {"x-amz-mp-object-size": "-1"}), body)


def test_abort() -> None:
    request = ask("DELETE", "/b/k?uploadId=u")
    assert parse_multipart.abort_multipart_upload(request, b"") == op.AbortMultipartUploadInput("b", "k", "u")
