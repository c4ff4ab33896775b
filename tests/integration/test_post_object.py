"""Form uploads: boto3 signs the policies, the forms are sent as a browser would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

import pytest

from tests.forms import CONTENT_TYPE, form_body, policy_text

from .raw import Raw, Reply
from .server import ACCESS_KEY, SECRET_KEY, Server, until

BOTH = pytest.mark.parametrize("signature", ["s3v4", "s3"], ids=["SigV4", "SigV2"])
LARGE = os.urandom(5 << 20)


def post(raw: Raw, bucket: str, fields: Mapping[str, str], content: bytes | None = b"v", **form: Any) -> Reply:
    body = form_body(fields, content, **form)
    return raw.request("POST", f"/{bucket}", {"Content-Type": CONTENT_TYPE}, body, sign=False)


def signed(policy: str, **fields: str) -> dict[str, str]:
    """The fields with a policy, signed the short old way."""
    signature = base64.b64encode(hmac.digest(SECRET_KEY.encode(), policy.encode(), "sha1")).decode()
    return {**fields, "AWSAccessKeyId": ACCESS_KEY, "policy": policy, "signature": signature}


def allowed(bucket: str, *conditions: Any, **fields: str) -> dict[str, str]:
    """A form for the key `k`, signed, whose policy allows it and what the conditions add."""
    policy = policy_text({"bucket": bucket}, ["eq", "$key", "k"], *conditions)
    return signed(policy, key="k", **fields)


@BOTH
def test_a_form_that_boto3_signed(gateway: Server, raw: Raw, s3: Any, bucket: str, signature: str) -> None:
    form = gateway.client(signature=signature).generate_presigned_post(
        bucket,
        "in/${filename}",
        Fields={"acl": "private", "Content-Type": "text/html", "x-amz-meta-colour": "blue"},
        Conditions=[
            {"acl": "private"},
            ["starts-with", "$Content-Type", "text/"],
            ["starts-with", "$x-amz-meta-colour", ""],
            ["content-length-range", 1, 100],
        ],
    )
    assert form["url"].rstrip("/") == f"{gateway.url}/{bucket}"
    reply = post(raw, bucket, form["fields"], b"<p>", file_name="a b.html")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["location"] == f"{gateway.url}/{bucket}/in/a%20b.html"
    found = s3.get_object(Bucket=bucket, Key="in/a b.html")
    assert found["Body"].read() == b"<p>"
    assert (found["ContentType"], found["Metadata"]) == ("text/html", {"colour": "blue"})
    assert (found["ETag"], found["VersionId"]) == (reply.headers["etag"], reply.headers["x-amz-version-id"])


def test_a_large_file_is_streamed(raw: Raw, s3: Any, bucket: str) -> None:
    assert post(raw, bucket, allowed(bucket), LARGE).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == LARGE


def test_a_form_may_arrive_in_pieces(raw: Raw, s3: Any, bucket: str) -> None:
    body = form_body(allowed(bucket), b"0123456789" * 20)
    head = raw.head("POST", f"/{bucket}", {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))})
    with raw.connect() as connection:
        connection.send(head)
        for at in range(0, len(body), 97):
            connection.send(body[at : at + 97])
        assert connection.reply("POST").status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"0123456789" * 20


def test_a_form_may_be_chunked_and_wait_to_be_asked(raw: Raw, s3: Any, bucket: str) -> None:
    body = form_body(allowed(bucket), b"v")
    headers = {"Content-Type": CONTENT_TYPE, "Transfer-Encoding": "chunked", "Expect": "100-continue"}
    with raw.connect() as connection:
        connection.send(raw.head("POST", f"/{bucket}", headers))
        assert connection.receive().startswith(b"HTTP/1.1 100 ")
        connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert connection.reply("POST").status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"


def test_what_follows_the_file_is_ignored(raw: Raw, s3: Any, bucket: str) -> None:
    assert post(raw, bucket, allowed(bucket), b"v", after=[("submit", "Upload"), ("key", "other")]).status == 204
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_tags_come_as_a_document(raw: Raw, s3: Any, bucket: str) -> None:
    tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    fields = allowed(bucket, ["starts-with", "$tagging", ""], tagging=tagging)
    assert post(raw, bucket, fields).status == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_checksums_are_verified(raw: Raw, s3: Any, bucket: str) -> None:
    md5 = ["starts-with", "$Content-MD5", ""]
    sha256 = base64.b64encode(hashlib.sha256(b"v").digest()).decode()
    right = base64.b64encode(hashlib.md5(b"v").digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"w").digest()).decode()
    assert post(raw, bucket, allowed(bucket, md5, **{"Content-MD5": wrong})).code == "BadDigest"
    assert post(raw, bucket, allowed(bucket, **{"x-amz-checksum-sha256": sha256[::-1]})).code == "BadDigest"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    both = allowed(bucket, md5, **{"Content-MD5": right, "x-amz-checksum-sha256": sha256})
    assert post(raw, bucket, both).headers["x-amz-checksum-sha256"] == sha256


# ---------------------------------------------------------------- answers


def test_created_is_told_in_xml(raw: Raw, bucket: str) -> None:
    fields = allowed(bucket, ["eq", "$success_action_status", "201"], success_action_status="201")
    reply = post(raw, bucket, fields)
    assert reply.status == 201
    assert reply.xml == {
        "Location": reply.headers["location"],
        "Bucket": bucket,
        "Key": "k",
        "ETag": reply.headers["etag"],
    }


def test_the_browser_is_sent_on(raw: Raw, bucket: str) -> None:
    where = f"{raw.server.url}/{bucket}"
    fields = allowed(bucket, ["eq", "$success_action_redirect", where], success_action_redirect=where)
    reply = post(raw, bucket, fields)
    etag = reply.headers["etag"].strip('"')
    assert reply.status == 303
    assert reply.headers["location"] == f"{where}?bucket={bucket}&key=k&etag=%22{etag}%22"
    landed = raw.request("GET", reply.headers["location"].removeprefix(raw.server.url))
    assert landed.xml["Contents"]["Key"] == "k"


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"AWSAccessKeyId": "nobody"}, 403, "InvalidAccessKeyId"),
        ({"signature": "AAAA"}, 403, "SignatureDoesNotMatch"),
        ({"policy": policy_text()}, 403, "SignatureDoesNotMatch"),
        ({"key": "other"}, 403, "AccessDenied"),
        ({"x-amz-meta-more": "1"}, 403, "AccessDenied"),
        ({"x-amz-security-token": "made up"}, 400, "InvalidToken"),
        ({"key": ""}, 400, "InvalidArgument"),
        ({"policy": "no policy"}, 400, "InvalidPolicyDocument"),
    ],
)
def test_a_form_that_was_changed_is_refused(
    raw: Raw, s3: Any, bucket: str, change: dict[str, str], status: int, code: str
) -> None:
    reply = post(raw, bucket, allowed(bucket) | change)
    assert (reply.status, reply.code) == (status, code)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("missing", ["AWSAccessKeyId", "signature", "policy"])
def test_half_a_signature_is_refused(raw: Raw, bucket: str, missing: str) -> None:
    fields = allowed(bucket)
    del fields[missing]
    assert post(raw, bucket, fields).code == "InvalidArgument"


def test_a_form_that_nobody_signed_is_refused(raw: Raw, bucket: str) -> None:
    assert post(raw, bucket, {"key": "k"}).code == "AccessDenied"


def test_a_policy_expires(raw: Raw, bucket: str) -> None:
    policy = policy_text({"bucket": bucket}, ["eq", "$key", "k"], expires_s=-1)
    assert post(raw, bucket, signed(policy, key="k")).code == "AccessDenied"


def test_a_policy_is_for_one_bucket(raw: Raw, s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=f"{bucket}-other")
    fields = allowed(bucket, ["eq", "$bucket", bucket])
    assert post(raw, f"{bucket}-other", fields).code == "AccessDenied"
    assert post(raw, f"{bucket}-other", {**fields, "bucket": bucket}).code == "AccessDenied"


@pytest.mark.parametrize(
    ("least", "most", "size", "code"),
    [
        (0, 3, 4, "EntityTooLarge"),
        (2, 3, 1, "EntityTooSmall"),
        (0, 1 << 20, len(LARGE), "EntityTooLarge"),
        (len(LARGE) + 1, 1 << 30, len(LARGE), "EntityTooSmall"),
    ],
)
def test_the_size_is_limited(
    gateway: Server, raw: Raw, s3: Any, bucket: str, least: int, most: int, size: int, code: str
) -> None:
    fields = allowed(bucket, ["content-length-range", least, most])
    reply = post(raw, bucket, fields, LARGE[:size])
    assert (reply.status, reply.code) == (400, code)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    until(lambda: not gateway.files("tmp"), 10, "what was staged to be removed")


@pytest.mark.parametrize(("least", "most"), [(2, 2), (0, 2), (2, 9)])
def test_a_size_within_the_limits(raw: Raw, bucket: str, least: int, most: int) -> None:
    assert post(raw, bucket, allowed(bucket, ["content-length-range", least, most]), b"ab").status == 204


def test_an_empty_file(raw: Raw, s3: Any, bucket: str) -> None:
    assert post(raw, bucket, allowed(bucket), b"").status == 204
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 0


def test_a_missing_bucket_and_a_snapshot(raw: Raw, s3: Any, bucket: str, name: str) -> None:
    assert post(raw, name + "-none", allowed(name + "-none")).code == "NoSuchBucket"
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    snapshot = f"head-0.main.{bucket}"
    assert post(raw, snapshot, allowed(snapshot)).code == "AccessDenied"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"key=k", 412, "PreconditionFailed"),
        ({"Content-Type": "multipart/form-data"}, b"", 400, "MalformedPOSTRequest"),
        ({"Content-Type": CONTENT_TYPE}, b"", 400, "MalformedPOSTRequest"),
        ({"Content-Type": CONTENT_TYPE}, b"no form", 400, "MalformedPOSTRequest"),
        ({"Content-Type": CONTENT_TYPE}, form_body({"key": "k"}, None), 400, "InvalidArgument"),
        ({"Content-Type": CONTENT_TYPE}, form_body({"key": "k" * 100_000}), 400, "MaxPostPreDataLengthExceededError"),
    ],
)
def test_what_is_no_form(raw: Raw, bucket: str, headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    reply = raw.request("POST", f"/{bucket}", headers, body, sign=False)
    assert (reply.status, reply.code) == (status, code)


def test_a_form_that_breaks_off(gateway: Server, raw: Raw, s3: Any, bucket: str) -> None:
    body = form_body(allowed(bucket), LARGE)[:-100]
    reply = raw.request("POST", f"/{bucket}", {"Content-Type": CONTENT_TYPE}, body, sign=False)
    assert reply.code == "MalformedPOSTRequest"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    until(lambda: not gateway.files("tmp"), 10, "what was staged to be removed")
