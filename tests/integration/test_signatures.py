"""Who is asking: SigV4 and SigV2, in headers and in presigned URLs."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import xmltodict

from .awscli import Aws
from .raw import Raw, Reply
from .refusals import refused
from .server import ACCESS_KEY, Server

BOTH = pytest.mark.parametrize("signature", ["s3v4", "s3"], ids=["SigV4", "SigV2"])


@pytest.fixture
def target(s3: Any, bucket: str) -> str:
    """The path of a key that holds b"v"."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    return f"/{bucket}/k"


def fetch(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """As any HTTP client would, without knowing of S3; http.client adds no headers of its own."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.netloc, timeout=20)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body)
        reply = connection.getresponse()
        return reply.status, reply.read()


def code_of(body: bytes) -> str:
    code: str = xmltodict.parse(body)["Error"]["Code"]
    return code


# ---------------------------------------------------------------- in headers


@BOTH
def test_signed_requests_are_served(gateway: Server, bucket: str, signature: str) -> None:
    client = gateway.client(signature=signature)
    client.put_object(Bucket=bucket, Key="a key/with +", Body=b"v", Metadata={"colour": "blue"}, ContentType="a/b")
    assert client.get_object(Bucket=bucket, Key="a key/with +")["Body"].read() == b"v"
    assert client.list_objects_v2(Bucket=bucket, Prefix="a key/")["KeyCount"] == 1
    assert client.list_object_versions(Bucket=bucket)["Versions"]
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    client.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a key/with +"}]})


@BOTH
def test_a_wrong_secret_is_refused(gateway: Server, bucket: str, signature: str) -> None:
    client = gateway.client(signature=signature, secret_key="wrong")
    with refused("SignatureDoesNotMatch", 403):
        client.put_object(Bucket=bucket, Key="k", Body=b"v")
    with refused("403", 403):
        client.head_bucket(Bucket=bucket)


@BOTH
def test_an_unknown_key_is_refused(gateway: Server, bucket: str, signature: str) -> None:
    with refused("InvalidAccessKeyId", 403):
        gateway.client(signature=signature, access_key="nobody").list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_anonymous_requests_are_refused(raw: Raw, target: str, method: str) -> None:
    reply = raw.request(method, f"{target}?uploads" if method == "POST" else target, sign=False)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert raw.request("GET", target).body == b"v"


def changed(raw: Raw, target: str, old: bytes, new: bytes, headers: dict[str, str] | None = None) -> Reply:
    """A GET whose head is changed after it was signed."""
    head, _ = raw.signed("GET", target, headers, unsigned={"Connection": "close"})
    assert old in head
    with raw.connect() as connection:
        connection.send(head.replace(old, new, 1))
        return connection.reply()


def test_a_changed_request_does_not_match_its_signature(raw: Raw, target: str) -> None:
    changes: list[tuple[str, bytes, bytes, dict[str, str] | None]] = [
        (target, b"/k ", b"/other ", None),
        (target, b"GET ", b"DELETE ", None),
        (f"{target}?versionId=HEAD", b"HEAD", b"HEAD~0", None),
        (target, b"bytes=0-0", b"bytes=0-1", {"Range": "bytes=0-0"}),
        (target, b"UNSIGNED-PAYLOAD", b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", None),
    ]
    for path, old, new, headers in changes:
        reply = changed(raw, path, old, new, headers)
        assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch"), old
    assert raw.request("GET", target).body == b"v"


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_skewed_clock_is_refused(raw: Raw, target: str, minutes: int) -> None:
    reply = raw.request("GET", target, when=datetime.now(UTC) + timedelta(minutes=minutes))
    assert (reply.status, reply.code) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_a_little_off_is_fine(raw: Raw, target: str, minutes: int) -> None:
    assert raw.request("GET", target, when=datetime.now(UTC) + timedelta(minutes=minutes)).body == b"v"


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/not/a/scope, SignedHeaders=host, Signature=00",
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/x/s3/aws4_request, SignedHeaders=, Signature=",
        f"AWS {ACCESS_KEY}",
        "AWS :",
        "Bearer token",
        "Basic dTpw",
        "\x7f",
    ],
)
def test_malformed_authorization_is_the_callers_mistake(raw: Raw, target: str, authorization: str) -> None:
    date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    reply = raw.request("GET", target, headers, sign=False)
    assert reply.status in {400, 403}
    assert reply.code


# ---------------------------------------------------------------- presigned


@BOTH
def test_presigned_urls_read_and_write(gateway: Server, s3: Any, bucket: str, signature: str) -> None:
    client = gateway.client(signature=signature)
    which = {"Bucket": bucket, "Key": "a key/with +"}
    put = client.generate_presigned_url("put_object", Params=which, ExpiresIn=60)
    assert fetch(put, "PUT", b"presigned")[0] == 200
    get = client.generate_presigned_url("get_object", Params=which, ExpiresIn=60)
    assert fetch(get) == (200, b"presigned")
    assert fetch(client.generate_presigned_url("head_object", Params=which), "HEAD") == (200, b"")
    assert fetch(client.generate_presigned_url("delete_object", Params=which), "DELETE")[0] == 204
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@BOTH
def test_presigned_urls_can_name_a_revision(gateway: Server, s3: Any, bucket: str, signature: str) -> None:
    for body in (b"old", b"new"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    params = {"Bucket": bucket, "Key": "k", "VersionId": "HEAD^", "ResponseContentType": "a/b"}
    url = gateway.client(signature=signature).generate_presigned_url("get_object", Params=params)
    assert fetch(url) == (200, b"old")


@BOTH
def test_a_presigned_url_is_for_one_thing_only(gateway: Server, s3: Any, bucket: str, signature: str) -> None:
    for key in ("k", "other"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"v")
    client = gateway.client(signature=signature)
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    for method, changed_url in (("GET", url.replace("/k?", "/other?")), ("DELETE", url), ("PUT", url)):
        status, body = fetch(changed_url, method, b"x" if method == "PUT" else None)
        assert (status, code_of(body)) == (403, "SignatureDoesNotMatch")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"


@BOTH
def test_a_presigned_url_expires(gateway: Server, s3: Any, bucket: str, signature: str) -> None:
    which = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**which, Body=b"v")
    url = gateway.client(signature=signature).generate_presigned_url("get_object", Params=which, ExpiresIn=1)
    assert fetch(url) == (200, b"v")
    time.sleep(2.1)
    status, body = fetch(url)
    assert (status, code_of(body)) == (403, "AccessDenied")


@pytest.mark.parametrize(("expires", "status"), [(-1, 403), (0, 403), (1, 200), (604_800, 200), (604_801, 403)])
def test_a_presigned_url_lives_between_a_second_and_a_week(raw: Raw, target: str, expires: int, status: int) -> None:
    assert fetch(raw.presigned(target, expires))[0] == status


def test_a_presigned_url_of_a_stranger_is_refused(gateway: Server, target: str) -> None:
    _, bucket, key = target.split("/")
    client = gateway.client(secret_key="wrong")
    status, body = fetch(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}))
    assert (status, code_of(body)) == (403, "SignatureDoesNotMatch")


# ---------------------------------------------------------------- aws-cli


def test_aws_cli_presigns(aws: Aws, target: str) -> None:
    url = aws("s3", "presign", f"s3:/{target}").strip()
    assert urlsplit(url).path == target
    assert fetch(url) == (200, b"v")


def test_aws_cli_is_refused_with_a_wrong_secret(aws: Aws, bucket: str) -> None:
    stderr = aws.refused("s3api", "list-objects-v2", "--bucket", bucket, AWS_SECRET_ACCESS_KEY="wrong")
    assert "SignatureDoesNotMatch" in stderr
    stderr = aws.refused("s3api", "list-objects-v2", "--bucket", bucket, "--no-sign-request")
    assert "AccessDenied" in stderr
