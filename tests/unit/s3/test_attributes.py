"""GetObjectAttributes and the tagging operations: requests read, answers written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.s3 import operations as op
from gateway.s3 import parse, parse_tags, render_attributes
from gateway.s3.errors import InvalidArgument, InvalidRequest, InvalidTag, NotImplemented
from gateway.s3.request import Request
from gateway.s3.tags import MAX_BUCKET_TAGS
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import as_client, tags

MOMENT = datetime(2026, 11, 21, 5, 49, 53, tzinfo=UTC)
ALL = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
ASKED = op.GetObjectAttributesInput("b", "k", ALL, max_parts=2, part_number_marker=1)


def attributes(headers: dict[str, str], query: str = "") -> Request:
    return ask("GET", f"/b/k?attributes{query}", headers)


# ---------------------------------------------------------------- attributes


def test_attributes_are_asked_for_by_name() -> None:
    request = attributes({"x-amz-object-attributes": "ETag, ObjectSize"}, "&versionId=HEAD%5E")
    assert parse.get_object_attributes(request, b"") == op.GetObjectAttributesInput(
        "b", "k", frozenset({"ETag", "ObjectSize"}), "HEAD^"
    )


def test_a_page_of_parts_is_asked_for_in_headers() -> None:
    headers = {"x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "5000", "x-amz-part-number-marker": "7"}
    parsed = parse.get_object_attributes(attributes(headers), b"")
    assert (parsed.max_parts, parsed.part_number_marker) == (1000, 7)


@pytest.mark.parametrize("text", [None, "", " ", ","])
def test_no_attributes_at_all_are_no_request(text: str | None) -> None:
    with pytest.raises(InvalidRequest):
        parse.get_object_attributes(attributes({} if text is None else {"x-amz-object-attributes": text}), b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-object-attributes": "Etag"},
        {"x-amz-object-attributes": "ETag,Colour"},
        {"x-amz-object-attributes": "ETag", "x-amz-max-parts": "ten"},
        {"x-amz-object-attributes": "ETag", "x-amz-max-parts": "-1"},
        {"x-amz-object-attributes": "ETag", "x-amz-part-number-marker": "1.5"},
    ],
)
def test_what_is_no_attribute_or_number_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        parse.get_object_attributes(attributes(headers), b"")


def test_the_key_to_an_encrypted_object_is_refused() -> None:
    headers = {"x-amz-object-attributes": "ETag", "x-amz-server-side-encryption-customer-algorithm": "AES256"}
    with pytest.raises(NotImplemented):
        parse.get_object_attributes(attributes(headers), b"")


def test_all_attributes_are_given() -> None:
    page = op.ObjectParts(3, (op.ObjectPart(2, 7, op.Checksums({"crc32": "c=="}, "FULL_OBJECT")),), True, 2)
    output = op.GetObjectAttributesOutput(
        ASKED, MOMENT, "v", "e-3", 21, op.Checksums({"sha256": "s=-3"}, "COMPOSITE"), page
    )
    response = render_attributes.get_object_attributes(output)
    assert tags(response) == ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    assert as_client("GetObjectAttributes", response) == {
        "LastModified": MOMENT,
        "VersionId": "v",
        "ETag": "e-3",
        "Checksum": {"ChecksumSHA256": "s=-3", "ChecksumType": "COMPOSITE"},
        "ObjectParts": {
            "TotalPartsCount": 3,
            "PartNumberMarker": 1,
            "NextPartNumberMarker": 2,
            "MaxParts": 2,
            "IsTruncated": True,
            "Parts": [{"PartNumber": 2, "Size": 7, "ChecksumCRC32": "c=="}],
        },
        "StorageClass": "STANDARD",
        "ObjectSize": 21,
    }


def test_only_what_was_asked_for_is_given() -> None:
    asked = replace(ASKED, attributes=frozenset({"ObjectSize"}))
    checksums = op.Checksums({"crc32": "c=="}, "FULL_OBJECT")
    response = render_attributes.get_object_attributes(
        op.GetObjectAttributesOutput(asked, MOMENT, "v", "e-1", 0, checksums)
    )
    assert as_client("GetObjectAttributes", response) == {"LastModified": MOMENT, "VersionId": "v", "ObjectSize": 0}


def test_an_object_without_checksum_or_parts_has_no_such_elements() -> None:
    response = render_attributes.get_object_attributes(op.GetObjectAttributesOutput(ASKED, MOMENT, "v", "e-1", 5))
    assert tags(response) == ["ETag", "StorageClass", "ObjectSize"]


# ---------------------------------------------------------------- tags

BODY = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"


def many(count: int) -> bytes:
    tag_set = "".join(f"<Tag><Key>k{number:02}</Key><Value/></Tag>" for number in range(count))
    return f"<Tagging><TagSet>{tag_set}</TagSet></Tagging>".encode()


def test_tags_are_of_any_revision_of_an_object() -> None:
    request = ask("PUT", "/b/k?tagging&versionId=HEAD~2")
    assert parse_tags.put_object_tagging(request, BODY) == op.PutObjectTaggingInput("b", "k", {"k": "v"}, "HEAD~2")
    assert parse.object_version(request, b"") == op.ObjectVersionInput("b", "k", "HEAD~2")
    assert parse.object_version(ask("GET", "/b/k?tagging"), b"") == op.ObjectVersionInput("b", "k")


def test_an_empty_version_id_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        parse_tags.put_object_tagging(ask("PUT", "/b/k?tagging&versionId="), BODY)


def test_objects_and_buckets_have_limits_of_their_own() -> None:
    bucket = ask("PUT", "/b?tagging")
    assert len(parse_tags.put_bucket_tagging(bucket, many(MAX_BUCKET_TAGS)).tags) == MAX_BUCKET_TAGS
    with pytest.raises(InvalidTag):
        parse_tags.put_bucket_tagging(bucket, many(MAX_BUCKET_TAGS + 1))
    with pytest.raises(InvalidTag):
        parse_tags.put_object_tagging(ask("PUT", "/b/k?tagging"), many(11))


def test_a_bucket_may_be_created_with_tags() -> None:
    body = (
        b"<CreateBucketConfiguration><Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags></CreateBucketConfiguration>"
    )
    assert parse.create_bucket(ask("PUT", "/b"), body) == op.CreateBucketInput("b", tags={"k": "v"})


def test_tags_are_given_back() -> None:
    response = render_attributes.get_tagging(op.GetTaggingOutput({"a": "<&>", "b": ""}, "v"))
    assert as_client("GetObjectTagging", response) == {
        "VersionId": "v",
        "TagSet": [{"Key": "a", "Value": "<&>"}, {"Key": "b", "Value": ""}],
    }


def test_no_tags_are_an_empty_set() -> None:
    response = render_attributes.get_tagging(op.GetTaggingOutput({}))
    assert as_client("GetBucketTagging", response) == {"TagSet": []}
