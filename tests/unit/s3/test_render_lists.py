from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import xmltodict

from gateway.s3 import operations as op
from gateway.s3 import render_lists
from gateway.s3.render_lists import url_encode
from gateway.s3.response import Response
from gateway.s3.xml import NAMESPACE
from tests.unit.s3.reading import as_client, tags

MOMENT = datetime(2026, 11, 21, 5, 49, 53, 123_000, tzinfo=UTC)
ISO = "2026-11-21T05:49:53.123Z"
OWNER = op.Owner("id-1", "Ann & Bob")
OWNER_DICT = {"ID": "id-1", "DisplayName": "Ann & Bob"}
OBJECTS = (
    op.ObjectSummary("a&b <c>\"d'.txt", MOMENT, "e-1", 5),
    op.ObjectSummary("é/ f+g", MOMENT, "f-1", 0, ("crc32", "sha256"), "FULL_OBJECT"),
)


def same_as_xmltodict(response: Response, root: str, content: dict[str, Any]) -> None:
    """The answer says what xmltodict would have written of the same values, and in the same order."""
    written = xmltodict.unparse({root: {"@xmlns": NAMESPACE, **content}})
    ours = xmltodict.parse(response.body, strip_whitespace=False)
    assert ours == xmltodict.parse(written, strip_whitespace=False)
    assert tags(response) == tags(Response(200, [], written.encode()))
    assert response.status == 200
    assert response.headers == [("Content-Type", "application/xml")]


# ---------------------------------------------------------------- objects


def v1(request: op.ListObjectsInput, **changes: Any) -> Response:
    fields: dict[str, Any] = {
        "request": request,
        "name": "b",
        "contents": OBJECTS,
        "common_prefixes": ("x/", "y&/"),
        "is_truncated": False,
    }
    return render_lists.list_objects(op.ListObjectsOutput(**{**fields, **changes}))


def test_list_objects_agrees_with_xmltodict() -> None:
    request = op.ListObjectsInput("b", 1, prefix="<p", delimiter="/", max_keys=2, marker="m&")
    response = v1(request, is_truncated=True, next_marker="n>", owner=OWNER)
    contents = [
        {
            "Key": "a&b <c>\"d'.txt",
            "LastModified": ISO,
            "ETag": '"e-1"',
            "Size": "5",
            "Owner": OWNER_DICT,
            "StorageClass": "STANDARD",
        },
        {
            "Key": "é/ f+g",
            "LastModified": ISO,
            "ETag": '"f-1"',
            "ChecksumAlgorithm": ["CRC32", "SHA256"],
            "ChecksumType": "FULL_OBJECT",
            "Size": "0",
            "Owner": OWNER_DICT,
            "StorageClass": "STANDARD",
        },
    ]
    same_as_xmltodict(
        response,
        "ListBucketResult",
        {
            "Name": "b",
            "Prefix": "<p",
            "Marker": "m&",
            "NextMarker": "n>",
            "MaxKeys": "2",
            "Delimiter": "/",
            "IsTruncated": "true",
            "Contents": contents,
            "CommonPrefixes": [{"Prefix": "x/"}, {"Prefix": "y&/"}],
        },
    )


def test_list_objects_v2_agrees_with_xmltodict() -> None:
    request = op.ListObjectsInput("b", 2, encoding_type="url", start_after="s +", continuation_token="t", delimiter=" ")
    response = v1(request, contents=OBJECTS[1:], next_continuation_token="n", is_truncated=True, owner=OWNER)
    same_as_xmltodict(
        response,
        "ListBucketResult",
        {
            "Name": "b",
            "Prefix": None,
            "ContinuationToken": "t",
            "NextContinuationToken": "n",
            "StartAfter": "s%20%2B",
            "KeyCount": "3",
            "MaxKeys": "1000",
            "Delimiter": "%20",
            "EncodingType": "url",
            "IsTruncated": "true",
            "Contents": {
                "Key": "%C3%A9/%20f%2Bg",
                "LastModified": ISO,
                "ETag": '"f-1"',
                "ChecksumAlgorithm": ["CRC32", "SHA256"],
                "ChecksumType": "FULL_OBJECT",
                "Size": "0",
                "StorageClass": "STANDARD",
            },
            "CommonPrefixes": [{"Prefix": "x/"}, {"Prefix": "y%26/"}],
        },
    )


def test_a_page_of_a_thousand_agrees_with_xmltodict() -> None:
    names = [f"dir&{number:04d}/a file<{number}>.txt" for number in range(1000)]
    response = v1(
        op.ListObjectsInput("b", 1),
        contents=tuple(op.ObjectSummary(name, MOMENT, "e", number) for number, name in enumerate(names)),
        common_prefixes=(),
    )
    contents = [
        {"Key": name, "LastModified": ISO, "ETag": '"e"', "Size": str(number), "StorageClass": "STANDARD"}
        for number, name in enumerate(names)
    ]
    head = {"Name": "b", "Prefix": None, "Marker": None, "MaxKeys": "1000", "IsTruncated": "false"}
    same_as_xmltodict(response, "ListBucketResult", {**head, "Contents": contents})


def test_clients_read_list_objects() -> None:
    answer = as_client("ListObjects", v1(op.ListObjectsInput("b", 1), owner=OWNER))
    assert answer["Contents"][1] == {
        "Key": "é/ f+g",
        "LastModified": MOMENT,
        "ETag": '"f-1"',
        "ChecksumAlgorithm": ["CRC32", "SHA256"],
        "ChecksumType": "FULL_OBJECT",
        "Size": 0,
        "StorageClass": "STANDARD",
        "Owner": OWNER_DICT,
    }
    assert answer["CommonPrefixes"] == [{"Prefix": "x/"}, {"Prefix": "y&/"}]
    assert (answer["Prefix"], answer["Marker"], answer["MaxKeys"], answer["IsTruncated"]) == ("", "", 1000, False)
    assert not answer.keys() & {"Delimiter", "NextMarker", "EncodingType"}


@pytest.mark.parametrize("text", ["", "x"])
def test_v2_echoes_what_was_sent_even_if_empty(text: str) -> None:
    answer = as_client("ListObjectsV2", v1(op.ListObjectsInput("b", 2, start_after=text, continuation_token=text)))
    assert (answer["StartAfter"], answer["ContinuationToken"]) == (text, text)
    absent = as_client("ListObjectsV2", v1(op.ListObjectsInput("b", 2)))
    assert not absent.keys() & {"StartAfter", "ContinuationToken", "NextContinuationToken", "Marker"}
    assert absent["KeyCount"] == 4


def test_v2_shows_the_owner_only_when_asked() -> None:
    shown = as_client("ListObjectsV2", v1(op.ListObjectsInput("b", 2, fetch_owner=True), owner=OWNER))
    hidden = as_client("ListObjectsV2", v1(op.ListObjectsInput("b", 2), owner=OWNER))
    assert shown["Contents"][0]["Owner"] == OWNER_DICT
    assert "Owner" not in hidden["Contents"][0]


def test_encoding_type_url_covers_all_that_clients_chose() -> None:
    request = op.ListObjectsInput("b", 1, prefix="p +", delimiter="%", encoding_type="url", marker="m\x01")
    answer = as_client(
        "ListObjects",
        v1(
            request,
            contents=(op.ObjectSummary("k\x01/é", MOMENT, "e", 1),),
            common_prefixes=("a b/",),
            next_marker="n\n",
        ),
    )
    assert answer["Contents"][0]["Key"] == "k%01/%C3%A9"
    assert answer["CommonPrefixes"] == [{"Prefix": "a%20b/"}]
    echoed = {name: answer[name] for name in ("Prefix", "Delimiter", "Marker", "NextMarker", "EncodingType")}
    assert echoed == {
        "Prefix": "p +",  # the one thing of version 1 that botocore does not decode
        "Delimiter": "%25",
        "Marker": "m%01",
        "NextMarker": "n%0A",
        "EncodingType": "url",
    }


def test_of_version_1_a_prefix_that_xml_can_not_hold_is_encoded() -> None:
    request = op.ListObjectsInput("b", 1, prefix="p\x01", encoding_type="url")
    assert as_client("ListObjects", v1(request))["Prefix"] == "p%01"


def test_of_version_2_the_prefix_is_encoded() -> None:
    request = op.ListObjectsInput("b", 2, prefix="p +", encoding_type="url")
    assert as_client("ListObjectsV2", v1(request))["Prefix"] == "p%20%2B"


def test_control_characters_go_out_as_references_without_encoding_type() -> None:
    response = v1(op.ListObjectsInput("b", 1), contents=(op.ObjectSummary("k\x01\r", MOMENT, "e", 1),))
    assert b"<Key>k&#x1;&#xD;</Key>" in response.body


def test_quotes_of_an_etag_are_escaped_as_s3_does() -> None:
    assert b"<ETag>&quot;e-1&quot;</ETag>" in v1(op.ListObjectsInput("b", 1)).body


@pytest.mark.parametrize(
    ("text", "expected"),
    [("foo+1/bar", "foo%2B1/bar"), ("quux ab/", "quux%20ab/"), ("a-b_c.d~", "a-b_c.d~"), ("é", "%C3%A9"), ("", "")],
)
def test_url_encode(text: str, expected: str) -> None:
    assert url_encode(text) == expected


# ---------------------------------------------------------------- versions


VERSIONS = (
    op.VersionSummary("a&", "v2", True, MOMENT, is_delete_marker=True),
    op.VersionSummary(
        "a&", "v1", False, MOMENT, etag="e-1", size=3, checksum_algorithms=("crc32",), checksum_type="COMPOSITE"
    ),
)


def test_list_object_versions_agrees_with_xmltodict() -> None:
    request = op.ListObjectVersionsInput("b", "p", "/", 2, None, "k&", "v9")
    output = op.ListObjectVersionsOutput(request, "b", VERSIONS, ("x/",), True, OWNER, "n&", "v1")
    same_as_xmltodict(
        render_lists.list_object_versions(output),
        "ListVersionsResult",
        {
            "Name": "b",
            "Prefix": "p",
            "KeyMarker": "k&",
            "VersionIdMarker": "v9",
            "NextKeyMarker": "n&",
            "NextVersionIdMarker": "v1",
            "MaxKeys": "2",
            "Delimiter": "/",
            "IsTruncated": "true",
            "DeleteMarker": {
                "Key": "a&",
                "VersionId": "v2",
                "IsLatest": "true",
                "LastModified": ISO,
                "Owner": OWNER_DICT,
            },
            "Version": {
                "Key": "a&",
                "VersionId": "v1",
                "IsLatest": "false",
                "LastModified": ISO,
                "ETag": '"e-1"',
                "ChecksumAlgorithm": "CRC32",
                "ChecksumType": "COMPOSITE",
                "Size": "3",
                "Owner": OWNER_DICT,
                "StorageClass": "STANDARD",
            },
            "CommonPrefixes": {"Prefix": "x/"},
        },
    )


def test_clients_read_list_object_versions() -> None:
    request = op.ListObjectVersionsInput("b", encoding_type="url", key_marker="k +")
    output = op.ListObjectVersionsOutput(request, "b", VERSIONS, (), False, OWNER)
    answer = as_client("ListObjectVersions", render_lists.list_object_versions(output))
    assert [entry["VersionId"] for entry in answer["Versions"]] == ["v1"]
    assert answer["DeleteMarkers"] == [
        {"Key": "a%26", "VersionId": "v2", "IsLatest": True, "LastModified": MOMENT, "Owner": OWNER_DICT}
    ]
    assert (answer["KeyMarker"], answer["VersionIdMarker"], answer["EncodingType"]) == ("k%20%2B", "", "url")
    assert not answer.keys() & {"NextKeyMarker", "NextVersionIdMarker", "Delimiter"}


# ---------------------------------------------------------------- uploads and parts


def test_list_multipart_uploads_agrees_with_xmltodict() -> None:
    request = op.ListMultipartUploadsInput("b", "p", "/", 2, "url", "k +", "u0")
    uploads = (
        op.UploadSummary("a +", "u1", MOMENT, OWNER, "crc32", "FULL_OBJECT"),
        op.UploadSummary("b", "u2", MOMENT, OWNER),
    )
    output = op.ListMultipartUploadsOutput(request, uploads, ("x y/",), True, "n +", "u2")
    plain = {"Initiator": OWNER_DICT, "Owner": OWNER_DICT, "StorageClass": "STANDARD", "Initiated": ISO}
    response = render_lists.list_multipart_uploads(output)
    same_as_xmltodict(
        response,
        "ListMultipartUploadsResult",
        {
            "Bucket": "b",
            "KeyMarker": "k%20%2B",
            "UploadIdMarker": "u0",
            "NextKeyMarker": "n%20%2B",
            "NextUploadIdMarker": "u2",
            "Prefix": "p",
            "Delimiter": "/",
            "EncodingType": "url",
            "MaxUploads": "2",
            "IsTruncated": "true",
            "Upload": [
                {
                    "Key": "a%20%2B",
                    "UploadId": "u1",
                    **plain,
                    "ChecksumAlgorithm": "CRC32",
                    "ChecksumType": "FULL_OBJECT",
                },
                {"Key": "b", "UploadId": "u2", **plain},
            ],
            "CommonPrefixes": {"Prefix": "x%20y/"},
        },
    )
    answer = as_client("ListMultipartUploads", response)
    assert answer["Uploads"][1] == {
        "Key": "b",
        "UploadId": "u2",
        "Initiated": MOMENT,
        "StorageClass": "STANDARD",
        "Owner": OWNER_DICT,
        "Initiator": OWNER_DICT,
    }


def test_list_multipart_uploads_of_none() -> None:
    output = op.ListMultipartUploadsOutput(op.ListMultipartUploadsInput("b"), (), (), False)
    answer = as_client("ListMultipartUploads", render_lists.list_multipart_uploads(output))
    assert not answer.keys() & {"Uploads", "NextKeyMarker", "NextUploadIdMarker", "Delimiter", "CommonPrefixes"}
    assert answer["MaxUploads"] == 1000


def test_list_parts_agrees_with_xmltodict() -> None:
    request = op.ListPartsInput("b", "k&", "u", 2, 1)
    parts = (
        op.PartSummary(2, MOMENT, "e-1", 5, op.Checksums({"sha256": "s+/="})),
        op.PartSummary(4, MOMENT, "f-1", 6),
    )
    output = op.ListPartsOutput(request, OWNER, parts, True, 4, "sha256", "COMPOSITE")
    response = render_lists.list_parts(output)
    same_as_xmltodict(
        response,
        "ListPartsResult",
        {
            "Bucket": "b",
            "Key": "k&",
            "UploadId": "u",
            "Initiator": OWNER_DICT,
            "Owner": OWNER_DICT,
            "StorageClass": "STANDARD",
            "PartNumberMarker": "1",
            "NextPartNumberMarker": "4",
            "MaxParts": "2",
            "IsTruncated": "true",
            "ChecksumAlgorithm": "SHA256",
            "ChecksumType": "COMPOSITE",
            "Part": [
                {"PartNumber": "2", "LastModified": ISO, "ETag": '"e-1"', "Size": "5", "ChecksumSHA256": "s+/="},
                {"PartNumber": "4", "LastModified": ISO, "ETag": '"f-1"', "Size": "6"},
            ],
        },
    )
    answer = as_client("ListParts", response)
    assert [part["PartNumber"] for part in answer["Parts"]] == [2, 4]
    assert (answer["IsTruncated"], answer["NextPartNumberMarker"], answer["ChecksumAlgorithm"]) == (True, 4, "SHA256")
