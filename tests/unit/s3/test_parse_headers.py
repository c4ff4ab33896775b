from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.s3 import parse_headers
from gateway.s3.errors import InvalidArgument, InvalidStorageClass, MetadataTooLarge, NotImplemented
from gateway.s3.operations import ByteRange, Conditions, CopySource, ObjectHeaders
from gateway.s3.parse_headers import (
    byte_range,
    conditions,
    copy_source,
    copy_source_range,
    object_headers,
    refuse_unoffered,
    replaces,
)
from gateway.s3.request import Request
from tests.unit.s3.asking import ask

MOMENT = datetime(2026, 11, 21, 5, 49, 53, tzinfo=UTC)


def put(headers: dict[str, str]) -> Request:
    return ask("PUT", "/b/k", headers)


# ---------------------------------------------------------------- conditions and ranges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"abc-1"', ("abc-1",)),
        ("abc-1", ("abc-1",)),
        ('W/"abc"', ("abc",)),
        ('"a", "b",W/"c" , d', ("a", "b", "c", "d")),
        ('"with, comma"', ("with, comma",)),
        ("*", ("*",)),
        ("", None),
        (" , ", None),
    ],
)
def test_etags(text: str, expected: tuple[str, ...] | None) -> None:
    assert conditions(put({"If-Match": text})).if_match == expected
    assert conditions(put({"If-None-Match": text})).if_none_match == expected


def test_conditions_that_were_not_sent() -> None:
    assert not conditions(put({}))
    assert conditions(put({"If-Modified-Since": "yesterday"})) == Conditions()


def test_condition_dates() -> None:
    text = "Sat, 21 Nov 2026 05:49:53 GMT"
    assert conditions(put({"If-Modified-Since": text, "If-Unmodified-Since": text})) == Conditions(
        None, None, MOMENT, MOMENT
    )


def test_source_conditions_are_separate() -> None:
    request = put({"x-amz-copy-source-if-none-match": '"s"', "If-Match": '"d"'})
    assert conditions(request, "x-amz-copy-source-") == Conditions(if_none_match=("s",))
    assert conditions(request) == Conditions(if_match=("d",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-4", ByteRange(0, 4)),
        ("bytes=4-4", ByteRange(4, 4)),
        ("bytes=5-", ByteRange(5, None)),
        ("bytes=-7", ByteRange(None, 7)),
        ("bytes=-0", ByteRange(None, 0)),
        ("Bytes= 1-2 ", ByteRange(1, 2)),
        ("bytes=0-99999999999999999999", ByteRange(0, 99999999999999999999)),
        ("bytes=4-3", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=1", None),
        ("items=0-1", None),
        ("bytes=\u0660-\u0661", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("", None),
    ],
)
def test_range(text: str, expected: ByteRange | None) -> None:
    assert byte_range(ask("GET", "/b/k", Range=text)) == expected


# ---------------------------------------------------------------- what is kept with an object


def test_object_headers() -> None:
    request = put(
        {
            "Content-Type": "text/plain",
            "Cache-Control": "no-cache",
            "Content-Language": "",
            "Expires": "whenever",
            "X-Amz-Meta-A": "1",
            "x-amz-meta-empty": "",
            "x-amz-meta-é": "ü",
            "x-amz-website-redirect-location": "/elsewhere",
            "x-amz-tagging": "b=2&a=1+%2B",
            "x-amz-storage-class": "GLACIER",
            "x-amz-acl": "bucket-owner-full-control",
            "User-Agent": "x",
        }
    )
    assert object_headers(request) == ObjectHeaders(
        {
            "content-type": "text/plain",
            "cache-control": "no-cache",
            "expires": "whenever",
            "x-amz-website-redirect-location": "/elsewhere",
        },
        {"a": "1", "empty": "", "é": "ü"},
        {"a": "1 +", "b": "2"},
        "BUCKET_OWNER:FULL_CONTROL",
    )
    assert object_headers(put({})) == ObjectHeaders()
    assert object_headers(put({"x-amz-tagging": ""})).tags == {}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("gzip", "gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("AWS-Chunked", None),
        ("aws-chunked, aws-chunked", None),
    ],
)
def test_aws_chunked_is_no_property_of_the_object(sent: str, kept: str | None) -> None:
    assert object_headers(put({"Content-Encoding": sent})).standard.get("content-encoding") == kept


def test_metadata_holds_two_kilobytes_of_names_and_values() -> None:
    object_headers(put({"x-amz-meta-a": "x" * 2047}))
    object_headers(put({"x-amz-meta-a": "é" * 1000, "x-amz-meta-b": "x" * 46}))
    for headers in ({"x-amz-meta-a": "x" * 2048}, {"x-amz-meta-a": "é" * 1024}):
        with pytest.raises(MetadataTooLarge):
            object_headers(put(headers))


@pytest.mark.parametrize("name", ["x-amz-meta-a", "Content-Type", "Content-Disposition"])
def test_what_cannot_be_kept_as_text_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="UTF-8"):
        object_headers(put({name: "caf\udce9"}))


def test_message() -> None:
    assert parse_headers.message(put({"x-caret-message": "why é"})) == "why é"
    assert parse_headers.message(put({"x-caret-message": ""})) is None
    with pytest.raises(InvalidArgument):
        parse_headers.message(put({"x-caret-message": "\udce9"}))


def test_storage_class() -> None:
    with pytest.raises(InvalidStorageClass):
        object_headers(put({"x-amz-storage-class": "COLD"}))


def test_a_canned_acl() -> None:
    assert object_headers(put({"x-amz-acl": "private"})).acl == ""
    assert object_headers(put({"x-amz-acl": "public-read"})).acl == "ALL_USERS:READ"


@pytest.mark.parametrize(
    ("acl", "error"),
    [("aws-exec-read", NotImplemented), ("log-delivery-write", NotImplemented), ("public-ready", InvalidArgument)],
)
def test_acls_that_are_not_offered(acl: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        object_headers(put({"x-amz-acl": acl}))


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-legal-hold",
        "x-amz-grant-full-control",
        "x-amz-write-offset-bytes",
        "x-amz-if-match-last-modified-time",
    ],
)
def test_what_is_not_offered_is_refused_by_name(name: str) -> None:
    with pytest.raises(NotImplemented) as raised:
        refuse_unoffered(put({name: "AES256"}))
    assert raised.value.fields == {"Header": name}


def test_harmless_headers_are_not_refused() -> None:
    refuse_unoffered(
        put({"x-amz-request-payer": "requester", "x-amz-bypass-governance-retention": "true", "If-Match": "e"})
    )


# ---------------------------------------------------------------- tags


def test_tags_are_kept_with_the_object() -> None:
    assert object_headers(put({})).tags is None
    assert object_headers(put({"x-amz-tagging": ""})).tags == {}
    assert object_headers(put({"x-amz-tagging": "b=2&a=+1"})).tags == {"a": " 1", "b": "2"}


def test_a_tagging_header_that_is_no_query_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        object_headers(put({"x-amz-tagging": "a=%FF"}))


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/src/key", CopySource("src", "key")),
        ("src/key", CopySource("src", "key")),
        ("src/a/b//c", CopySource("src", "a/b//c")),
        ("src//key", CopySource("src", "/key")),
        ("src/%3FversionId", CopySource("src", "?versionId")),
        ("src/a%253F+", CopySource("src", "a%3F+")),
        ("/src/k?versionId=HEAD%5E", CopySource("src", "k", "HEAD^")),
        ("/src/k?versionId=HEAD^", CopySource("src", "k", "HEAD^")),
        ("src/k%3FversionId=x?versionId=y", CopySource("src", "k?versionId=x", "y")),
        ("src/k?versionId=x?versionId=y", CopySource("src", "k?versionId=x", "y")),
        ("main.images/é", CopySource("main.images", "é")),
        ("%2Fsrc/k", CopySource("/src", "k")),
    ],
)
def test_copy_source(text: str, expected: CopySource) -> None:
    assert copy_source(put({"x-amz-copy-source": text})) == expected


@pytest.mark.parametrize("text", ["", "/", "src", "/src", "src/", "//key", "src/%", "src/%FF", "src/k?versionId="])
def test_a_malformed_copy_source_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        copy_source(put({"x-amz-copy-source": text}))
    assert raised.value.fields == {"ArgumentName": "x-amz-copy-source", "ArgumentValue": text}


def test_copy_source_range() -> None:
    assert copy_source_range(put({})) is None
    assert copy_source_range(put({"x-amz-copy-source-range": "bytes=0-21"})) == ByteRange(0, 21)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0-2",
        "bytes=0",
        "bytes=hello-world",
        "bytes=0-bar",
        "bytes=hello-",
        "bytes=0-2,3-5",
        "bytes=3-2",
        "bytes=-1",
    ],
)
def test_a_malformed_copy_source_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        copy_source_range(put({"x-amz-copy-source-range": text}))


def test_directives() -> None:
    name = "x-amz-metadata-directive"
    assert not replaces(put({}), name)
    assert not replaces(put({name: "COPY"}), name)
    assert replaces(put({name: "REPLACE"}), name)
    with pytest.raises(InvalidArgument):
        replaces(put({name: "replace"}), name)
