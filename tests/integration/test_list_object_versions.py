"""ListObjectVersions: one row for every change of every key."""

from __future__ import annotations

from typing import Any

import pytest

from .awscli import Aws

Row = tuple[str, str, bool]


def rows(listing: dict[str, Any], kind: str) -> list[Row]:
    return [(row["Key"], row["VersionId"], row["IsLatest"]) for row in listing.get(kind, [])]


def put(s3: Any, bucket: str, key: str, body: bytes = b"v") -> str:
    version_id: str = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return version_id


def test_every_change_is_a_row_newest_first_within_a_key(s3: Any, bucket: str) -> None:
    b1 = put(s3, bucket, "b")
    a1 = put(s3, bucket, "a", b"one")
    a2 = put(s3, bucket, "a", b"longer")
    gone = s3.delete_object(Bucket=bucket, Key="b")["VersionId"]
    listing = s3.list_object_versions(Bucket=bucket)
    assert rows(listing, "Versions") == [("a", a2, True), ("a", a1, False), ("b", b1, False)]
    assert rows(listing, "DeleteMarkers") == [("b", gone, True)]
    assert [row["Size"] for row in listing["Versions"]] == [6, 3, 1]


def test_writing_the_same_content_again_is_a_change(s3: Any, bucket: str) -> None:
    first, second = put(s3, bucket, "k"), put(s3, bucket, "k")
    assert first != second
    assert [version for _, version, _ in rows(s3.list_object_versions(Bucket=bucket), "Versions")] == [second, first]


@pytest.mark.parametrize("page_size", [1, 2, 3, 4])
def test_pages_hold_every_row_once(s3: Any, bucket: str, page_size: int) -> None:
    for key in ("a", "b", "b", "c"):
        put(s3, bucket, key)
    s3.delete_object(Bucket=bucket, Key="b")
    whole = s3.list_object_versions(Bucket=bucket)
    pages = list(
        s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": page_size})
    )
    for kind in ("Versions", "DeleteMarkers"):
        assert [row for page in pages for row in rows(page, kind)] == rows(whole, kind)
    assert all(len(rows(page, "Versions") + rows(page, "DeleteMarkers")) <= page_size for page in pages)


def test_a_page_starts_behind_its_markers(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a")
    b1, b2 = put(s3, bucket, "b"), put(s3, bucket, "b")
    behind_key = s3.list_object_versions(Bucket=bucket, KeyMarker="a")
    assert rows(behind_key, "Versions") == [("b", b2, True), ("b", b1, False)]
    behind_row = s3.list_object_versions(Bucket=bucket, KeyMarker="b", VersionIdMarker=b2)
    assert rows(behind_row, "Versions") == [("b", b1, False)]


def test_prefix_and_delimiter_group_rows(s3: Any, bucket: str) -> None:
    for key in ("dir/a", "dir/a", "dir/sub/b", "top"):
        put(s3, bucket, key)
    top = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [key for key, _, _ in rows(top, "Versions")] == ["top"]
    assert top["CommonPrefixes"] == [{"Prefix": "dir/"}]
    within = s3.list_object_versions(Bucket=bucket, Prefix="dir/", Delimiter="/")
    assert [key for key, _, _ in rows(within, "Versions")] == ["dir/a", "dir/a"]
    assert within["CommonPrefixes"] == [{"Prefix": "dir/sub/"}]


def test_a_common_prefix_that_ends_a_page_is_not_repeated(s3: Any, bucket: str) -> None:
    for key in ("a/1", "a/2", "b/1", "b/2", "c"):
        put(s3, bucket, key)
    pages = list(
        s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
        )
    )
    found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    assert found == ["a/", "b/"]


def test_an_undeleted_key_is_live_again_and_its_history_stays(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    listing = s3.list_object_versions(Bucket=bucket)
    assert rows(listing, "DeleteMarkers") == [("k", marker, False)]
    assert [latest for _, _, latest in rows(listing, "Versions")] == [True, False]


def test_aws_cli_lists_versions(aws: Aws, s3: Any, bucket: str) -> None:
    first, second = put(s3, bucket, "k"), put(s3, bucket, "k")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    listing = aws.api("list-object-versions", "--bucket", bucket, "--page-size", "1")
    assert rows(listing, "Versions") == [("k", second, False), ("k", first, False)]
    assert rows(listing, "DeleteMarkers") == [("k", marker, True)]
