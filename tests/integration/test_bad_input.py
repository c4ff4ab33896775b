"""Broken, lying and hostile requests: refused in S3's XML (or cut off), nothing visible, nothing left behind."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import chunks
from .raw import UNSIGNED, Connection, Raw
from .server import Server, until

LARGE = os.urandom(1 << 20)  # more than stays in memory, so that it is staged on disk


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(gateway: Server, s3: Any, bucket: str) -> Iterator[None]:
    blobs = gateway.files("blobs")
    yield
    until(lambda: not gateway.files("tmp"), 10, f"{gateway.data}/tmp to be empty")
    assert gateway.files("blobs") <= blobs
    assert "Versions" not in s3.list_object_versions(Bucket=bucket), "nothing became visible"
    s3.put_object(Bucket=bucket, Key="afterwards", Body=b"v")
    assert s3.get_object(Bucket=bucket, Key="afterwards")["Body"].read() == b"v", "and the server goes on"


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_a_wrong_signature(raw: Raw, bucket: str, body: bytes) -> None:
    reply = raw.request("PUT", f"/{bucket}/k", body=body, secret_key="wrong")
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_a_wrong_digest(raw: Raw, bucket: str, body: bytes) -> None:
    reply = raw.request("PUT", f"/{bucket}/k", body=body, payload=hashlib.sha256(b"other").hexdigest())
    assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize("payload", ["", "not a digest", "UNSIGNED", "STREAMING-SOMETHING", "0" * 63])
def test_a_digest_that_is_none(raw: Raw, bucket: str, payload: str) -> None:
    reply = raw.request("PUT", f"/{bucket}/k", body=b"body", payload=payload)
    assert reply.status in {400, 403}
    assert reply.code


@pytest.mark.parametrize("size", [10, 500_000], ids=["small", "large"])
def test_a_body_shorter_than_announced(raw: Raw, bucket: str, size: int) -> None:
    head, _ = raw.signed("PUT", f"/{bucket}/k", unsigned={"Content-Length": str(2 * size)})
    with raw.connect() as connection:
        connection.send(head + b"x" * size)
        connection.end_sending()
        reply = connection.reply_if_any()
    assert reply is None or reply.code in {"IncompleteBody", "RequestTimeout"}


def test_a_body_longer_than_announced(raw: Raw, bucket: str) -> None:
    digest = hashlib.sha256(LARGE).hexdigest()
    length = {"Content-Length": str(len(LARGE) // 2)}
    head, _ = raw.signed("PUT", f"/{bucket}/k", payload=digest, unsigned=length)
    with raw.connect() as connection:
        connection.send_while_heard(head + LARGE)
        reply = connection.reply_if_any()
    assert reply is None or reply.code == "XAmzContentSHA256Mismatch"


@pytest.mark.parametrize("length", ["-1", "x", "1 2", "99999999999999999999999999"])
def test_a_length_that_is_none(raw: Raw, bucket: str, length: str) -> None:
    head, _ = raw.signed("PUT", f"/{bucket}/k", unsigned={"Content-Length": length})
    with raw.connect() as connection:
        connection.send_while_heard(head + b"body")
        connection.end_sending()
        reply = connection.reply_if_any()
    assert reply is None or reply.status == 400


@pytest.mark.parametrize("query", ["", "?partNumber=1&uploadId={upload}"], ids=["object", "part"])
def test_a_client_that_vanishes(raw: Raw, s3: Any, bucket: str, query: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = f"/{bucket}/k{query.format(upload=upload)}"
    for _ in range(3):
        head, _ = raw.signed("PUT", target, unsigned={"Content-Length": str(10 * len(LARGE))})
        with raw.connect() as connection:
            connection.send(head + LARGE)
            time.sleep(0.2)  # let the server begin to stage it
            connection.vanish()
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


def test_a_client_that_vanishes_while_it_reads(raw: Raw, s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=f"{name}-large")
    s3.put_object(Bucket=f"{name}-large", Key="k", Body=b"0123456789" * 6000)
    for _ in range(5):
        head, _ = raw.signed("GET", f"/{name}-large/k")
        with raw.connect() as connection:
            connection.send(head)
            connection.receive(10)
            connection.vanish()


def test_a_client_that_falls_asleep(serve: Callable[..., Server]) -> None:
    server = serve(environment={"CARET_BODY_IDLE_TIMEOUT_S": "1"}, workers=1)
    server.client().create_bucket(Bucket="asleep")
    raw = Raw(server)
    head, _ = raw.signed("PUT", "/asleep/k", unsigned={"Content-Length": str(2 * len(LARGE))})
    with raw.connect() as connection:
        connection.send(head + LARGE)
        reply = connection.reply_if_any()
        assert reply is None or reply.code == "RequestTimeout"
        assert connection.is_closed()
    until(lambda: not server.files("tmp"), 5, "the staged half to be removed")
    assert server.client().list_objects_v2(Bucket="asleep")["KeyCount"] == 0


# ---------------------------------------------------------------- aws-chunked


@pytest.mark.parametrize(
    "body",
    [
        b"no chunk at all",
        b"zz\r\nxx\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"ffffffffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"5" + b" " * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"x-amz-checksum-crc32:" + b"A" * 100_000 + b"\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\nand more",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_broken_chunk(raw: Raw, bucket: str, body: bytes) -> None:
    headers = {"X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32"}
    reply = raw.request("PUT", f"/{bucket}/k", headers, body, payload=chunks.UNSIGNED_TRAILER)
    assert reply.status in {400, 403}
    assert reply.code


def test_a_signed_form_without_signatures(raw: Raw, bucket: str) -> None:
    body = chunks.unsigned_body([b"hello"])
    headers = {"X-Amz-Decoded-Content-Length": "5"}
    reply = raw.request("PUT", f"/{bucket}/k", headers, body, payload=chunks.SIGNED)
    assert reply.status in {400, 403}
    assert reply.code


@pytest.mark.parametrize("length", [None, "x", "-5"])
def test_chunks_without_a_decoded_length(raw: Raw, bucket: str, length: str | None) -> None:
    headers = {} if length is None else {"X-Amz-Decoded-Content-Length": length}
    body = chunks.unsigned_body([b"hello"])
    reply = raw.request("PUT", f"/{bucket}/k", headers, body, payload=chunks.UNSIGNED_CHUNKS)
    assert reply.status in {400, 411}
    assert reply.code


def test_broken_http_chunks(raw: Raw, bucket: str) -> None:
    head, _ = raw.signed("PUT", f"/{bucket}/k", payload=UNSIGNED, unsigned={"Transfer-Encoding": "chunked"})
    for body in (b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhello" + b"x" * 10, b"5\r\nhel"):
        with raw.connect() as connection:
            connection.send(head + body)
            connection.end_sending()
            reply = connection.reply_if_any()
        assert reply is None or reply.status == 400


# ---------------------------------------------------------------- XML

LAUGHS = (
    "<!DOCTYPE Delete [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 11))
    + "]><Delete><Object><Key>&a10;</Key></Object></Delete>"
).encode()
HOSTILE = {
    "billion laughs": LAUGHS,
    "external entity": b'<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<Delete><Object><Key>&x;</Key></Object></Delete>",
    "any doctype": b"<!DOCTYPE Delete><Delete><Object><Key>k</Key></Object></Delete>",
    "too deep": b"<Delete>" + b"<Object>" * 100_000 + b"</Object>" * 100_000 + b"</Delete>",
    "too large": b"<Delete><Object><Key>" + b"k" * (4 << 20) + b"</Key></Object></Delete>",
    "cut off": b"<Delete><Object><Key>k</Key></Object>",
    "not UTF-8": b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
    "UTF-16": "<?xml version='1.0' encoding='UTF-16'?><Delete/>".encode("utf-16"),
    "NUL": b"<Delete><Object><Key>a\x00b</Key></Object></Delete>",
    "another root": b"<Remove><Object><Key>k</Key></Object></Remove>",
    "no key": b"<Delete><Object/></Delete>",
    "two roots": b"<Delete><Object><Key>k</Key></Object></Delete><Delete/>",
    "nothing": b"",
    "not XML": b'{"Delete": []}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_and_malformed_xml(raw: Raw, bucket: str, kind: str) -> None:
    started = time.monotonic()
    reply = raw.request("POST", f"/{bucket}?delete", body=HOSTILE[kind])
    assert (reply.status, reply.code) in {(400, "MalformedXML"), (400, "MaxMessageLengthExceeded")}
    assert time.monotonic() - started < 5
    assert b"root:" not in reply.body


@pytest.mark.parametrize("target", ["?versioning", "-new", "/k?uploadId={upload}"])
def test_hostile_xml_wherever_xml_is_read(raw: Raw, s3: Any, bucket: str, target: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    method = "POST" if "upload" in target else "PUT"
    for kind in ("billion laughs", "too deep", "too large"):
        reply = raw.request(method, f"/{bucket}{target.format(upload=upload)}", body=HOSTILE[kind])
        assert (reply.status, reply.code) in {(400, "MalformedXML"), (400, "MaxMessageLengthExceeded")}


# ---------------------------------------------------------------- HTTP


@pytest.mark.parametrize("size", [20_000, 100_000, 2_000_000])
def test_an_oversized_header(raw: Raw, bucket: str, size: int) -> None:
    head, _ = raw.signed("PUT", f"/{bucket}/k", {"X-Amz-Meta-Large": "x" * size}, unsigned={"Content-Length": "0"})
    with raw.connect() as connection:
        connection.send_while_heard(head)
        reply = connection.reply_if_any()
    assert reply is None or reply.status in {400, 431}
    assert reply is None or reply.code in {"RequestHeaderSectionTooLarge", "MetadataTooLarge", "InvalidRequest"}


def test_too_much_metadata(raw: Raw, bucket: str) -> None:
    reply = raw.request("PUT", f"/{bucket}/k", {"X-Amz-Meta-Large": "x" * 2049}, b"v")
    assert (reply.status, reply.code) == (400, "MetadataTooLarge")


def test_very_many_headers(raw: Raw, bucket: str) -> None:
    headers = {f"X-Other-{number}": "x" for number in range(20_000)}
    with raw.connect() as connection:
        connection.send_while_heard(raw.head("PUT", f"/{bucket}/k", {**headers, "Content-Length": "0"}))
        reply = connection.reply_if_any()
    assert reply is None or 400 <= reply.status < 500


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS greeting on the plain port
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /b/k?versionId=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_is_hardly_http(raw: Raw, data: bytes) -> None:
    with raw.connect() as connection:
        connection.send_while_heard(data)
        connection.end_sending()
        assert _is_refused(connection)


def _is_refused(connection: Connection) -> bool:
    reply = connection.reply_if_any()
    return reply is None or 400 <= reply.status < 500


def test_a_key_that_is_not_utf8(raw: Raw, bucket: str) -> None:
    reply = raw.request("PUT", f"/{bucket}/%ff%fe", body=b"v")
    assert (reply.status, reply.code) == (400, "InvalidURI")


def test_the_body_of_a_refused_request_is_never_read_as_the_next_request(raw: Raw, bucket: str) -> None:
    inner, _ = raw.signed("PUT", f"/{bucket}/smuggled", unsigned={"Content-Length": "0"})
    length = {"Content-Length": str(len(inner))}
    head, _ = raw.signed("PUT", f"/{bucket}/k", unsigned=length, secret_key="wrong")
    with raw.connect() as connection:
        connection.send_while_heard(head + inner)
        assert connection.reply().code == "SignatureDoesNotMatch"
        assert connection.is_silent(0.5) or connection.is_closed()
