"""boto3 with s3transfer: as its documentation has it, with the settings it comes with."""

from __future__ import annotations

import io
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.clients.programs.given import BUCKET, CA_FILE, LARGE, MIB, SMALL

PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def client(signature: str | None = None) -> Any:
    config = Config(signature_version=signature)
    return boto3.client("s3", verify=CA_FILE, config=config)


def refusal(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as exc:
        code: str = exc.response["Error"]["Code"]
        return code
    raise AssertionError("it was not refused")


def refused_status(call: Callable[..., object], *arguments: str) -> int:
    try:
        call(*arguments)
    except urllib.error.HTTPError as exc:
        return exc.code
    raise AssertionError("it was not refused")


class Unseekable(io.RawIOBase):
    """As from a pipe: its length is not known beforehand."""

    def __init__(self, content: bytes) -> None:
        self._source = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.readinto(buffer)


def transfers(s3: Any) -> None:
    s3.upload_fileobj(io.BytesIO(LARGE), BUCKET, "large", Config=PARTS, ExtraArgs={"Metadata": {"by": "boto3"}})
    head = s3.head_object(Bucket=BUCKET, Key="large")
    assert (head["ContentLength"], head["Metadata"], head["ETag"][-3:]) == (len(LARGE), {"by": "boto3"}, '-3"')
    received = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", received, Config=PARTS)
    assert received.getvalue() == LARGE
    s3.upload_fileobj(Unseekable(LARGE), BUCKET, "piped", Config=PARTS)
    s3.copy({"Bucket": BUCKET, "Key": "piped"}, BUCKET, "copied", Config=PARTS)
    assert s3.get_object(Bucket=BUCKET, Key="copied")["Body"].read() == LARGE


def checksums(s3: Any) -> None:
    for algorithm in ALGORITHMS:
        key = f"sum/{algorithm}"
        put = s3.put_object(Bucket=BUCKET, Key=key, Body=SMALL, ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        assert got["Body"].read() == SMALL
        assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
        s3.upload_fileobj(io.BytesIO(LARGE), BUCKET, key, Config=PARTS, ExtraArgs={"ChecksumAlgorithm": algorithm})
        assert s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")["Body"].read() == LARGE


def ranges_and_conditions(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="small", Body=SMALL)["ETag"]
    for text, content in (("bytes=0-9", SMALL[:10]), ("bytes=100-", SMALL[100:]), ("bytes=-7", SMALL[-7:])):
        answer = s3.get_object(Bucket=BUCKET, Key="small", Range=text, IfMatch=etag)
        assert answer["Body"].read() == content
    assert refusal(s3.get_object, Bucket=BUCKET, Key="small", Range="bytes=99999-") == "InvalidRange"
    assert refusal(s3.get_object, Bucket=BUCKET, Key="small", IfNoneMatch=etag) == "304"
    assert refusal(s3.put_object, Bucket=BUCKET, Key="small", IfNoneMatch="*") == "PreconditionFailed"


def presigned() -> None:
    context = ssl.create_default_context(cafile=CA_FILE) if CA_FILE else None

    def request(url: str, method: str, body: bytes | None = None, kind: str = "") -> bytes:
        headers = {"Content-Type": kind} if kind else {}
        asked = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(asked, context=context) as answer:
            content: bytes = answer.read()
            return content

    for signature in (None, "s3v4"):
        s3 = client(signature)
        what = {"Bucket": BUCKET, "Key": f"by link {signature}"}
        request(
            s3.generate_presigned_url("put_object", what | {"ContentType": "text/x-link"}), "PUT", SMALL, "text/x-link"
        )
        link = s3.generate_presigned_url("get_object", what)
        assert request(link, "GET") == SMALL
        assert s3.head_object(**what)["ContentType"] == "text/x-link"
        assert refused_status(request, link.replace("by%20link", "another"), "GET") == 403


def history(s3: Any) -> None:
    for body in (b"one", b"two", b"three"):
        s3.put_object(Bucket=BUCKET, Key="k", Body=body)
    assert s3.get_object(Bucket=BUCKET, Key="k", VersionId="HEAD^")["Body"].read() == b"two"
    s3.copy_object(Bucket=BUCKET, Key="k", CopySource={"Bucket": BUCKET, "Key": "k", "VersionId": "HEAD~2"})
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"one"


def tags(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"v", Tagging="colour=green&size=7")
    expected = [{"Key": "colour", "Value": "green"}, {"Key": "size", "Value": "7"}]
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == expected


def resources() -> None:
    bucket = boto3.resource("s3", verify=CA_FILE).Bucket(BUCKET)
    for number in range(30):
        bucket.put_object(Key=f"many/{number:02}", Body=b"v")
    assert [found.key for found in bucket.objects.filter(Prefix="many/").page_size(7)] == [
        f"many/{number:02}" for number in range(30)
    ]
    bucket.objects.filter(Prefix="many/").delete()
    assert not list(bucket.objects.filter(Prefix="many/"))


if __name__ == "__main__":
    usual = client()
    transfers(usual)
    checksums(usual)
    ranges_and_conditions(usual)
    presigned()
    history(usual)
    tags(usual)
    resources()
