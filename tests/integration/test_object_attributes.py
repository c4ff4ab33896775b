"""GetObjectAttributes: what is known of an object without its content."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import pytest

from .raw import Raw
from .refusals import refused

MIB = 1 << 20
ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
PARTS = [b"a" * 5 * MIB, b"b" * 5 * MIB, b"c" * 100]


def sha256(data: bytes) -> str:
    return b64encode(hashlib.sha256(data).digest()).decode()


def attributes(s3: Any, bucket: str, key: str = "k", asked: list[str] = ALL, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=asked, **more)
    del answer["ResponseMetadata"]
    return answer


def upload(s3: Any, bucket: str, **settings: str) -> dict[str, Any]:
    named: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = s3.create_multipart_upload(**named, **settings)["UploadId"]
    listed = []
    for number, body in enumerate(PARTS, start=1):
        part = s3.upload_part(**named, PartNumber=number, Body=body, **settings)
        kept = {field: value for field, value in part.items() if field.startswith("Checksum")}
        listed.append({"PartNumber": number, "ETag": part["ETag"], **kept})
    answer: dict[str, Any] = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": listed})
    return answer


@pytest.mark.parametrize("client", ["s3", "s3_tls"])
def test_of_an_object_put_whole(request: pytest.FixtureRequest, client: str, name: str) -> None:
    s3 = request.getfixturevalue(client)
    s3.create_bucket(Bucket=name)
    put = s3.put_object(Bucket=name, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    assert attributes(s3, name) == {
        "ETag": put["ETag"].strip('"'),
        "Checksum": {"ChecksumSHA256": sha256(b"hello"), "ChecksumType": "FULL_OBJECT"},
        "StorageClass": "STANDARD",
        "ObjectSize": 5,
        "LastModified": s3.head_object(Bucket=name, Key="k")["LastModified"],
        "VersionId": put["VersionId"],
    }


@pytest.mark.parametrize("asked", ALL)
def test_only_what_is_asked_for_is_told(s3: Any, bucket: str, asked: str) -> None:
    upload(s3, bucket, ChecksumAlgorithm="SHA256")
    assert attributes(s3, bucket, asked=[asked]).keys() == {asked, "LastModified", "VersionId"}


def test_of_an_object_of_several_parts(s3: Any, bucket: str) -> None:
    done = upload(s3, bucket, ChecksumAlgorithm="SHA256")
    got = attributes(s3, bucket)
    assert (got["ETag"], got["ObjectSize"]) == (done["ETag"].strip('"'), sum(map(len, PARTS)))
    assert got["Checksum"] == {"ChecksumSHA256": done["ChecksumSHA256"], "ChecksumType": "COMPOSITE"}
    assert done["ChecksumSHA256"].endswith("-3")
    assert got["ObjectParts"] == {
        "TotalPartsCount": 3,
        "PartNumberMarker": 0,
        "NextPartNumberMarker": 3,
        "MaxParts": 1000,
        "IsTruncated": False,
        "Parts": [
            {"PartNumber": number, "Size": len(body), "ChecksumSHA256": sha256(body)}
            for number, body in enumerate(PARTS, start=1)
        ],
    }


def test_a_part_is_read_with_its_own_checksum(s3: Any, bucket: str) -> None:
    upload(s3, bucket, ChecksumAlgorithm="SHA256")
    for number, body in enumerate(PARTS, start=1):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number, ChecksumMode="ENABLED")
        assert (got["ChecksumSHA256"], got["ChecksumType"]) == (sha256(body), "COMPOSITE")
        assert got["Body"].read() == body


def test_parts_come_in_pages(s3: Any, bucket: str) -> None:
    upload(s3, bucket)
    pages = []
    marker = 0
    while True:
        page = attributes(s3, bucket, asked=["ObjectParts"], MaxParts=2, PartNumberMarker=marker)["ObjectParts"]
        assert (page["TotalPartsCount"], page["MaxParts"], page["PartNumberMarker"]) == (3, 2, marker)
        pages.append([part["PartNumber"] for part in page["Parts"]])
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert pages == [[1, 2], [3]]


@pytest.mark.parametrize(("most", "marker"), [(0, 0), (5, 3), (5, 99)])
def test_an_empty_page_ends_the_paging(s3: Any, bucket: str, most: int, marker: int) -> None:
    upload(s3, bucket)
    page = attributes(s3, bucket, asked=["ObjectParts"], MaxParts=most, PartNumberMarker=marker)["ObjectParts"]
    assert (page["TotalPartsCount"], page["IsTruncated"], page.get("Parts", [])) == (3, False, [])


def test_of_any_version(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"22")
    assert attributes(s3, bucket)["ObjectSize"] == 2
    for revision in (first, first[:12], "HEAD^"):
        got = attributes(s3, bucket, VersionId=revision)
        assert (got["ObjectSize"], got["VersionId"]) == (1, first)
    assert attributes(s3, f"{first[:12]}.main.{bucket}")["ObjectSize"] == 1


def test_of_what_is_not_there(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with refused("NoSuchKey", 404):
        attributes(s3, bucket, "absent")
    with refused("NoSuchKey", 404) as deleted:
        attributes(s3, bucket)
    with refused("MethodNotAllowed", 405) as named:
        attributes(s3, bucket, VersionId=marker)
    for answer in (deleted, named):
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "InvalidRequest"),
        ({"x-amz-object-attributes": "Weight"}, "InvalidArgument"),
        ({"x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "many"}, "InvalidArgument"),
    ],
)
def test_what_is_no_such_request_is_refused(raw: Raw, s3: Any, bucket: str, headers: dict[str, str], code: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    reply = raw.request("GET", f"/{bucket}/k?attributes", headers=headers)
    assert (reply.status, reply.code) == (400, code)
