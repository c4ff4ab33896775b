"""Sub-resources that no bucket has here, and S3's answers to whoever asks for them: one table.

What can not be set (PUT is refused with NotImplemented) can still be asked for and deleted, and many
tools do both: the answers are those of AWS for a bucket without the setting. To offer a setting, take
its row away and give it operations of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.s3 import errors
from gateway.s3 import operations as op
from gateway.s3.errors import S3Error
from gateway.s3.parse import bucket_name
from gateway.s3.request import Request
from gateway.s3.xml import document, element


@dataclass(frozen=True, slots=True)
class Absent:
    """A row: `get` and `delete` are S3's names of the operations, "" for one that S3 has not either.

    GET is refused with `error`, or answered with the empty `body` where there is one. DELETE has nothing
    to do. Reports are different: `body` lists none, but one that is named by its `id` can not be found.
    """

    resource: str
    get: str
    delete: str = ""
    error: Callable[[], S3Error] = errors.NoSuchConfiguration
    body: bytes = b""
    is_report: bool = False

    def parse(self, request: Request, body: bytes) -> op.AbsentInput:
        """What is to be answered, if only the bucket exists."""
        answer: bytes | S3Error = self.body or self.error()
        if request.method == "DELETE":
            answer = self.error() if self.is_report else b""
        elif self.is_report and request.param("id") is not None:
            answer = self.error()
        return op.AbsentInput(bucket_name(request), answer)


def _report(resource: str, name: str, listed_in: str) -> Absent:
    body = document(listed_in, element("IsTruncated", "false"))
    return Absent(resource, f"Get{name}", f"Delete{name}", body=body, is_report=True)


def _no_lock() -> S3Error:
    return errors.InvalidRequest("Bucket is missing Object Lock Configuration")


OF_BUCKETS = (
    Absent(
        "publicAccessBlock",
        "GetPublicAccessBlock",
        "DeletePublicAccessBlock",
        errors.NoSuchPublicAccessBlockConfiguration,
    ),
    Absent(
        "ownershipControls",
        "GetBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        errors.OwnershipControlsNotFoundError,
    ),
    Absent("object-lock", "GetObjectLockConfiguration", error=errors.ObjectLockConfigurationNotFoundError),
    Absent(
        "encryption",
        "GetBucketEncryption",
        "DeleteBucketEncryption",
        errors.ServerSideEncryptionConfigurationNotFoundError,
    ),
    Absent(
        "lifecycle",
        "GetBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        errors.NoSuchLifecycleConfiguration,
    ),
    Absent(
        "replication",
        "GetBucketReplication",
        "DeleteBucketReplication",
        errors.ReplicationConfigurationNotFoundError,
    ),
    Absent("website", "GetBucketWebsite", "DeleteBucketWebsite", errors.NoSuchWebsiteConfiguration),
    # what AWS answers with an empty configuration
    Absent("notification", "GetBucketNotificationConfiguration", body=document("NotificationConfiguration")),
    Absent("logging", "GetBucketLogging", body=document("BucketLoggingStatus")),
    Absent("accelerate", "GetBucketAccelerateConfiguration", body=document("AccelerateConfiguration")),
    Absent(
        "requestPayment",
        "GetBucketRequestPayment",
        body=document("RequestPaymentConfiguration", element("Payer", "BucketOwner")),
    ),
    _report("analytics", "BucketAnalyticsConfiguration", "ListBucketAnalyticsConfigurationResult"),
    _report(
        "intelligent-tiering",
        "BucketIntelligentTieringConfiguration",
        "ListBucketIntelligentTieringConfigurationsOutput",
    ),
    _report("inventory", "BucketInventoryConfiguration", "ListInventoryConfigurationsResult"),
    _report("metrics", "BucketMetricsConfiguration", "ListMetricsConfigurationsResult"),
)

OF_OBJECTS = (
    Absent("legal-hold", "GetObjectLegalHold", error=_no_lock),
    Absent("retention", "GetObjectRetention", error=_no_lock),
)
