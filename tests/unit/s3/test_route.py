from __future__ import annotations

import pytest

from gateway.s3.errors import InvalidArgument, MethodNotAllowed, NotImplemented, S3Error
from gateway.s3.route import ABSENT, OPERATIONS, Body, route
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import service_model

# Where botocore's model does not say what tells two operations of one method and path apart.
COPY = {"x-amz-copy-source": "/src/key"}
TARGETS = {
    "AbortMultipartUpload": "/b/k?uploadId=u",
    "CompleteMultipartUpload": "/b/k?uploadId=u",
    "ListParts": "/b/k?uploadId=u",
    "UploadPart": "/b/k?partNumber=1&uploadId=u",
    "UploadPartCopy": "/b/k?partNumber=1&uploadId=u",
}
# Two names for one request: S3's older and newer name, or one configuration and the list of them.
ALIASES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListBucketAnalyticsConfigurations": "GetBucketAnalyticsConfiguration",
    "ListBucketIntelligentTieringConfigurations": "GetBucketIntelligentTieringConfiguration",
    "ListBucketInventoryConfigurations": "GetBucketInventoryConfiguration",
    "ListBucketMetricsConfigurations": "GetBucketMetricsConfiguration",
    "ListObjectAnnotations": "GetObjectAnnotation",
    "ListDirectoryBuckets": "ListBuckets",
    "WriteGetObjectResponse": "PostObject",  # on a host name of its own
}
OFFERED = {
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteBucketCors",
    "DeleteBucketTagging",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetBucketAcl",
    "GetBucketCors",
    "GetBucketLocation",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjectVersions",
    "GetBucketPolicy",
    "PutBucketPolicy",
    "DeleteBucketPolicy",
    "GetBucketPolicyStatus",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PostObject",
    "PreflightRequest",
    "PutBucketAcl",
    "PutBucketCors",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutObject",
    "PutObjectAcl",
    "PutObjectExtract",
    "PutObjectTagging",
    "UploadPart",
    "UploadPartCopy",
}


def routed(method: str, target: str, headers: dict[str, str] | None = None) -> str:
    """The name of the operation that a request is for, offered or refused as not implemented."""
    try:
        return route(ask(method, target, headers)).name
    except NotImplemented as error:
        return error.fields["Operation"]


@pytest.mark.parametrize("name", service_model().operation_names)
def test_every_operation_of_s3_is_recognised(name: str) -> None:
    http = service_model().operation_model(name).http
    target = TARGETS.get(name) or http["requestUri"].replace("{Bucket}", "b").replace("{Key+}", "k")
    headers = COPY if name in ("CopyObject", "UploadPartCopy") else None
    assert routed(http["method"], target, headers) == ALIASES.get(name, name)


def test_exactly_these_operations_are_offered() -> None:
    assert set(OPERATIONS) - ABSENT == OFFERED
    assert not ABSENT & OFFERED
    assert all(operation.name == name for name, operation in OPERATIONS.items())


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("GET", "/", "ListBuckets"),
        ("GET", "/?x-id=ListBuckets&prefix=a", "ListBuckets"),
        ("GET", "/b/?prefix=acl", "ListObjects"),
        ("GET", "/b?bucket=b&key=k&etag=e", "ListObjects"),
        ("GET", "/b/?versions&prefix=a", "ListObjectVersions"),
        ("GET", "/b/k?versionId=HEAD%5E&partNumber=1", "GetObject"),
        ("GET", "/b/k?X-Amz-Signature=1&x-id=GetObject", "GetObject"),
        ("GET", "/b/acl", "GetObject"),
        ("GET", "/b/%3Facl", "GetObject"),
        ("PUT", "/b/k?x-id=PutObject", "PutObject"),
        ("GET", "/b/k?acl=&versionId=x", "GetObjectAcl"),
        ("OPTIONS", "/b/k", "PreflightRequest"),
        ("POST", "/b", "PostObject"),
    ],
)
def test_only_sub_resources_select(method: str, target: str, name: str) -> None:
    assert routed(method, target) == name


@pytest.mark.parametrize("source", ["/src/key", ""])
def test_a_copy_source_makes_a_put_a_copy(source: str) -> None:
    assert routed("PUT", "/b/k", {"x-amz-copy-source": source}) == "CopyObject"
    assert routed("PUT", "/b/k?acl", {"x-amz-copy-source": source}) == "PutObjectAcl"
    assert routed("GET", "/b/k", {"x-amz-copy-source": source}) == "GetObject"


@pytest.mark.parametrize(
    ("value", "name"), [("true", "PutObjectExtract"), ("TRUE", "PutObjectExtract"), ("no", "PutObject")]
)
def test_an_archive_to_be_extracted_makes_a_put_a_batch(value: str, name: str) -> None:
    headers = {"x-amz-meta-snowball-auto-extract": value}
    assert routed("PUT", "/b/k", headers) == name
    assert routed("PUT", "/b/k?uploadId=u&partNumber=1", headers) == "UploadPart"
    assert routed("PUT", "/b/k?tagging", headers) == "PutObjectTagging"
    assert routed("PUT", "/b", headers) == "CreateBucket"
    assert routed("PUT", "/b/k", {**headers, **COPY}) == "CopyObject"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/"),
        ("HEAD", "/"),
        ("PUT", "/?acl"),
        ("GET", "/?versions"),
        ("PATCH", "/b/k"),
        ("BREW", "/b"),
        ("get", "/b"),
        ("DELETE", "/b?acl"),
        ("PUT", "/b/k?cors"),
        ("PUT", "/b/k?versioning"),
        ("GET", "/b/k?uploads"),
        ("GET", "/b?uploadId=u"),
        ("HEAD", "/b/k?tagging"),
        ("DELETE", "/b?versions"),
        ("POST", "/b/k"),
    ],
)
def test_what_s3_has_not_is_not_allowed(method: str, target: str) -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        route(ask(method, target))
    assert method not in raised.value.headers["Allow"].split(", ")


def test_a_refused_method_is_told_which_are_allowed() -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        route(ask("DELETE", "/b?acl"))
    assert raised.value.headers == {"Allow": "GET, PUT"}


def test_a_refused_operation_is_named() -> None:
    with pytest.raises(NotImplemented, match="PutBucketLifecycleConfiguration"):
        route(ask("PUT", "/b?lifecycle"))


@pytest.mark.parametrize("target", ["/b", "/b?versions", "/b/k?partNumber=1&uploadId=u", "/b/k?acl&tagging"])
def test_a_preflight_is_one_whatever_is_to_follow(target: str) -> None:
    assert route(ask("OPTIONS", target)).name == "PreflightRequest"


def test_two_sub_resources_at_once_conflict() -> None:
    with pytest.raises(InvalidArgument, match="acl, policy"):
        route(ask("GET", "/b?policy&acl"))


@pytest.mark.parametrize("level", ["/", "/b", "/b/k"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("resource", ["abac", "annotation", "session", "select", "restore", "torrent", "renameObject"])
def test_no_sub_resource_that_is_not_offered_ever_succeeds(method: str, level: str, resource: str) -> None:
    with pytest.raises(S3Error):
        route(ask(method, f"{level}?{resource}"))


def test_bodies() -> None:
    assert {name for name, operation in OPERATIONS.items() if operation.body is Body.STREAM} == {
        "PutObject",
        "PutObjectExtract",
        "UploadPart",
    }
    assert {name for name, operation in OPERATIONS.items() if operation.body is Body.FORM} == {"PostObject"}
    assert {name: operation.max_body for name, operation in OPERATIONS.items() if operation.body is Body.XML} == {
        "CreateBucket": 1 << 20,
        "PutBucketAcl": 1 << 16,
        "PutBucketCors": 1 << 16,
        "PutBucketPolicy": 20 << 10,
        "PutObjectAcl": 1 << 16,
        "PutBucketTagging": 1 << 20,
        "PutBucketVersioning": 1 << 20,
        "PutObjectTagging": 1 << 20,
        "DeleteObjects": 4 << 20,
        "CompleteMultipartUpload": 4 << 20,
    }
