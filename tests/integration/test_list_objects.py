"""ListObjects and ListObjectsV2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from blake3 import blake3

from .awscli import Aws
from .raw import Raw
from .refusals import refused

BOTH = pytest.mark.parametrize("version", ["list_objects", "list_objects_v2"])


def fill(s3: Any, bucket: str, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def keys(listing: dict[str, Any]) -> list[str]:
    return [entry["Key"] for entry in listing.get("Contents", [])]


def prefixes(listing: dict[str, Any]) -> list[str]:
    return [entry["Prefix"] for entry in listing.get("CommonPrefixes", [])]


@BOTH
def test_keys_come_in_the_order_of_their_utf8_bytes(s3: Any, bucket: str, version: str) -> None:
    # U+FF5E sorts before U+1F600 in UTF-8 and after it in UTF-16.
    unsorted = ["z", "Z", "a/b", "a", "a b", "é", "\U0001f600", "\uff5e", "a+b", "a%2Fb", "a//b", "0"]
    fill(s3, bucket, *unsorted)
    assert keys(getattr(s3, version)(Bucket=bucket)) == sorted(unsorted, key=lambda key: key.encode())


@BOTH
def test_an_entry_says_size_etag_and_time(s3: Any, bucket: str, version: str) -> None:
    fill(s3, bucket, "some key")
    (entry,) = getattr(s3, version)(Bucket=bucket)["Contents"]
    assert entry["Size"] == len("some key")
    assert entry["ETag"] == f'"{blake3(b"some key").hexdigest()}-1"'
    assert abs(datetime.now(UTC) - entry["LastModified"]) < timedelta(minutes=1)
    assert entry["StorageClass"] == "STANDARD"


@BOTH
def test_only_the_live_state_is_listed(s3: Any, bucket: str, version: str) -> None:
    fill(s3, bucket, "deleted", "kept", "rewritten")
    s3.delete_object(Bucket=bucket, Key="deleted")
    s3.put_object(Bucket=bucket, Key="rewritten", Body=b"longer than before")
    listing = getattr(s3, version)(Bucket=bucket)
    assert [(entry["Key"], entry["Size"]) for entry in listing["Contents"]] == [("kept", 4), ("rewritten", 18)]


@BOTH
@pytest.mark.parametrize(
    ("prefix", "delimiter", "expected_keys", "expected_prefixes"),
    [
        ("", "/", ["top"], ["a/", "b/"]),
        ("a/", "/", ["a/", "a/1"], ["a/x/"]),
        ("a/x/", "/", ["a/x/1"], []),
        ("a", "", ["a/", "a/1", "a/x/1"], []),
        ("nothing", "/", [], []),
        ("", "x/", ["a/", "a/1", "b/--c", "b/--d", "top"], ["a/x/"]),
        ("b/", "--", [], ["b/--"]),
    ],
)
def test_delimiters_of_any_length_group_keys(
    s3: Any,
    name: str,
    version: str,
    prefix: str,
    delimiter: str,
    expected_keys: list[str],
    expected_prefixes: list[str],
) -> None:
    s3.create_bucket(Bucket=name)
    fill(s3, name, "a/", "a/1", "a/x/1", "b/--c", "b/--d", "top")
    listing = getattr(s3, version)(Bucket=name, Prefix=prefix, Delimiter=delimiter)
    assert (keys(listing), prefixes(listing)) == (expected_keys, expected_prefixes)


def test_empty_directories_show(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="empty/")
    assert keys(s3.list_objects_v2(Bucket=bucket)) == ["empty/"]
    assert prefixes(s3.list_objects_v2(Bucket=bucket, Delimiter="/")) == ["empty/"]


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_v2_pages_hold_every_key_and_prefix_once(s3: Any, bucket: str, page_size: int) -> None:
    fill(s3, bucket, "a/1", "a/2", "b", "c/1", "c/2", "d")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": page_size}
    )
    seen = [(keys(page), prefixes(page), page["KeyCount"]) for page in pages]
    assert [key for page, _, _ in seen for key in page] == ["b", "d"]
    assert [prefix for _, page, _ in seen for prefix in page] == ["a/", "c/"]
    assert all(len(page) + len(common) == count <= page_size for page, common, count in seen)


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_v1_pages_hold_every_key_and_prefix_once(s3: Any, bucket: str, page_size: int) -> None:
    fill(s3, bucket, "a/1", "a/2", "b", "c/1", "c/2", "d")
    pages = list(
        s3.get_paginator("list_objects").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": page_size}
        )
    )
    assert [key for page in pages for key in keys(page)] == ["b", "d"]
    assert [prefix for page in pages for prefix in prefixes(page)] == ["a/", "c/"]
    assert all("NextMarker" in page for page in pages[:-1])
    assert not pages[-1]["IsTruncated"]


def test_v1_names_the_next_marker_only_with_a_delimiter(s3: Any, bucket: str) -> None:
    fill(s3, bucket, "a", "b", "c")
    page = s3.list_objects(Bucket=bucket, MaxKeys=1)
    assert page["IsTruncated"]
    assert "NextMarker" not in page
    assert keys(s3.list_objects(Bucket=bucket, Marker="a")) == ["b", "c"]


def test_v2_starts_after_a_key_that_need_not_exist(s3: Any, bucket: str) -> None:
    fill(s3, bucket, "a", "b", "d")
    listing = s3.list_objects_v2(Bucket=bucket, StartAfter="c")
    assert keys(listing) == ["d"]
    assert listing["StartAfter"] == "c"


@BOTH
def test_no_keys_can_be_asked_for(s3: Any, bucket: str, version: str) -> None:
    fill(s3, bucket, "a")
    listing = getattr(s3, version)(Bucket=bucket, MaxKeys=0)
    assert keys(listing) == []
    assert not listing["IsTruncated"]


@pytest.mark.parametrize("query", ["max-keys=blah", "max-keys=-1", "list-type=2&max-keys=blah", "encoding-type=base64"])
def test_bad_arguments_are_refused(raw: Raw, bucket: str, query: str) -> None:
    reply = raw.request("GET", f"/{bucket}?{query}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_a_made_up_continuation_token_is_refused(s3: Any, bucket: str) -> None:
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="\x01 no token of ours")


def test_url_encoding_covers_keys_prefixes_and_what_is_echoed(s3: Any, raw: Raw, bucket: str) -> None:
    fill(s3, bucket, "a b+c/ü/1", "a b+c/\x01")
    query = "list-type=2&encoding-type=url&prefix=a%20b%2B&delimiter=%C3%BC"
    listing = raw.request("GET", f"/{bucket}?{query}").xml
    assert listing["EncodingType"] == "url"
    assert listing["Prefix"] == "a%20b%2B"
    assert listing["Delimiter"] == "%C3%BC"
    assert listing["Contents"]["Key"] == "a%20b%2Bc/%01"
    assert listing["CommonPrefixes"]["Prefix"] == "a%20b%2Bc/%C3%BC"
    assert raw.request("GET", f"/{bucket}?{query.removeprefix('list-type=2&')}").xml["Prefix"] == "a b+"


def test_v2_names_owners_only_when_asked_to(s3: Any, bucket: str) -> None:
    fill(s3, bucket, "a")
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    assert s3.list_objects(Bucket=bucket)["Contents"][0]["Owner"]["ID"]


def test_aws_cli_lists_keys(aws: Aws, s3: Any, bucket: str) -> None:
    fill(s3, bucket, "dir/1", "dir/2", "dir/3", "top")
    assert aws("s3", "ls", f"s3://{bucket}").split()[:2] == ["PRE", "dir/"]
    recursive = aws("s3", "ls", "--recursive", "--page-size", "2", f"s3://{bucket}")
    assert [line.split()[3] for line in recursive.splitlines()] == ["dir/1", "dir/2", "dir/3", "top"]
    assert keys(aws.api("list-objects-v2", "--bucket", bucket, "--start-after", "dir/2")) == ["dir/3", "top"]
    assert keys(aws.api("list-objects", "--bucket", bucket, "--prefix", "dir/", "--page-size", "1")) == [
        "dir/1",
        "dir/2",
        "dir/3",
    ]
