"""Versioning cannot be turned off, and says so."""

from __future__ import annotations

from typing import Any

from .awscli import Aws
from .refusals import refused


def test_versioning_is_always_enabled(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_enabling_it_is_accepted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_suspending_it_is_refused(s3: Any, bucket: str) -> None:
    with refused("InvalidBucketState", 409):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_mfa_delete_is_not_implemented(s3: Any, bucket: str) -> None:
    with refused("NotImplemented", 501):
        s3.put_bucket_versioning(
            Bucket=bucket, MFA="serial 123456", VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"}
        )


def test_a_missing_bucket_has_no_versioning(s3: Any, name: str) -> None:
    with refused("NoSuchBucket", 404):
        s3.get_bucket_versioning(Bucket=name)
    with refused("NoSuchBucket", 404):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def test_aws_cli_reads_and_sets_versioning(aws: Aws, bucket: str) -> None:
    assert aws.api("get-bucket-versioning", "--bucket", bucket)["Status"] == "Enabled"
    put = ["put-bucket-versioning", "--bucket", bucket, "--versioning-configuration"]
    aws.api(*put, "Status=Enabled")
    assert "InvalidBucketState" in aws.refused("s3api", *put, "Status=Suspended")
