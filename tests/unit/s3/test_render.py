from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from gateway.s3 import operations as op
from gateway.s3 import render
from gateway.s3.errors import InternalError, InvalidArgument, NoSuchKey, NotModified
from gateway.s3.response import Response
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import as_client, service_model, tags

MOMENT = datetime(2026, 11, 21, 5, 49, 53, 123_456, tzinfo=UTC)
SECOND = MOMENT.replace(microsecond=0)
MILLISECOND = MOMENT.replace(microsecond=123_000)
OWNER = op.Owner("id-1", "Ann & Bob")
CRC = op.Checksums({"crc32": "MTIzNA=="}, "FULL_OBJECT")


# ---------------------------------------------------------------- errors


def test_an_error_is_s3s_xml() -> None:
    error = NoSuchKey(fields={"Key": "a<b"}, headers={"x-amz-delete-marker": "true"})
    response = render.render_error(error, ask("GET", "/b/a%3Cb?x"))
    assert response == Response(
        404,
        [("Content-Type", "application/xml"), ("x-amz-delete-marker", "true")],
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key>"
        b"<Resource>/b/a%3Cb</Resource><RequestId>REQ1</RequestId><HostId>caret</HostId></Error>",
    )


def test_clients_read_an_error() -> None:
    response = render.render_error(InvalidArgument("no", fields={"ArgumentName": "x"}), ask("GET", "/b"))
    error = as_client("GetObject", response)["Error"]
    assert (error["Code"], error["Message"], error["ArgumentName"]) == ("InvalidArgument", "no", "x")


def test_an_error_repeats_hostile_text_legibly() -> None:
    error = InvalidArgument("bad \x00", fields={"ArgumentValue": "\udcff\x01<>"})
    response = render.render_error(error, ask("GET", "/b/\x7f"))
    root = ElementTree.fromstring(response.body)
    assert root.findtext("ArgumentValue") == "\ufffd\ufffd<>"
    assert root.findtext("Message") == "bad \ufffd"


def test_head_errors_have_no_body() -> None:
    response = render.render_error(NoSuchKey(headers={"x-amz-version-id": "v"}), ask("HEAD", "/b/k"))
    assert response == Response(404, [("x-amz-version-id", "v")])


def test_not_modified_has_no_body() -> None:
    response = render.render_error(NotModified(headers={"ETag": '"e"'}), ask("GET", "/b/k"))
    assert response == Response(304, [("ETag", '"e"')])


def test_a_server_error_keeps_its_status() -> None:
    assert render.render_error(InternalError(), ask("GET", "/")).status == 500


# ---------------------------------------------------------------- service and buckets


def test_list_buckets() -> None:
    output = op.ListBucketsOutput(OWNER, (op.BucketSummary("main.images", MOMENT),), "ma", "token")
    response = render.list_buckets(output)
    assert tags(response) == ["Owner", "Buckets", "ContinuationToken", "Prefix"]
    assert as_client("ListBuckets", response) == {
        "Owner": {"ID": "id-1", "DisplayName": "Ann & Bob"},
        "Buckets": [{"Name": "main.images", "CreationDate": MILLISECOND}],
        "ContinuationToken": "token",
        "Prefix": "ma",
    }
    none = as_client("ListBuckets", render.list_buckets(op.ListBucketsOutput(OWNER, ())))
    assert none["Buckets"] == []
    assert "ContinuationToken" not in none
    assert "Prefix" not in none


def test_create_and_head_bucket() -> None:
    assert as_client("CreateBucket", render.create_bucket(op.CreateBucketOutput("/b"))) == {"Location": "/b"}
    assert as_client("HeadBucket", render.head_bucket(op.HeadBucketOutput("eu-1"))) == {"BucketRegion": "eu-1"}


@pytest.mark.parametrize("location", ["eu-west-1", ""])
def test_bucket_location_is_the_roots_text(location: str) -> None:
    root = ElementTree.fromstring(render.get_bucket_location(op.GetBucketLocationOutput(location)).body)
    assert root.tag == "{http://s3.amazonaws.com/doc/2006-03-01/}LocationConstraint"
    assert (root.text or "") == location


def test_bucket_versioning() -> None:
    response = render.get_bucket_versioning(op.GetBucketVersioningOutput("Enabled"))
    assert as_client("GetBucketVersioning", response) == {"Status": "Enabled"}


def test_empty() -> None:
    assert render.empty(op.Empty(204, {"a": "b"})) == Response(204, [("a", "b")])


# ---------------------------------------------------------------- objects


def whole_object(**changes: object) -> op.GetObjectOutput:
    fields: dict[str, object] = {
        "etag": "e-1",
        "last_modified": MOMENT,
        "version_id": "v",
        "content_length": 5,
        "headers": op.ObjectHeaders(),
    }
    return op.GetObjectOutput(**{**fields, **changes})  # type: ignore[arg-type]


def test_get_object_with_little() -> None:
    response = render.get_object(whole_object())
    assert response == Response(
        200,
        [
            ("Content-Type", "binary/octet-stream"),
            ("Content-Length", "5"),
            ("ETag", '"e-1"'),
            ("Last-Modified", "Sat, 21 Nov 2026 05:49:53 GMT"),
            ("Accept-Ranges", "bytes"),
            ("x-amz-version-id", "v"),
        ],
    )


def test_get_object_with_everything() -> None:
    headers = op.ObjectHeaders(
        {
            "content-type": "text/plain",
            "cache-control": "no-cache",
            "content-encoding": "gzip",
            "content-language": "de",
            "x-amz-website-redirect-location": "/x",
        },
        {"colour": "réd"},
    )
    output = whole_object(
        headers=headers,
        content_range=(0, 4, 99),
        checksums=CRC,
        parts_count=3,
        tagging_count=2,
        overrides={"content-type": "image/png", "content-disposition": "inline"},
    )
    response = render.get_object(output)
    assert response.status == 206
    assert as_client("HeadObject", response) == {
        "AcceptRanges": "bytes",
        "LastModified": SECOND,
        "ContentLength": 5,
        "ChecksumCRC32": "MTIzNA==",
        "ChecksumType": "FULL_OBJECT",
        "ETag": '"e-1"',
        "VersionId": "v",
        "CacheControl": "no-cache",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "image/png",
        "ContentRange": "bytes 0-4/99",
        "WebsiteRedirectLocation": "/x",
        "Metadata": {"colour": "réd"},
        "PartsCount": 3,
        "TagCount": 2,
    }
    names = [name.lower() for name, _ in response.headers]
    assert len(names) == len(set(names))


def test_put_object() -> None:
    response = render.put_object(op.PutObjectOutput("e-1", "v", CRC, size=7))
    assert as_client("PutObject", response) == {
        "ETag": '"e-1"',
        "VersionId": "v",
        "ChecksumCRC32": "MTIzNA==",
        "ChecksumType": "FULL_OBJECT",
        "Size": 7,
    }
    assert as_client("PutObject", render.put_object(op.PutObjectOutput("e", "v"))) == {"ETag": '"e"', "VersionId": "v"}


def test_copy_object() -> None:
    response = render.copy_object(op.CopyObjectOutput("e", MOMENT, "v", "s", op.Checksums({"sha1": "x"}, "COMPOSITE")))
    assert as_client("CopyObject", response) == {
        "CopyObjectResult": {
            "ETag": '"e"',
            "LastModified": MILLISECOND,
            "ChecksumSHA1": "x",
            "ChecksumType": "COMPOSITE",
        },
        "VersionId": "v",
        "CopySourceVersionId": "s",
    }
    plain = render.copy_object(op.CopyObjectOutput("e", MOMENT, "v"))
    assert tags(plain) == ["LastModified", "ETag"]


def test_delete_object() -> None:
    response = render.delete_object(op.DeleteObjectOutput("v", delete_marker=True))
    assert response.status == 204
    assert response.body == b""
    assert as_client("DeleteObject", response) == {"DeleteMarker": True, "VersionId": "v"}
    assert render.delete_object(op.DeleteObjectOutput(None, delete_marker=False)) == Response(204, [])


def test_delete_objects() -> None:
    deleted = (op.DeletedObject("a&b", delete_marker=True, delete_marker_version_id="m"), op.DeletedObject("c", "v"))
    errors = (op.DeleteError("d", "AccessDenied", "no", "w"), op.DeleteError("e", "PreconditionFailed", "no"))
    refused = [
        {"Key": "d", "VersionId": "w", "Code": "AccessDenied", "Message": "no"},
        {"Key": "e", "Code": "PreconditionFailed", "Message": "no"},
    ]
    response = render.delete_objects(op.DeleteObjectsOutput(deleted, errors))
    assert as_client("DeleteObjects", response) == {
        "Deleted": [
            {"Key": "a&b", "DeleteMarker": True, "DeleteMarkerVersionId": "m"},
            {"Key": "c", "VersionId": "v"},
        ],
        "Errors": refused,
    }
    quiet = render.delete_objects(op.DeleteObjectsOutput(deleted, errors, quiet=True))
    assert as_client("DeleteObjects", quiet) == {"Errors": refused}


def test_every_checksum_has_its_name_in_headers_and_xml() -> None:
    checksums = op.Checksums({"crc32": "1", "crc32c": "2", "crc64nvme": "3", "sha1": "4", "sha256": "5"})
    expected = {
        f"Checksum{name}": value
        for name, value in zip(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"], "12345", strict=True)
    }
    put = as_client("PutObject", render.put_object(op.PutObjectOutput("e", "v", checksums)))
    copy = as_client("CopyObject", render.copy_object(op.CopyObjectOutput("e", MOMENT, "v", None, checksums)))
    assert expected.items() <= put.items()
    assert expected.items() <= copy["CopyObjectResult"].items()
    assert expected.keys() <= set(service_model().shape_for("CopyObjectResult").members)
