"""CopyObject: from any revision, by reference."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from .awscli import Aws
from .raw import Raw
from .refusals import refused
from .server import Server


@pytest.fixture
def source(s3: Any, bucket: str) -> dict[str, str]:
    """The key `source`: content `old`, then `new` with headers."""
    s3.put_object(Bucket=bucket, Key="source", Body=b"old")
    s3.put_object(Bucket=bucket, Key="source", Body=b"new", Metadata={"colour": "blue"}, ContentType="a/b")
    return {"Bucket": bucket, "Key": "source"}


def test_a_copy_has_content_and_headers_of_its_source(s3: Any, bucket: str, source: dict[str, str]) -> None:
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    got = s3.get_object(Bucket=bucket, Key="copy")
    assert got["Body"].read() == b"new"
    assert (got["Metadata"], got["ContentType"]) == ({"colour": "blue"}, "a/b")
    original = s3.head_object(**source)
    assert got["ETag"] == copied["CopyObjectResult"]["ETag"] == original["ETag"]
    assert got["VersionId"] == copied["VersionId"] != original["VersionId"]
    assert copied["CopySourceVersionId"] == original["VersionId"]


def test_headers_can_be_replaced(s3: Any, bucket: str, source: dict[str, str]) -> None:
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"new": "1"},
        ContentType="c/d",
    )
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["Metadata"], head["ContentType"]) == ({"new": "1"}, "c/d")


def test_onto_itself_only_to_replace_headers(s3: Any, bucket: str, source: dict[str, str]) -> None:
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="source", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="source", CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "1"})
    got = s3.get_object(**source)
    assert (got["Body"].read(), got["Metadata"]) == (b"new", {"new": "1"})


@pytest.mark.parametrize("revision", ["HEAD^", "HEAD~1", "HEAD%5E", "main^"])
def test_an_earlier_state_can_be_restored(
    raw: Raw, s3: Any, bucket: str, source: dict[str, str], revision: str
) -> None:
    headers = {"x-amz-copy-source": f"/{bucket}/source?versionId={revision}"}
    assert raw.request("PUT", f"/{bucket}/source", headers).status == 200
    assert s3.get_object(**source)["Body"].read() == b"old"


def test_boto3_copies_from_a_revision(s3: Any, bucket: str, source: dict[str, str]) -> None:
    s3.copy_object(Bucket=bucket, Key="restored", CopySource={**source, "VersionId": "HEAD^"})
    assert s3.get_object(Bucket=bucket, Key="restored")["Body"].read() == b"old"


def test_a_snapshot_bucket_can_be_the_source(s3: Any, bucket: str, source: dict[str, str]) -> None:
    s3.copy_object(Bucket=bucket, Key="restored", CopySource={"Bucket": f"head-1.main.{bucket}", "Key": "source"})
    assert s3.get_object(Bucket=bucket, Key="restored")["Body"].read() == b"old"


def test_between_buckets(s3: Any, bucket: str, source: dict[str, str]) -> None:
    s3.create_bucket(Bucket=f"{bucket}-other")
    s3.copy_object(Bucket=f"{bucket}-other", Key="copy", CopySource=source)
    assert s3.get_object(Bucket=f"{bucket}-other", Key="copy")["Body"].read() == b"new"
    s3.delete_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=f"{bucket}-other", Key="copy")["Body"].read() == b"new"


def test_conditions_on_the_source_fail_with_412(s3: Any, bucket: str, source: dict[str, str]) -> None:
    original = s3.head_object(**source)
    etag, written = original["ETag"], original["LastModified"]
    target = {"Bucket": bucket, "Key": "copy", "CopySource": source}
    failing: list[dict[str, Any]] = [
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfModifiedSince": written},
        {"CopySourceIfUnmodifiedSince": written - timedelta(hours=1)},
    ]
    for condition in failing:
        with refused("PreconditionFailed", 412):
            s3.copy_object(**target, **condition)
    s3.copy_object(**target, CopySourceIfMatch=etag, CopySourceIfNoneMatch='"other"')


def test_a_missing_source_is_refused(s3: Any, bucket: str, name: str) -> None:
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "none"})
    with refused("NoSuchBucket", 404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": f"{name}-none", "Key": "k"})


@pytest.mark.parametrize("value", ["", "no-slash", "/"])
def test_what_names_no_source_is_refused(raw: Raw, bucket: str, value: str) -> None:
    reply = raw.request("PUT", f"/{bucket}/copy", {"x-amz-copy-source": value})
    assert (reply.status, reply.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("key", ["a+b c", "a%2Fb", "a?versionId=b", "ключ", "a//../b"])
def test_the_source_is_decoded_exactly_once(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"odd")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"odd"


def test_no_bytes_move(gateway: Server, s3: Any, bucket: str) -> None:
    large = os.urandom(8 << 20)
    s3.put_object(Bucket=bucket, Key="large", Body=large)
    before = gateway.files("blobs")
    for number in range(3):
        s3.copy_object(Bucket=bucket, Key=f"copy-{number}", CopySource={"Bucket": bucket, "Key": "large"})
    assert gateway.files("blobs") <= before
    assert s3.get_object(Bucket=bucket, Key="copy-2")["Body"].read() == large


def test_aws_cli_copies_and_moves(aws: Aws, s3: Any, bucket: str, source: dict[str, str], tmp_path: Path) -> None:
    aws("s3", "cp", f"s3://{bucket}/source", f"s3://{bucket}/copy")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"new"
    aws("s3", "mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
    assert aws("s3", "ls", f"s3://{bucket}").split()[3::4] == ["moved", "source"]
    version_id = s3.list_object_versions(Bucket=bucket, Prefix="source")["Versions"][-1]["VersionId"]
    aws.api(
        "copy-object", "--bucket", bucket, "--key", "source", "--copy-source", f"{bucket}/source?versionId={version_id}"
    )
    assert s3.get_object(**source)["Body"].read() == b"old"
    aws.api("copy-object", "--bucket", bucket, "--key", "source", "--copy-source", f"{bucket}/source?versionId=HEAD^")
    assert s3.get_object(**source)["Body"].read() == b"new"
