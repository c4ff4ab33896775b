"""Protected branches over REST and S3: what is no merge is refused, and early."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.client.connection import Connection, Refusal

from .raw import Raw
from .refusals import refused


@pytest.fixture
def protected(api: Connection, s3: Any, bucket: str) -> Iterator[str]:
    """A bucket that holds `old` and is protected; the pattern goes at the test's end."""
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")
    api.call("protect", repo=bucket, pattern="m*")
    yield bucket
    if [found.pattern for found in api.call("list_protections", repo=bucket).protections]:
        api.call("unprotect", repo=bucket, pattern="m*")


def test_protections_are_made_listed_and_lifted(api: Connection, bucket: str) -> None:
    made = api.call("protect", repo=bucket, pattern="release-*")
    assert (made.pattern, made.author) == ("release-*", "root")
    assert api.call("protect", repo=bucket, pattern="release-*") == made
    api.call("protect", repo=bucket, pattern="ma?n")
    assert [one.pattern for one in api.call("list_protections", repo=bucket).protections] == ["ma?n", "release-*"]
    api.call("unprotect", repo=bucket, pattern="ma?n")
    assert api.call("list_protections", repo=bucket).protections == [made]


def test_bad_questions_have_clear_answers(api: Connection, bucket: str, name: str) -> None:
    for call, fields, status, code in [
        ("unprotect", {"repo": bucket, "pattern": "main"}, 404, "NoSuchProtection"),
        ("protect", {"repo": bucket, "pattern": "[ab]"}, 400, "InvalidName"),
        ("protect", {"repo": bucket, "pattern": "a/b"}, 400, "InvalidName"),
        ("protect", {"repo": f"{name}x", "pattern": "*"}, 404, "NoSuchRepo"),
        ("list_protections", {"repo": f"{name}x"}, 404, "NoSuchRepo"),
    ]:
        with pytest.raises(Refusal) as refusal:
            api.call(call, **fields)
        assert (refusal.value.status, refusal.value.code) == (status, code)


def test_direct_writes_are_refused_naming_the_way(s3: Any, protected: str) -> None:
    with refused("AccessDenied", 403) as answer:
        s3.put_object(Bucket=protected, Key="k", Body=b"x")
    assert f"/-/api/v1/repos/{protected}/branches/main/merge" in answer["Error"]["Message"]
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=protected, Key="old")
    with refused("AccessDenied", 403):
        s3.delete_objects(Bucket=protected, Delete={"Objects": [{"Key": "old"}]})
    with refused("AccessDenied", 403):
        s3.copy_object(Bucket=protected, Key="k", CopySource=f"{protected}/old")
    with refused("AccessDenied", 403):
        s3.create_multipart_upload(Bucket=protected, Key="k")
    with refused("AccessDenied", 403):
        s3.delete_bucket(Bucket=protected)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=protected)["Contents"]] == ["old"]


def test_a_put_is_refused_before_its_body_is_sent(raw: Raw, protected: str) -> None:
    """The client announces 5 GiB and waits to be asked for them."""
    head, _ = raw.signed(
        "PUT", f"/{protected}/big", unsigned={"Content-Length": str(5 << 30), "Expect": "100-continue"}
    )
    with raw.connect() as connection:
        connection.send(head)
        assert connection.receive(12) == b"HTTP/1.1 403"


def test_an_upload_that_was_begun_before_is_neither_fed_nor_completed(api: Connection, s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "k"}
    which["UploadId"] = s3.create_multipart_upload(**which)["UploadId"]
    etag = s3.upload_part(**which, PartNumber=1, Body=b"x")["ETag"]
    api.call("protect", repo=bucket, pattern="main")
    with refused("AccessDenied", 403):
        s3.upload_part(**which, PartNumber=2, Body=os.urandom(100_000))
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    with refused("AccessDenied", 403):
        s3.complete_multipart_upload(**which, MultipartUpload=parts)
    api.call("unprotect", repo=bucket, pattern="main")
    version = s3.complete_multipart_upload(**which, MultipartUpload=parts)["VersionId"]
    api.call("protect", repo=bucket, pattern="main")
    assert s3.complete_multipart_upload(**which, MultipartUpload=parts)["VersionId"] == version
    which["UploadId"] = "0" * 32
    with refused("NoSuchUpload", 404):
        s3.abort_multipart_upload(**which)


def test_what_is_no_commit_is_taken(s3: Any, protected: str) -> None:
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3.put_object_tagging(Bucket=protected, Key="old", Tagging=tags)
    s3.put_bucket_tagging(Bucket=protected, Tagging=tags)
    s3.put_object_acl(Bucket=protected, Key="old", ACL="public-read")
    assert s3.get_object(Bucket=protected, Key="old")["Body"].read() == b"1"


def test_other_branches_take_writes(s3: Any, protected: str) -> None:
    s3.create_bucket(Bucket=f"dev.{protected}")
    s3.put_object(Bucket=f"dev.{protected}", Key="k", Body=b"x")
    s3.delete_bucket(Bucket=f"dev.{protected}")


def test_a_transaction_is_refused_at_its_beginning_and_at_its_end(api: Connection, s3: Any, bucket: str) -> None:
    begun = api.call("begin_transaction", repo=bucket, branch="main")
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"x")
    api.call("protect", repo=bucket, pattern="main")
    for call, fields in [("begin_transaction", {"branch": "main"}), ("commit_transaction", {"id": begun.id})]:
        with pytest.raises(Refusal) as refusal:
            api.call(call, repo=bucket, **fields)
        assert (refusal.value.status, refusal.value.code) == (403, "ProtectedBranch")
        assert refusal.value.details == {"branch": "main", "pattern": "main"}
    assert api.call("get_transaction", repo=bucket, id=begun.id).state == "open"
