from __future__ import annotations

import pytest

from gateway.s3.address import address, build_request, parse_query, unaddressed_request
from gateway.s3.errors import InvalidBucketName, InvalidURI, KeyTooLongError, S3Error
from tests.unit.s3.asking import ask

DOMAINS = ("s3.example.com", "example.org")


@pytest.mark.parametrize(
    ("raw_path", "bucket", "key"),
    [
        ("/", None, None),
        ("/bucket", "bucket", None),
        ("/bucket/", "bucket", None),
        ("/bucket/key", "bucket", "key"),
        ("/bucket/a/b/", "bucket", "a/b/"),
        ("/bucket//a//../b", "bucket", "/a//../b"),
        ("/bucket/a%2Fb", "bucket", "a/b"),
        ("/bucket/a%252Fb", "bucket", "a%2Fb"),  # decoded once, not twice
        ("/bucket/a+b", "bucket", "a+b"),
        ("/bucket/%20", "bucket", " "),
        ("/bucket/%3FversionId", "bucket", "?versionId"),
        ("/bucket/%C3%A9", "bucket", "é"),
        ("/bucket/é", "bucket", "é"),
        ("/bu%63ket/key", "bucket", "key"),
        ("/bucket%2Fkey", "bucket/key", None),
    ],
)
def test_path_style(raw_path: str, bucket: str | None, key: str | None) -> None:
    assert address(raw_path, "localhost:9000", DOMAINS) == (bucket, key)


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("mydata.s3.example.com", "mydata"),
        ("main.images.s3.example.com:9000", "main.images"),
        ("MyData.S3.Example.COM", "mydata"),
        ("mydata.s3.example.com.", "mydata"),
        ("mydata.example.org", "mydata"),
    ],
)
def test_virtual_host_style(host: str, bucket: str) -> None:
    assert address("/", host, DOMAINS) == (bucket, None)
    assert address("/a/b", host, DOMAINS) == (bucket, "a/b")
    assert address("//a", host, DOMAINS) == (bucket, "/a")


@pytest.mark.parametrize(
    "host", ["s3.example.com", "s3.example.com:80", "evils3.example.com", "[::1]:9000", "", "a.com"]
)
def test_a_host_beside_the_domains_is_path_style(host: str) -> None:
    assert address("/bucket/key", host, DOMAINS) == ("bucket", "key")


def test_of_nested_domains_the_longest_names_the_bucket() -> None:
    domains = ("example.com", "s3.example.com")
    assert address("/", "b.s3.example.com", domains) == ("b", None)
    assert address("/b", "s3.example.com", domains) == ("b", None)


@pytest.mark.parametrize("raw_path", ["/b/%", "/b/%4", "/b/%zz", "/b/%FF", "/b/%C3", "*", "", "/b/\udcff", "/%FF/key"])
def test_what_decodes_to_no_text_is_an_invalid_uri(raw_path: str) -> None:
    with pytest.raises(InvalidURI):
        address(raw_path, "localhost", ())


@pytest.mark.parametrize("raw_path", ["//", "//key"])
def test_an_empty_bucket_name_is_refused(raw_path: str) -> None:
    with pytest.raises(InvalidBucketName):
        address(raw_path, "localhost", ())


def test_a_key_has_at_most_1024_bytes_of_utf8() -> None:
    assert address("/b/" + "k" * 1024, "", ()) == ("b", "k" * 1024)
    assert address("/b/" + "%C3%A9" * 512, "", ()) == ("b", "é" * 512)
    for raw_key in ("k" * 1025, "%C3%A9" * 512 + "k", "%F0%9F%98%80" * 257):
        with pytest.raises(KeyTooLongError):
            address("/b/" + raw_key, "", ())


@pytest.mark.parametrize(
    ("raw_query", "expected"),
    [
        ("", ()),
        ("acl", (("acl", ""),)),
        ("acl=&versionId=HEAD%5E", (("acl", ""), ("versionId", "HEAD^"))),
        ("versionId=HEAD^2~3", (("versionId", "HEAD^2~3"),)),
        ("prefix=a+b%2Bc%20d", (("prefix", "a+b+c d".replace("a+b", "a b")),)),
        ("a=1&a=2&&b", (("a", "1"), ("a", "2"), ("b", ""))),
        ("delimiter=%25&x=a=b", (("delimiter", "%"), ("x", "a=b"))),
        ("max%2Dkeys=1", (("max-keys", "1"),)),
    ],
)
def test_query(raw_query: str, expected: tuple[tuple[str, str], ...]) -> None:
    assert parse_query(raw_query) == expected


@pytest.mark.parametrize("raw_query", ["prefix=%", "prefix=%FF", "%zz=1"])
def test_a_broken_query_is_an_invalid_uri(raw_query: str) -> None:
    with pytest.raises(InvalidURI):
        parse_query(raw_query)


def test_request_keeps_what_was_sent() -> None:
    request = build_request(
        "PUT",
        "/b/a%2Fb?x=1&x=2&acl",
        [(b"Host", b"h"), (b"X-Amz-Meta-A", b"1"), (b"x-amz-meta-a", b"2"), (b"X-Raw", b"\xff")],
        secure=True,
        remote="127.0.0.1",
        request_id="R",
    )
    assert (request.raw_path, request.raw_query) == ("/b/a%2Fb", "x=1&x=2&acl")
    assert (request.bucket, request.key) == ("b", "a/b")
    assert request.headers == {"host": "h", "x-amz-meta-a": "1,2", "x-raw": "\udcff"}
    assert request.query == (("x", "1"), ("x", "2"), ("acl", ""))
    assert request.params == {"x": "1", "acl": ""}
    assert (request.secure, request.remote, request.request_id) == (True, "127.0.0.1", "R")


def test_absolute_form_outranks_the_host_header() -> None:
    request = build_request("GET", "http://b.s3.example.com:9000/k?x", [(b"host", b"other")], domains=DOMAINS)
    assert (request.bucket, request.key, request.raw_path, request.raw_query) == ("b", "k", "/k", "x")
    for target in ("http://b.s3.example.com", "HTTP://b.s3.example.com?x"):
        assert build_request("GET", target, [], domains=DOMAINS).raw_path == "/"


def test_a_key_may_look_like_an_absolute_target() -> None:
    assert ask("GET", "/b/http://x/y").key == "http://x/y"


@pytest.mark.parametrize("target", ["*", "example.com:443", "/b/%FF", "//x", "/b/" + "k" * 1025])
def test_a_refused_target_still_makes_a_request_to_answer(target: str) -> None:
    with pytest.raises(S3Error):
        build_request("GET", target, [])
    assert unaddressed_request("GET", target, request_id="R").raw_path == target
