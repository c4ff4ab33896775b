"""CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation: a bucket is a branch of a repo."""

from __future__ import annotations

from typing import Any

import pytest

from .awscli import Aws
from .raw import Raw
from .refusals import refused
from .server import REGION


def test_a_created_bucket_is_there_and_empty(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == REGION
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 0


def test_creating_a_bucket_twice_is_refused(s3: Any, bucket: str) -> None:
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=bucket)
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=f"main.{bucket}")


def test_both_spellings_reach_the_default_branch(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert s3.get_object(Bucket=f"main.{bucket}", Key="k")["Body"].read() == b"v"


def test_the_first_branch_of_a_repo_is_its_default(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=f"master.{name}")
    s3.put_object(Bucket=f"master.{name}", Key="k", Body=b"v")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"v"


def test_branches_of_a_repo_are_written_independently(s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=f"dev.{bucket}")
    s3.put_object(Bucket=f"dev.{bucket}", Key="only-here", Body=b"dev")
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="only-here")


@pytest.mark.parametrize(
    "bad",
    [
        "a",
        "aa",
        "x" * 64,
        "192.168.5.123",
        "_x",
        "foo_bar",
        "foo-",
        "-foo",
        "..",
        ".-",
        "Foo",
        "a..b",
        "main.",
        "%20x%20",
    ],
)
def test_bad_bucket_names_are_refused(raw: Raw, bad: str) -> None:
    reply = raw.request("PUT", f"/{bad}")
    assert (reply.status, reply.code) == (400, "InvalidBucketName")


def test_a_name_of_63_characters_is_fine(s3: Any, name: str) -> None:
    longest = name + "x" * (63 - len(name))
    s3.create_bucket(Bucket=longest)
    s3.head_bucket(Bucket=longest)


@pytest.mark.parametrize("body", [b"<CreateBucketConfiguration>", b"not xml", b"<Other/>"])
def test_a_malformed_configuration_is_refused(raw: Raw, name: str, body: bytes) -> None:
    assert raw.request("PUT", f"/{name}", body=body).code == "MalformedXML"
    assert raw.request("HEAD", f"/{name}").status == 404


def test_the_location_is_the_configured_region(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION


def test_another_location_is_refused(raw: Raw, name: str) -> None:
    body = (
        b"<CreateBucketConfiguration><LocationConstraint>mars-north-1</LocationConstraint></CreateBucketConfiguration>"
    )
    reply = raw.request("PUT", f"/{name}", body=body)
    assert (reply.status, reply.code) in {
        (400, "InvalidLocationConstraint"),
        (400, "IllegalLocationConstraintException"),
    }
    assert raw.request("HEAD", f"/{name}").status == 404


def test_a_missing_bucket_is_no_such_bucket(s3: Any, name: str) -> None:
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", 404):
        s3.get_bucket_location(Bucket=name)
    with refused("NoSuchBucket", 404):
        s3.delete_bucket(Bucket=name)
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket=name, Key="k", Body=b"v")
    with refused("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket=name)


def test_a_bucket_is_deleted_with_its_keys_its_history_and_its_uploads(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    s3.create_multipart_upload(Bucket=bucket, Key="pending")
    assert s3.delete_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket=bucket, Key="k")
    s3.create_bucket(Bucket=bucket)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket), "the new bucket starts without a history"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_the_last_branch_takes_its_repo_along(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=f"one.{name}")
    s3.create_bucket(Bucket=f"two.{name}")
    s3.delete_bucket(Bucket=f"two.{name}")
    s3.head_bucket(Bucket=f"one.{name}")
    s3.delete_bucket(Bucket=f"one.{name}")
    s3.create_bucket(Bucket=f"three.{name}")
    s3.put_object(Bucket=f"three.{name}", Key="k", Body=b"v")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"v", "a new repo, whose first branch is `three`"


def test_aws_cli_makes_and_removes_buckets(aws: Aws, s3: Any, name: str) -> None:
    aws("s3", "mb", f"s3://{name}")
    assert aws.api("get-bucket-location", "--bucket", name) == {"LocationConstraint": REGION}
    aws.api("head-bucket", "--bucket", name)
    assert "BucketAlreadyOwnedByYou" in aws.refused("s3api", "create-bucket", "--bucket", name)
    s3.put_object(Bucket=name, Key="k", Body=b"v")
    aws("s3", "rb", "--force", f"s3://{name}")
    assert "404" in aws.refused("s3api", "head-bucket", "--bucket", name)
    aws.api("create-bucket", "--bucket", name)
    aws.api("delete-bucket", "--bucket", name)
