"""What the gateway does not offer says so: 501, never a silent success."""

from __future__ import annotations

from typing import Any

import pytest

from .awscli import Aws
from .raw import Raw

BUCKET_WRITES = [
    ("PUT", "accelerate"),
    ("PUT", "analytics&id=x"),
    ("PUT", "encryption"),
    ("PUT", "intelligent-tiering&id=x"),
    ("PUT", "inventory&id=x"),
    ("PUT", "lifecycle"),
    ("PUT", "logging"),
    ("PUT", "metrics&id=x"),
    ("PUT", "notification"),
    ("PUT", "object-lock"),
    ("PUT", "replication"),
    ("PUT", "requestPayment"),
    ("PUT", "website"),
]

OBJECT_WRITES = [
    ("PUT", "legal-hold"),
    ("PUT", "retention"),
    ("POST", "restore"),
    ("POST", "select&select-type=2"),
]


@pytest.mark.parametrize(("method", "query"), BUCKET_WRITES)
def test_settings_of_a_bucket_that_have_no_effect_are_refused(raw: Raw, bucket: str, method: str, query: str) -> None:
    reply = raw.request(method, f"/{bucket}?{query}", body=b"<Anything/>")
    assert (reply.status, reply.code) == (501, "NotImplemented")


@pytest.mark.parametrize(("method", "query"), OBJECT_WRITES)
def test_settings_of_an_object_that_have_no_effect_are_refused(
    raw: Raw, s3: Any, bucket: str, method: str, query: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"as it was")
    reply = raw.request(method, f"/{bucket}/k?{query}", body=b"<Anything/>")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"as it was"


def test_torrents_are_not_offered(raw: Raw, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    reply = raw.request("GET", f"/{bucket}/k?torrent")
    assert (reply.status, reply.code) == (501, "NotImplemented")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-server-side-encryption": "AES256"},
        {"x-amz-server-side-encryption": "aws:kms"},
        {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2030-01-01T00:00:00Z"},
        {"x-amz-object-lock-legal-hold": "ON"},
        {"x-amz-write-offset-bytes": "0"},
    ],
)
def test_a_put_that_asks_for_more_than_is_offered_is_refused(
    raw: Raw, s3: Any, bucket: str, headers: dict[str, str]
) -> None:
    reply = raw.request("PUT", f"/{bucket}/k", headers, b"v")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_aws_cli_is_told_so(aws: Aws, bucket: str) -> None:
    rules = '{"Rules":[{"ID":"x","Status":"Enabled","Filter":{"Prefix":""},"Expiration":{"Days":1}}]}'
    put = ["put-bucket-lifecycle-configuration", "--bucket", bucket, "--lifecycle-configuration", rules]
    assert "NotImplemented" in aws.refused("s3api", *put)
