"""ACLs: given back as set, and true: who does not sign may do what they grant, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.forms import CONTENT_TYPE, form_body

from .raw import Raw
from .refusals import refused

ALL = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
KNOWN = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}
CANNED = pytest.mark.parametrize(
    ("acl", "grants"),
    [
        ("private", []),
        ("public-read", [(ALL, "READ")]),
        ("public-read-write", [(ALL, "READ"), (ALL, "WRITE")]),
        ("authenticated-read", [(KNOWN, "READ")]),
        ("bucket-owner-full-control", []),
    ],
)


def granted(answer: dict[str, Any]) -> list[tuple[dict[str, str], str]]:
    """The grants to others; the last one must be the owner's."""
    *others, owners = [(grant["Grantee"], grant["Permission"]) for grant in answer["Grants"]]
    assert owners == ({"Type": "CanonicalUser", **answer["Owner"]}, "FULL_CONTROL")
    return others


# ---------------------------------------------------------------- set and given back


@CANNED
def test_a_bucket_is_created_with_an_acl(s3: Any, name: str, acl: str, grants: list[Any]) -> None:
    s3.create_bucket(Bucket=name, ACL=acl)
    assert granted(s3.get_bucket_acl(Bucket=name)) == grants


@CANNED
def test_a_buckets_acl_is_changed(s3: Any, bucket: str, acl: str, grants: list[Any]) -> None:
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == []
    s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == grants
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == []


@CANNED
def test_an_object_is_put_with_an_acl(s3: Any, bucket: str, acl: str, grants: list[Any]) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ACL=acl)
    assert granted(s3.get_object_acl(Bucket=bucket, Key="k")) == grants


@CANNED
def test_an_objects_acl_is_changed_without_a_commit(s3: Any, bucket: str, acl: str, grants: list[Any]) -> None:
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["VersionId"]
    before = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    s3.put_object_acl(Bucket=bucket, Key="k", ACL=acl)
    assert granted(s3.get_object_acl(Bucket=bucket, Key="k")) == grants
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["VersionId"], head["LastModified"]) == (version, before)


def test_an_upload_has_the_acl_that_it_was_begun_with(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ACL="public-read")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"v")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    assert granted(s3.get_object_acl(Bucket=bucket, Key="k")) == [(ALL, "READ")]


def test_a_copy_has_an_acl_of_its_own(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ACL="public-read")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert granted(s3.get_object_acl(Bucket=bucket, Key="copy")) == []
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, ACL="authenticated-read")
    assert granted(s3.get_object_acl(Bucket=bucket, Key="copy")) == [(KNOWN, "READ")]


def test_each_version_has_an_acl_of_its_own(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert granted(s3.get_object_acl(Bucket=bucket, Key="k")) == []
    assert granted(s3.get_object_acl(Bucket=bucket, Key="k", VersionId="HEAD^")) == [(ALL, "READ")]
    s3.put_object_acl(Bucket=bucket, Key="k", VersionId=first, ACL="private")
    assert granted(s3.get_object_acl(Bucket=bucket, Key="k", VersionId=first)) == []


def test_a_document_is_given_back_as_it_was_got(s3: Any, bucket: str) -> None:
    """As s3cmd does after a copy."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="other", Body=b"v")
    answer = s3.get_object_acl(Bucket=bucket, Key="k")
    policy = {"Owner": answer["Owner"], "Grants": answer["Grants"]}
    s3.put_object_acl(Bucket=bucket, Key="other", AccessControlPolicy=policy)
    assert granted(s3.get_object_acl(Bucket=bucket, Key="other")) == [(ALL, "READ")]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=policy)
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == [(ALL, "READ")]


def test_what_is_not_offered_is_refused(s3: Any, bucket: str) -> None:
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    grants = [
        {"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"},
        {"Grantee": {"Type": "CanonicalUser", "ID": "somebody"}, "Permission": "READ"},
    ]
    with refused("NotImplemented", 501):
        s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": owner, "Grants": grants})
    with refused("NotImplemented", 501):
        s3.put_bucket_acl(Bucket=bucket, GrantRead="id=somebody")
    with refused("NotImplemented", 501):
        s3.put_bucket_acl(Bucket=bucket, ACL="log-delivery-write")
    with refused("InvalidArgument", 400):
        s3.put_bucket_acl(Bucket=bucket, ACL="public-ready")
    with refused("AccessDenied", 403):
        s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": {"ID": "x"}, "Grants": grants[:1]})
    assert granted(s3.get_bucket_acl(Bucket=bucket)) == []


def test_what_does_not_exist_has_no_acl(s3: Any, bucket: str, name: str) -> None:
    with refused("NoSuchKey", 404):
        s3.get_object_acl(Bucket=bucket, Key="k")
    with refused("NoSuchKey", 404):
        s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    with refused("NoSuchBucket", 404):
        s3.get_bucket_acl(Bucket=name + "-none")
    with refused("NoSuchBucket", 404):
        s3.put_bucket_acl(Bucket=name + "-none", ACL="private")


def test_a_snapshots_acl_is_read_only(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ACL="public-read")
    snapshot = f"head-0.main.{bucket}"
    assert granted(s3.get_object_acl(Bucket=snapshot, Key="k")) == [(ALL, "READ")]
    with refused("AccessDenied", 403):
        s3.put_object_acl(Bucket=snapshot, Key="k", ACL="private")


# ---------------------------------------------------------------- who does not sign


def status(raw: Raw, method: str, target: str, body: bytes = b"") -> int:
    return raw.request(method, target, body=body, sign=False).status


def test_reading_is_by_the_objects_own_acl(s3: Any, raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="public", Body=b"v", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="known", Body=b"v", ACL="authenticated-read")
    s3.put_object(Bucket=bucket, Key="private", Body=b"v")
    for method in ("GET", "HEAD"):
        assert status(raw, method, f"/{bucket}/public") == 200
        assert status(raw, method, f"/{bucket}/known") == 403
        assert status(raw, method, f"/{bucket}/private") == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert status(raw, "GET", f"/{bucket}/private") == 403
    s3.put_object_acl(Bucket=bucket, Key="public", ACL="private")
    assert status(raw, "GET", f"/{bucket}/public") == 403


def test_listing_is_by_the_buckets_acl(s3: Any, raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    lists = [f"/{bucket}", f"/{bucket}?list-type=2", f"/{bucket}?versions", f"/{bucket}?bucket=b&key=k"]
    assert [status(raw, "GET", target) for target in lists] == [403] * 4
    assert status(raw, "HEAD", f"/{bucket}") == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert [status(raw, "GET", target) for target in lists] == [200] * 4
    assert status(raw, "HEAD", f"/{bucket}") == 200
    assert status(raw, "PUT", f"/{bucket}/new", b"v") == 403


def test_writing_is_by_the_buckets_acl(s3: Any, raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ACL="public-read-write")
    assert status(raw, "PUT", f"/{bucket}/k", b"w") == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert status(raw, "PUT", f"/{bucket}/k", b"w") == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"w"
    assert status(raw, "DELETE", f"/{bucket}/k") == 204
    form = form_body({"key": "formed", "acl": "public-read"}, b"f")
    reply = raw.request("POST", f"/{bucket}", {"Content-Type": CONTENT_TYPE}, form, sign=False)
    assert reply.status == 204
    assert raw.request("GET", f"/{bucket}/formed", sign=False).body == b"f"


def test_what_is_not_granted_by_acls_is_refused_even_where_all_may_write(s3: Any, raw: Raw, name: str) -> None:
    s3.create_bucket(Bucket=name, ACL="public-read-write")
    deleted = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    for method, target in (
        ("GET", "/"),
        ("PUT", f"/{name}-new"),
        ("DELETE", f"/{name}"),
        ("GET", f"/{name}?acl"),
        ("PUT", f"/{name}?acl"),
        ("GET", f"/{name}?cors"),
        ("GET", f"/{name}?location"),
        ("POST", f"/{name}/k?uploads"),
        ("DELETE", f"/{name}/k?versionId={deleted}"),
    ):
        reply = raw.request(method, target, sign=False)
        assert (reply.status, reply.code) == (403, "AccessDenied"), (method, target)


def test_who_may_not_list_learns_nothing_of_what_is_there(s3: Any, raw: Raw, bucket: str) -> None:
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["VersionId"]
    queries = ["", "?versionId=HEAD", f"?versionId={version[:4]}", "?versionId=0123456789", "?versionId=HEAD~9"]
    targets = [f"/{bucket}/{key}{query}" for key in ("k", "absent") for query in queries]
    assert {status(raw, "GET", target) for target in targets} == {403}
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert status(raw, "GET", f"/{bucket}/absent") == 404


def test_a_missing_bucket_comes_first(raw: Raw, name: str) -> None:
    for method, target in (("GET", f"/{name}"), ("GET", f"/{name}/k"), ("DELETE", f"/{name}/k"), ("PUT", f"/{name}/k")):
        assert raw.request(method, target, sign=False).code == "NoSuchBucket"


def test_a_refused_body_is_not_asked_for(raw: Raw, bucket: str) -> None:
    headers = {"Content-Length": "5", "Expect": "100-continue"}
    with raw.connect() as connection:
        connection.send(raw.head("PUT", f"/{bucket}/k", headers))
        assert connection.receive().startswith(b"HTTP/1.1 403 ")
