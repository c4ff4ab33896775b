from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.s3 import operations as op
from gateway.s3 import parse
from gateway.s3.errors import (
    InvalidArgument,
    InvalidRequest,
    KeyTooLongError,
    MalformedXML,
    NotImplemented,
)
from gateway.s3.xml import document, element, group
from tests.unit.s3.asking import ask


def delete_body(*entries: str, quiet: str = "") -> bytes:
    return document("Delete", *(group("Object", entry) for entry in entries), quiet)


# ---------------------------------------------------------------- service and buckets


def test_list_buckets() -> None:
    assert parse.list_buckets(ask("GET", "/"), b"") == op.ListBucketsInput()
    request = ask("GET", "/?prefix=a&max-buckets=2&continuation-token=t&x-id=ListBuckets")
    assert parse.list_buckets(request, b"") == op.ListBucketsInput("a", 2, "t")
    assert parse.list_buckets(ask("GET", "/?max-buckets=99999"), b"").max_buckets == 10_000


@pytest.mark.parametrize("value", ["0", "-1", "blah", "1.5"])
def test_max_buckets_must_be_positive(value: str) -> None:
    with pytest.raises(InvalidArgument):
        parse.list_buckets(ask("GET", f"/?max-buckets={value}"), b"")


@pytest.mark.parametrize("body", [b"", b" \n", document("CreateBucketConfiguration")])
def test_create_bucket_needs_no_location(body: bytes) -> None:
    assert parse.create_bucket(ask("PUT", "/main.images"), body) == op.CreateBucketInput("main.images")


def test_create_bucket_with_a_location() -> None:
    body = document("CreateBucketConfiguration", element("LocationConstraint", "eu-west-1"))
    assert parse.create_bucket(ask("PUT", "/b"), body) == op.CreateBucketInput("b", "eu-west-1")
    with pytest.raises(MalformedXML):
        parse.create_bucket(ask("PUT", "/b"), b"<Other/>")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-bucket-object-lock-enabled": "true"},
        {"x-amz-acl": "log-delivery-write"},
        {"x-amz-grant-read": "id=1"},
    ],
)
def test_create_bucket_promises_nothing_that_is_not_offered(headers: dict[str, str]) -> None:
    with pytest.raises(NotImplemented):
        parse.create_bucket(ask("PUT", "/b", headers), b"")


def test_create_bucket_without_a_lock() -> None:
    request = ask("PUT", "/b", {"x-amz-bucket-object-lock-enabled": "false", "x-amz-acl": "private"})
    assert parse.create_bucket(request, b"") == op.CreateBucketInput("b")


@pytest.mark.parametrize("body", [b"", document("CreateBucketConfiguration")])
def test_create_bucket_with_an_acl(body: bytes) -> None:
    request = ask("PUT", "/b", x_amz_acl="authenticated-read")
    assert parse.create_bucket(request, body) == op.CreateBucketInput("b", acl="AUTHENTICATED_USERS:READ")


def test_bucket_input() -> None:
    assert parse.bucket_input(ask("HEAD", "/b"), b"") == op.BucketInput("b")


def test_put_bucket_versioning() -> None:
    body = document("VersioningConfiguration", element("Status", "Enabled"), element("MfaDelete", "Disabled"))
    request = ask("PUT", "/b?versioning")
    assert parse.put_bucket_versioning(request, body) == op.PutBucketVersioningInput("b", "Enabled", "Disabled")
    for bad in (b"", document("VersioningConfiguration", element("Status", "On"))):
        with pytest.raises(MalformedXML):
            parse.put_bucket_versioning(request, bad)


# ---------------------------------------------------------------- listings


def test_list_objects_distinguishes_absent_from_empty() -> None:
    assert parse.list_objects(ask("GET", "/b"), b"") == op.ListObjectsInput("b", 1)
    request = ask("GET", "/b?prefix=&delimiter=&marker=")
    assert parse.list_objects(request, b"") == op.ListObjectsInput("b", 1, prefix="", marker="")


def test_list_objects_with_everything() -> None:
    request = ask("GET", "/b?prefix=a%2B+b&delimiter=%25&marker=m&max-keys=7&encoding-type=url")
    expected = op.ListObjectsInput("b", 1, "a+ b", "%", 7, "url", marker="m")
    assert parse.list_objects(request, b"") == expected


def test_list_objects_v2() -> None:
    request = ask("GET", "/b?list-type=2&start-after=s&continuation-token=&fetch-owner=true&max-keys=0")
    expected = op.ListObjectsInput("b", 2, max_keys=0, start_after="s", continuation_token="", fetch_owner=True)
    assert parse.list_objects_v2(request, b"") == expected
    assert parse.list_objects_v2(ask("GET", "/b?list-type=2&fetch-owner=false"), b"") == op.ListObjectsInput("b", 2)
    with pytest.raises(InvalidArgument):
        parse.list_objects_v2(ask("GET", "/b?list-type=3"), b"")


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("1", 1), ("1000", 1000), ("1001", 1000), ("2147483647", 1000)]
)
def test_max_keys_above_a_thousand_counts_as_a_thousand(text: str, expected: int) -> None:
    assert parse.list_objects(ask("GET", f"/b?max-keys={text}"), b"").max_keys == expected


@pytest.mark.parametrize(
    "text", ["blah", "-1", "1e3", "0x10", "1_0", "%201", "1.0", "%D9%A1", "2147483648", "9" * 5000]
)
def test_max_keys_must_be_an_integer(text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        parse.list_objects(ask("GET", f"/b?max-keys={text}"), b"")
    assert raised.value.fields["ArgumentName"] == "max-keys"
    assert "ArgumentValue" in raised.value.fields


@pytest.mark.parametrize("text", ["xml", "URL", ""])
def test_encoding_type_is_url_or_nothing(text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        parse.list_objects(ask("GET", f"/b?encoding-type={text}"), b"")
    assert raised.value.fields == {"ArgumentName": "encoding-type", "ArgumentValue": text}


def test_list_object_versions() -> None:
    request = ask("GET", "/b?versions&key-marker=k&version-id-marker=v&prefix=p&delimiter=d&max-keys=3")
    expected = op.ListObjectVersionsInput("b", "p", "d", 3, None, "k", "v")
    assert parse.list_object_versions(request, b"") == expected
    request = ask("GET", "/b?versions&key-marker=&version-id-marker=")
    assert parse.list_object_versions(request, b"") == op.ListObjectVersionsInput("b", key_marker="")
    with pytest.raises(InvalidArgument):
        parse.list_object_versions(ask("GET", "/b?versions&version-id-marker=v"), b"")


# ---------------------------------------------------------------- objects


def test_get_object() -> None:
    assert parse.get_object(ask("GET", "/b/k"), b"") == op.GetObjectInput("b", "k")
    request = ask(
        "HEAD",
        "/b/k?versionId=HEAD%5E&response-content-type=text%2Fplain&response-expires=123",
        {"Range": "bytes=0-4", "x-amz-checksum-mode": "enabled", "If-Match": '"e"'},
    )
    assert parse.get_object(request, b"") == op.GetObjectInput(
        "b",
        "k",
        head=True,
        version_id="HEAD^",
        conditions=op.Conditions(if_match=("e",)),
        range=op.ByteRange(0, 4),
        overrides={"content-type": "text/plain", "expires": "123"},
        checksum_mode=True,
    )


def test_an_empty_version_id_is_refused() -> None:
    for method, parser in (("GET", parse.get_object), ("DELETE", parse.delete_object)):
        with pytest.raises(InvalidArgument, match="empty string") as raised:
            parser(ask(method, "/b/k?versionId="), b"")
        assert raised.value.fields == {"ArgumentName": "versionId", "ArgumentValue": ""}


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("10000", 10000)])
def test_part_number(text: str, expected: int) -> None:
    assert parse.get_object(ask("GET", f"/b/k?partNumber={text}"), b"").part_number == expected


@pytest.mark.parametrize("text", ["0", "10001", "-1", "x", "", "9" * 5000])
def test_part_number_out_of_bounds(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse.get_object(ask("GET", f"/b/k?partNumber={text}"), b"")


def test_part_number_and_range_exclude_each_other() -> None:
    with pytest.raises(InvalidRequest):
        parse.get_object(ask("GET", "/b/k?partNumber=1", Range="bytes=0-1"), b"")


def test_overrides_cannot_split_the_answer() -> None:
    with pytest.raises(InvalidArgument):
        parse.get_object(ask("GET", "/b/k?response-content-type=a%0D%0ASet-Cookie:x"), b"")


def test_put_object() -> None:
    request = ask(
        "PUT",
        "/b/k",
        {
            "Content-Length": "5",
            "Content-Type": "text/plain",
            "x-amz-meta-Colour": "red",
            "If-None-Match": "*",
            "x-caret-message": "first import",
        },
    )
    assert parse.put_object(request, b"") == op.PutObjectInput(
        "b",
        "k",
        op.ObjectHeaders({"content-type": "text/plain"}, {"colour": "red"}),
        op.Conditions(if_none_match=("*",)),
        op.Payload(length=5),
        "first import",
    )


def test_a_part_without_its_upload_does_not_become_the_object() -> None:
    with pytest.raises(InvalidArgument):
        parse.put_object(ask("PUT", "/b/k?partNumber=1"), b"")
    with pytest.raises(InvalidArgument):
        parse.copy_object(ask("PUT", "/b/k?partNumber=1", x_amz_copy_source="b/k"), b"")


def test_copy_object() -> None:
    request = ask(
        "PUT",
        "/b/k",
        {
            "x-amz-copy-source": "/src/a%20b?versionId=HEAD%5E",
            "x-amz-copy-source-if-match": '"s"',
            "If-None-Match": "*",
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-tagging-directive": "COPY",
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-meta-a": "1",
        },
    )
    assert parse.copy_object(request, b"") == op.CopyObjectInput(
        bucket="b",
        key="k",
        source=op.CopySource("src", "a b", "HEAD^"),
        source_conditions=op.Conditions(if_match=("s",)),
        conditions=op.Conditions(if_none_match=("*",)),
        replace_metadata=True,
        replace_tags=False,
        headers=op.ObjectHeaders({}, {"a": "1"}),
        algorithm="sha256",
    )


def test_delete_object() -> None:
    request = ask("DELETE", "/b/k?versionId=v", {"If-Match": "e", "x-amz-bypass-governance-retention": "true"})
    assert parse.delete_object(request, b"") == op.DeleteObjectInput("b", "k", "v", op.Conditions(if_match=("e",)))
    with pytest.raises(NotImplemented):
        parse.delete_object(ask("DELETE", "/b/k", {"x-amz-if-match-size": "3"}), b"")


def test_delete_objects() -> None:
    body = delete_body(
        "<Key>a/ b</Key>",
        "<Key>c</Key><VersionId>v</VersionId><ETag>&quot;e&quot;</ETag><Size>3</Size>"
        "<LastModifiedTime>Sat, 21 Nov 2026 05:49:53 GMT</LastModifiedTime>",
        "<Key> </Key><VersionId></VersionId>",
        quiet="<Quiet>true</Quiet>",
    )
    moment = datetime(2026, 11, 21, 5, 49, 53, tzinfo=UTC)
    assert parse.delete_objects(ask("POST", "/b?delete", x_caret_message="tidy"), body) == op.DeleteObjectsInput(
        "b",
        (
            op.ObjectIdentifier("a/ b"),
            op.ObjectIdentifier("c", "v", "e", 3, moment),
            op.ObjectIdentifier(" "),
        ),
        quiet=True,
        message="tidy",
    )


def test_delete_objects_takes_up_to_a_thousand_keys_of_any_length() -> None:
    longest = f"<Key>{'&#233;' * 512}</Key>"
    parse.delete_objects(ask("POST", "/b?delete"), delete_body(*[longest] * 1000))
    with pytest.raises(MalformedXML):
        parse.delete_objects(ask("POST", "/b?delete"), delete_body(*["<Key>k</Key>"] * 1001))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        delete_body(),
        delete_body("<Key></Key>"),
        delete_body("<VersionId>v</VersionId>"),
        delete_body("<Key>a</Key><Key>b</Key>"),
        delete_body("<Key>a</Key><Size>-1</Size>"),
        delete_body("<Key>a</Key><Size>x</Size>"),
        delete_body("<Key>a</Key><LastModifiedTime>soon</LastModifiedTime>"),
    ],
)
def test_delete_objects_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse.delete_objects(ask("POST", "/b?delete"), body)


def test_delete_objects_with_a_key_too_long() -> None:
    with pytest.raises(KeyTooLongError):
        parse.delete_objects(ask("POST", "/b?delete"), delete_body(f"<Key>{'k' * 1025}</Key>"))


def test_an_operation_needs_what_its_address_names() -> None:
    with pytest.raises(InvalidRequest):
        parse.bucket_input(ask("GET", "/"), b"")
    with pytest.raises(InvalidRequest):
        parse.get_object(ask("GET", "/b"), b"")
