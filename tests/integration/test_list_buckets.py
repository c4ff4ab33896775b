"""ListBuckets: every branch, under the name that it was created with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from .awscli import Aws


def names(listing: dict[str, Any]) -> list[str]:
    return [bucket["Name"] for bucket in listing["Buckets"]]


def test_buckets_are_listed_under_the_name_they_were_created_with(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=f"{name}-plain")
    s3.create_bucket(Bucket=f"master.{name}-images")
    s3.create_bucket(Bucket=f"dev.{name}-plain")
    listed = set(names(s3.list_buckets()))
    assert {f"{name}-plain", f"master.{name}-images", f"dev.{name}-plain"} <= listed
    assert f"main.{name}-plain" not in listed, "one bucket, one name"


def test_a_bucket_is_listed_with_its_creation_date_and_owner(s3: Any, bucket: str) -> None:
    listing = s3.list_buckets(Prefix=bucket)
    (summary,) = (one for one in listing["Buckets"] if one["Name"] == bucket)
    assert abs(datetime.now(UTC) - summary["CreationDate"]) < timedelta(minutes=1)
    assert listing["Owner"]["ID"]


def test_prefix_selects_buckets(s3: Any, name: str) -> None:
    for suffix in ("a1", "a2", "b1"):
        s3.create_bucket(Bucket=f"{name}-{suffix}")
    listing = s3.list_buckets(Prefix=f"{name}-a")
    assert names(listing) == [f"{name}-a1", f"{name}-a2"]
    assert listing["Prefix"] == f"{name}-a"


def test_pages_of_buckets_follow_one_another_without_gap_or_repetition(s3: Any, name: str) -> None:
    created = [f"{name}-{number}" for number in range(5)]
    for one in created:
        s3.create_bucket(Bucket=one)
    page = s3.list_buckets(Prefix=f"{name}-", MaxBuckets=2)
    pages = [names(page)]
    while token := page.get("ContinuationToken"):
        page = s3.list_buckets(Prefix=f"{name}-", MaxBuckets=2, ContinuationToken=token)
        pages.append(names(page))
    assert pages == [created[:2], created[2:4], created[4:]]


def test_deleted_buckets_are_not_listed(s3: Any, bucket: str) -> None:
    s3.delete_bucket(Bucket=bucket)
    assert names(s3.list_buckets(Prefix=bucket)) == []


def test_aws_cli_lists_buckets(aws: Aws, bucket: str) -> None:
    assert bucket in aws("s3", "ls").split()
    assert names(aws.api("list-buckets", "--prefix", bucket)) == [bucket]
