"""Settings that no bucket has here: tools that ask for them get AWS's answers."""

from __future__ import annotations

from typing import Any

import pytest

from .awscli import Aws
from .raw import Raw
from .refusals import refused

MISSING = [
    ("get_bucket_policy", "NoSuchBucketPolicy"),
    ("get_bucket_policy_status", "NoSuchBucketPolicy"),
    ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
    ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
    ("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
]
EMPTY: list[tuple[str, dict[str, Any]]] = [
    ("get_bucket_notification_configuration", {}),
    ("get_bucket_logging", {}),
    ("get_bucket_accelerate_configuration", {}),
    ("get_bucket_request_payment", {"Payer": "BucketOwner"}),
    ("list_bucket_analytics_configurations", {"IsTruncated": False}),
    ("list_bucket_intelligent_tiering_configurations", {"IsTruncated": False}),
    ("list_bucket_inventory_configurations", {"IsTruncated": False}),
    ("list_bucket_metrics_configurations", {"IsTruncated": False}),
]
DELETED = [
    "delete_bucket_policy",
    "delete_bucket_lifecycle",
    "delete_bucket_website",
    "delete_bucket_encryption",
    "delete_bucket_replication",
    "delete_public_access_block",
    "delete_bucket_ownership_controls",
]
NAMED = ["analytics", "intelligent_tiering", "inventory", "metrics"]


@pytest.mark.parametrize(("call", "code"), MISSING)
def test_what_is_missing(s3: Any, bucket: str, call: str, code: str) -> None:
    with refused(code, 404):
        getattr(s3, call)(Bucket=bucket)


@pytest.mark.parametrize(("call", "settings"), EMPTY)
def test_what_is_empty(s3: Any, bucket: str, call: str, settings: dict[str, Any]) -> None:
    answer = getattr(s3, call)(Bucket=bucket)
    answer.pop("ResponseMetadata")
    assert answer == settings


@pytest.mark.parametrize("call", DELETED)
def test_what_can_be_deleted_all_the_same(s3: Any, bucket: str, call: str) -> None:
    assert getattr(s3, call)(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize("verb", ["get", "delete"])
@pytest.mark.parametrize("report", NAMED)
def test_reports_are_not_found_by_their_ids(s3: Any, bucket: str, verb: str, report: str) -> None:
    with refused("NoSuchConfiguration", 404):
        getattr(s3, f"{verb}_bucket_{report}_configuration")(Bucket=bucket, Id="daily")


@pytest.mark.parametrize("call", ["get_object_legal_hold", "get_object_retention"])
def test_locks_of_objects(s3: Any, bucket: str, call: str) -> None:
    with refused("InvalidRequest", 400) as answer:
        getattr(s3, call)(Bucket=bucket, Key="k")
    assert answer["Error"]["Message"] == "Bucket is missing Object Lock Configuration"


@pytest.mark.parametrize("call", [*(call for call, _ in MISSING), *(call for call, _ in EMPTY), *DELETED])
def test_a_missing_bucket_comes_first(s3: Any, name: str, call: str) -> None:
    with refused("NoSuchBucket", 404):
        getattr(s3, call)(Bucket=name)


@pytest.mark.parametrize("resource", ["publicAccessBlock", "ownershipControls"])
def test_what_cannot_be_set_is_refused(raw: Raw, bucket: str, resource: str) -> None:
    reply = raw.request("PUT", f"/{bucket}?{resource}", body=b"{}")
    assert (reply.status, reply.code) == (501, "NotImplemented")


def test_aws_cli_is_told_so(aws: Aws, bucket: str) -> None:
    assert "NoSuchBucketPolicy" in aws.refused("s3api", "get-bucket-policy", "--bucket", bucket)


# ---------------------------------------------------------------- request ids


@pytest.mark.parametrize(
    ("method", "target", "sign"),
    [
        ("GET", "/", True),
        ("GET", "/{bucket}", True),
        ("PUT", "/{bucket}/k", True),
        ("GET", "/{bucket}/absent", True),
        ("HEAD", "/{bucket}/absent", True),
        ("DELETE", "/{bucket}/k", True),
        ("OPTIONS", "/{bucket}", False),
        ("GET", "/{bucket}", False),
        ("PATCH", "/{bucket}", True),
        ("GET", "/%", True),
        ("GET", "/-/healthz", False),
        ("GET", "/-/nothing", False),
    ],
)
def test_every_answer_bears_its_ids(raw: Raw, bucket: str, method: str, target: str, sign: bool) -> None:
    target = target.format(bucket=bucket)
    first, second = (raw.request(method, target, sign=sign) for _ in range(2))
    assert len({first.headers["x-amz-request-id"], second.headers["x-amz-request-id"]}) == 2
    assert first.headers["x-amz-id-2"]
    if b"<Error>" in first.body:
        assert first.xml["RequestId"] == first.headers["x-amz-request-id"]
        assert first.xml["HostId"] == first.headers["x-amz-id-2"]


@pytest.mark.parametrize(
    "sent", [b"no request\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"]
)
def test_even_what_is_no_request_gets_ids(raw: Raw, sent: bytes) -> None:
    with raw.connect() as connection:
        connection.send_while_heard(sent)
        reply = connection.reply()
    assert reply.status == 400
    assert reply.code
    assert reply.xml["HostId"] == reply.headers["x-amz-id-2"]
