"""GetObject and HeadObject at HEAD: ranges, conditions, overrides, parts. Past states: test_history."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .awscli import Aws
from .raw import Raw
from .refusals import refused

CONTENT = bytes(range(256)) * 4
BOTH = pytest.mark.parametrize("operation", ["get_object", "head_object"])


@pytest.fixture
def etag(s3: Any, bucket: str) -> str:
    """Of the key `k`, which holds CONTENT."""
    tag: str = s3.put_object(Bucket=bucket, Key="k", Body=CONTENT)["ETag"]
    return tag


def test_an_object_comes_back_as_it_was_put(s3: Any, bucket: str, etag: str) -> None:
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == CONTENT
    assert (got["ContentLength"], got["ETag"], got["AcceptRanges"]) == (len(CONTENT), etag, "bytes")
    assert got["ContentType"] == "binary/octet-stream"
    assert abs(datetime.now(UTC) - got["LastModified"]) < timedelta(minutes=1)


def test_head_says_what_get_says(s3: Any, bucket: str, etag: str) -> None:
    head, got = (method(Bucket=bucket, Key="k") for method in (s3.head_object, s3.get_object))
    assert all(
        head[name] == got[name] for name in ("ContentLength", "ETag", "LastModified", "VersionId", "ContentType")
    )
    assert head["ETag"] == etag


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=1000-", 1000, 1023),
        ("bytes=-24", 1000, 1023),
        ("bytes=1000-5000", 1000, 1023),
        ("bytes=-5000", 0, 1023),
    ],
)
def test_a_range_is_partial_content(s3: Any, bucket: str, etag: str, asked: str, first: int, last: int) -> None:
    got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert got["Body"].read() == CONTENT[first : last + 1]
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {first}-{last}/{len(CONTENT)}"
    head = s3.head_object(Bucket=bucket, Key="k", Range=asked)
    assert head["ContentLength"] == last + 1 - first


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=5-2", "bytes=a-b"])
def test_what_is_no_range_is_ignored(s3: Any, bucket: str, etag: str, asked: str) -> None:
    got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert got["Body"].read() == CONTENT


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_past_the_end_cannot_be_satisfied(raw: Raw, bucket: str, etag: str, asked: str) -> None:
    reply = raw.request("GET", f"/{bucket}/k", {"Range": asked})
    assert (reply.status, reply.code) == (416, "InvalidRange")
    assert raw.request("HEAD", f"/{bucket}/k", {"Range": asked}).status == 416


def test_an_empty_object_has_no_ranges(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="empty")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    with refused("InvalidRange", 416):
        s3.get_object(Bucket=bucket, Key="empty", Range="bytes=0-0")


@BOTH
def test_if_match(s3: Any, bucket: str, etag: str, operation: str) -> None:
    read = getattr(s3, operation)
    for matching in (etag, etag.strip('"'), f'"other", {etag}', "*"):
        read(Bucket=bucket, Key="k", IfMatch=matching)
    with refused("412" if operation == "head_object" else "PreconditionFailed", 412):
        read(Bucket=bucket, Key="k", IfMatch='"other"')


@BOTH
def test_if_none_match(s3: Any, bucket: str, etag: str, operation: str) -> None:
    read = getattr(s3, operation)
    read(Bucket=bucket, Key="k", IfNoneMatch='"other"')
    for matching in (etag, "*"):
        with refused("304", 304) as answer:
            read(Bucket=bucket, Key="k", IfNoneMatch=matching)
        assert answer["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag


@BOTH
def test_if_modified_since_and_if_unmodified_since(s3: Any, bucket: str, etag: str, operation: str) -> None:
    read = getattr(s3, operation)
    written = read(Bucket=bucket, Key="k")["LastModified"]
    earlier = written - timedelta(hours=1)
    read(Bucket=bucket, Key="k", IfModifiedSince=earlier)
    with refused("304", 304):
        read(Bucket=bucket, Key="k", IfModifiedSince=written)
    read(Bucket=bucket, Key="k", IfUnmodifiedSince=written)
    with refused("412" if operation == "head_object" else "PreconditionFailed", 412):
        read(Bucket=bucket, Key="k", IfUnmodifiedSince=earlier)


def test_etags_take_precedence_over_dates(s3: Any, bucket: str, etag: str) -> None:
    earlier = datetime.now(UTC) - timedelta(hours=1)
    s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, IfUnmodifiedSince=earlier)
    with refused("304", 304):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag, IfModifiedSince=earlier)


def test_response_headers_can_be_overridden(s3: Any, bucket: str, etag: str) -> None:
    got = s3.get_object(
        Bucket=bucket,
        Key="k",
        ResponseCacheControl="no-cache",
        ResponseContentDisposition='attachment; filename="x"',
        ResponseContentEncoding="aaa",
        ResponseContentLanguage="eo",
        ResponseContentType="foo/bar",
        ResponseExpires=datetime(2030, 1, 2, tzinfo=UTC),
    )
    headers = got["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["cache-control"], headers["content-type"]) == ("no-cache", "foo/bar")
    assert (headers["content-encoding"], headers["content-language"]) == ("aaa", "eo")
    assert headers["content-disposition"] == 'attachment; filename="x"'
    assert headers["expires"] == "Wed, 02 Jan 2030 00:00:00 GMT"


def test_a_plain_object_is_its_own_first_part(s3: Any, bucket: str, etag: str) -> None:
    assert s3.get_object(Bucket=bucket, Key="k", PartNumber=1)["Body"].read() == CONTENT
    with refused("InvalidPart", 400):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=2)


def test_a_missing_key_is_refused_in_full(raw: Raw, bucket: str) -> None:
    reply = raw.request("GET", f"/{bucket}/no%20such%20key")
    assert (reply.status, reply.code) == (404, "NoSuchKey")
    assert reply.xml["Resource"].startswith(f"/{bucket}/no")
    assert reply.headers["x-amz-id-2"]
    assert raw.request("HEAD", f"/{bucket}/no%20such%20key").status == 404


def test_failed_conditions_are_answered_in_xml(raw: Raw, bucket: str, etag: str) -> None:
    failed = raw.request("GET", f"/{bucket}/k", {"If-Match": '"other"'})
    assert (failed.status, failed.code) == (412, "PreconditionFailed")
    unchanged = raw.request("GET", f"/{bucket}/k", {"If-None-Match": etag})
    assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", etag)


def test_a_large_object_is_read_whole_and_in_ranges(s3: Any, bucket: str) -> None:
    large = b"".join(hashlib.sha256(bytes([number % 251])).digest() * 2048 for number in range(128))
    s3.put_object(Bucket=bucket, Key="large", Body=large)
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == large
    for first, last in ((0, 65535), (65535, 65536), (1_000_000, 3_000_000), (len(large) - 1, len(large) - 1)):
        got = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={first}-{last}")["Body"].read()
        assert got == large[first : last + 1]


def test_aws_cli_reads(aws: Aws, s3: Any, bucket: str, etag: str, tmp_path: Path) -> None:
    target = tmp_path / "got"
    assert aws.api("get-object", "--bucket", bucket, "--key", "k", target)["ETag"] == etag
    assert target.read_bytes() == CONTENT
    part = aws.api("get-object", "--bucket", bucket, "--key", "k", "--range", "bytes=256-511", target)
    assert (part["ContentRange"], target.read_bytes()) == ("bytes 256-511/1024", CONTENT[256:512])
    assert aws.api("head-object", "--bucket", bucket, "--key", "k")["ContentLength"] == len(CONTENT)
    aws("s3", "cp", f"s3://{bucket}/k", target)
    assert target.read_bytes() == CONTENT
    assert "NoSuchKey" in aws.refused("s3api", "get-object", "--bucket", bucket, "--key", "none", target)
    unchanged = aws.refused("s3api", "get-object", "--bucket", bucket, "--key", "k", "--if-none-match", etag, target)
    assert "304" in unchanged
