"""DeleteObject and DeleteObjects: a delete is a commit, and history is not deleted."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .awscli import Aws
from .raw import Raw
from .refusals import refused


def put(s3: Any, bucket: str, *keys: str) -> list[str]:
    return [s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["VersionId"] for key in keys]


def live(s3: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_deleted_key_is_gone_behind_a_marker(s3: Any, bucket: str) -> None:
    (written,) = put(s3, bucket, "k")
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert (deleted["ResponseMetadata"]["HTTPStatusCode"], deleted["DeleteMarker"]) == (204, True)
    assert deleted["VersionId"] != written
    with refused("NoSuchKey", 404) as answer:
        s3.get_object(Bucket=bucket, Key="k")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with refused("404", 404) as answer:
        s3.head_object(Bucket=bucket, Key="k")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=written)["Body"].read() == b"k"


def test_every_delete_is_a_commit_even_of_what_is_not_there(s3: Any, bucket: str) -> None:
    markers = [s3.delete_object(Bucket=bucket, Key="never")["VersionId"] for _ in range(3)]
    listed = [marker["VersionId"] for marker in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]]
    assert listed == markers[::-1]
    assert len(set(markers)) == 3


def test_history_is_not_deleted(s3: Any, bucket: str) -> None:
    first, second = put(s3, bucket, "k", "k")
    for version_id in (first, second, "HEAD", "HEAD^"):
        with refused("MethodNotAllowed", 405):
            s3.delete_object(Bucket=bucket, Key="k", VersionId=version_id)
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    assert live(s3, bucket) == ["k"]


def test_deleting_the_current_marker_restores_the_key(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"k"
    with refused("MethodNotAllowed", 405):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)


def test_an_unknown_version_is_refused(s3: Any, bucket: str) -> None:
    """Whether as unknown or as history that stays, the design leaves open."""
    put(s3, bucket, "k")
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket=bucket, Key="k", VersionId="0" * 64)
    assert caught.value.response["Error"]["Code"] in {"NoSuchVersion", "MethodNotAllowed"}
    assert live(s3, bucket) == ["k"]


def test_many_keys_are_deleted_in_one_commit(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a", "b", "kept")
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("a", "b", "never")]})
    assert [entry["Key"] for entry in deleted["Deleted"]] == ["a", "b", "never"]
    assert all(entry["DeleteMarker"] for entry in deleted["Deleted"])
    assert len({entry["DeleteMarkerVersionId"] for entry in deleted["Deleted"]}) == 1
    assert live(s3, bucket) == ["kept"]


def test_a_thousand_keys_are_deleted_at_once_and_not_one_more(s3: Any, bucket: str) -> None:
    keys = [{"Key": f"key-{number}"} for number in range(1000)]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})["Deleted"]) == 1000
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [*keys, {"Key": "one more"}]})


def test_quiet_names_only_what_failed(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a", "b")
    (version_id,) = put(s3, bucket, "c")
    answer = s3.delete_objects(
        Bucket=bucket,
        Delete={"Quiet": True, "Objects": [{"Key": "a"}, {"Key": "c", "VersionId": version_id}, {"Key": "b"}]},
    )
    assert "Deleted" not in answer
    ((key, code),) = ((error["Key"], error["Code"]) for error in answer["Errors"])
    assert (key, code) == ("c", "MethodNotAllowed")
    assert live(s3, bucket) == ["c"]


def test_an_entry_can_name_the_etag_it_means(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a", "b")
    etag = s3.head_object(Bucket=bucket, Key="a")["ETag"]
    objects = [{"Key": "a", "ETag": etag}, {"Key": "b", "ETag": etag}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [error["Code"] for error in answer["Errors"]] == ["PreconditionFailed"]
    assert live(s3, bucket) == ["b"]


def test_odd_keys_are_deleted_too(s3: Any, bucket: str) -> None:
    odd = ["a+b", "a%2Fb", " ", "a//b", "<&>\"'", "ключ"]
    put(s3, bucket, *odd)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in odd]})
    assert [entry["Key"] for entry in answer["Deleted"]] == odd
    assert live(s3, bucket) == []


BODY = b"<Delete><Object><Key>k</Key></Object></Delete>"


@pytest.mark.parametrize(
    "body", [BODY, BODY.replace(b"<Delete>", b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">')]
)
def test_no_digest_is_demanded(raw: Raw, s3: Any, bucket: str, body: bytes) -> None:
    """aws-cli v1 sends none."""
    put(s3, bucket, "k")
    assert raw.request("POST", f"/{bucket}?delete", body=body).status == 200
    assert live(s3, bucket) == []


def test_a_digest_that_is_sent_is_verified(raw: Raw, s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    wrong = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    for headers in ({"Content-MD5": wrong}, {"x-amz-checksum-crc32": "AAAAAA=="}):
        reply = raw.request("POST", f"/{bucket}?delete", headers, BODY)
        assert (reply.status, reply.code) == (400, "BadDigest")
    assert live(s3, bucket) == ["k"]


def test_an_empty_list_is_malformed(raw: Raw, bucket: str) -> None:
    reply = raw.request("POST", f"/{bucket}?delete", body=b"<Delete></Delete>")
    assert (reply.status, reply.code) == (400, "MalformedXML")


def test_a_missing_bucket_has_nothing_to_delete(s3: Any, name: str) -> None:
    with refused("NoSuchBucket", 404):
        s3.delete_object(Bucket=name, Key="k")
    with refused("NoSuchBucket", 404):
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]})


def test_aws_cli_deletes(aws: Aws, s3: Any, bucket: str) -> None:
    put(s3, bucket, "a", "b", "dir/1", "dir/2", "dir/3")
    aws("s3", "rm", f"s3://{bucket}/a")
    marker = aws.api("delete-object", "--bucket", bucket, "--key", "b")
    assert marker["DeleteMarker"] is True
    aws("s3", "rm", "--recursive", f"s3://{bucket}/dir/")
    assert live(s3, bucket) == []
    aws.api("delete-object", "--bucket", bucket, "--key", "b", "--version-id", marker["VersionId"])
    assert live(s3, bucket) == ["b"]
    answer = aws.api("delete-objects", "--bucket", bucket, "--delete", "Objects=[{Key=b},{Key=none}]")
    assert [entry["Key"] for entry in answer["Deleted"]] == ["b", "none"]
