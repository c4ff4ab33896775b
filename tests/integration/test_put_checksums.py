"""The five checksums, in headers and in trailers, and aws-chunked bodies in all their forms."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awscrt.checksums import crc32c, crc64nvme

from . import chunks
from .awscli import Aws
from .raw import Raw
from .refusals import refused

CONTENT = b"0123456789abcdef" * 5000
PIECES = [CONTENT[:65536], CONTENT[65536:]]


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "CRC32": lambda data: _text(zlib.crc32(data).to_bytes(4, "big")),
    "CRC32C": lambda data: _text(crc32c(data).to_bytes(4, "big")),
    "CRC64NVME": lambda data: _text(crc64nvme(data).to_bytes(8, "big")),
    "SHA1": lambda data: _text(hashlib.sha1(data, usedforsecurity=False).digest()),
    "SHA256": lambda data: _text(hashlib.sha256(data).digest()),
}
EACH = pytest.mark.parametrize("algorithm", ALGORITHMS)


@EACH
def test_a_checksum_in_a_header_is_verified_kept_and_given_back(s3: Any, bucket: str, algorithm: str) -> None:
    member, expected = f"Checksum{algorithm}", ALGORITHMS[algorithm](CONTENT)
    assert s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm)[member] == expected
    for read in (s3.head_object, s3.get_object):
        got = read(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert (got[member], got["ChecksumType"]) == (expected, "FULL_OBJECT")
    assert member not in s3.head_object(Bucket=bucket, Key="k")


@EACH
def test_a_checksum_in_a_trailer_is_verified_kept_and_given_back(s3_tls: Any, tls_bucket: str, algorithm: str) -> None:
    """boto3 sends it so over TLS, in unsigned chunks without a Content-Length."""
    member, expected = f"Checksum{algorithm}", ALGORITHMS[algorithm](CONTENT)
    put = s3_tls.put_object(Bucket=tls_bucket, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm)
    assert put[member] == expected
    got = s3_tls.get_object(Bucket=tls_bucket, Key="k", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got[member]) == (CONTENT, expected)
    assert "ContentEncoding" not in got, "aws-chunked is framing, not content"


@EACH
@pytest.mark.parametrize("wrong", ["other content", "malformed"])
def test_a_wrong_checksum_leaves_nothing_behind(s3: Any, bucket: str, algorithm: str, wrong: str) -> None:
    value = "not-base64!" if wrong == "malformed" else ALGORITHMS[algorithm](b"other")
    with refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, **{f"Checksum{algorithm}": value})
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_a_checksum_of_an_empty_body(s3: Any, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"", ChecksumAlgorithm="SHA256")
    assert put["ChecksumSHA256"] == ALGORITHMS["SHA256"](b"")


def test_listings_name_the_algorithm(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumAlgorithm="CRC32C")
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == ["CRC32C"]


# ---------------------------------------------------------------- aws-chunked by hand

FORMS = {
    "signed": (chunks.SIGNED, False),
    "signed, trailer": (chunks.SIGNED_TRAILER, True),
    "unsigned": (chunks.UNSIGNED_CHUNKS, False),
    "unsigned, trailer": (chunks.UNSIGNED_TRAILER, True),
    "unsigned, empty trailer": (chunks.UNSIGNED_TRAILER, False),
}


def chunked(
    raw: Raw,
    target: str,
    form: str,
    *,
    trailer: str | None = None,
    decoded_length: int = len(CONTENT),
    headers: dict[str, str] | None = None,
    over_http_chunks: bool = False,
    tamper: Callable[[bytes], bytes] = bytes,
) -> Any:
    """Puts CONTENT in `form`, the CRC-32C `trailer` behind it where the form has one; `tamper` changes the body."""
    payload, has_trailer = FORMS[form]
    named = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(decoded_length),
        **({"X-Amz-Trailer": "x-amz-checksum-crc32c"} if has_trailer else {}),
        **(headers or {}),
    }
    lines = {"x-amz-checksum-crc32c": trailer or ALGORITHMS["CRC32C"](CONTENT)} if has_trailer else None

    def send(framing: dict[str, str]) -> tuple[bytes, bytes]:
        head, seed = raw.signed("PUT", target, named, payload=payload, unsigned=framing)
        signed = form.startswith("signed")
        body = chunks.signed_body(PIECES, seed, lines) if signed else chunks.unsigned_body(PIECES, lines)
        return head, tamper(body)

    if over_http_chunks:
        head, body = send({"Transfer-Encoding": "chunked"})
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1000], body[1000:])) + b"0\r\n\r\n"
    else:
        length = len(send({})[1])
        head, body = send({"Content-Length": str(length)})
    with raw.connect() as connection:
        connection.send_while_heard(head + body)
        return connection.reply("PUT")


EACH_FORM = pytest.mark.parametrize("form", FORMS)


@EACH_FORM
@pytest.mark.parametrize("over_http_chunks", [False, True], ids=["with length", "http chunks"])
def test_a_chunked_body_is_stored_decoded(raw: Raw, s3: Any, bucket: str, form: str, over_http_chunks: bool) -> None:
    reply = chunked(raw, f"/{bucket}/k", form, over_http_chunks=over_http_chunks)
    assert reply.status == 200, reply
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == CONTENT
    assert "ContentEncoding" not in got
    if FORMS[form][1]:
        assert got["ChecksumCRC32C"] == ALGORITHMS["CRC32C"](CONTENT)


def test_another_content_encoding_beside_aws_chunked_is_kept(raw: Raw, s3: Any, bucket: str) -> None:
    assert chunked(raw, f"/{bucket}/k", "signed", headers={"Content-Encoding": "aws-chunked,gzip"}).status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"


@pytest.mark.parametrize("form", [form for form, (_, has_trailer) in FORMS.items() if has_trailer])
def test_a_wrong_trailer_leaves_nothing_behind(raw: Raw, s3: Any, bucket: str, form: str) -> None:
    reply = chunked(raw, f"/{bucket}/k", form, trailer=ALGORITHMS["CRC32C"](b"other"))
    assert (reply.status, reply.code) == (400, "BadDigest")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


@pytest.mark.parametrize("form", ["signed", "signed, trailer"])
@pytest.mark.parametrize("place", [200, 70_000], ids=["first chunk", "second chunk"])
def test_a_changed_byte_breaks_the_chunk_signature(raw: Raw, s3: Any, bucket: str, form: str, place: int) -> None:
    reply = chunked(raw, f"/{bucket}/k", form, tamper=lambda body: body[:place] + b"#" + body[place + 1 :])
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_a_changed_trailer_breaks_its_signature(raw: Raw, s3: Any, bucket: str) -> None:
    def forge(body: bytes) -> bytes:
        return body[:-6] + (b"0000" if body[-6:-2] != b"0000" else b"1111")[:2] + body[-4:]

    reply = chunked(raw, f"/{bucket}/k", "signed, trailer", tamper=forge)
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


@EACH_FORM
@pytest.mark.parametrize("off_by", [-1, 1])
def test_the_decoded_length_must_be_true(raw: Raw, s3: Any, bucket: str, form: str, off_by: int) -> None:
    reply = chunked(raw, f"/{bucket}/k", form, decoded_length=len(CONTENT) + off_by)
    assert (reply.status, reply.code) == (400, "IncompleteBody")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


# ---------------------------------------------------------------- aws-cli


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "CRC32"])
def test_aws_cli_sends_and_reads_checksums(aws: Aws, bucket: str, tmp_path: Path, algorithm: str) -> None:
    _round_trip(aws, bucket, tmp_path, algorithm)


def test_aws_cli_sends_trailers_over_tls(aws_tls: Aws, tls_bucket: str, tmp_path: Path) -> None:
    _round_trip(aws_tls, tls_bucket, tmp_path, "SHA256")


def _round_trip(aws: Aws, bucket: str, folder: Path, algorithm: str) -> None:
    source = folder / "source"
    source.write_bytes(os.urandom(10_000))
    expected = ALGORITHMS[algorithm](source.read_bytes())
    which = ["--bucket", bucket, "--key", "k"]
    put = aws.api("put-object", *which, "--body", source, "--checksum-algorithm", algorithm)
    assert put[f"Checksum{algorithm}"] == expected
    assert aws.api("head-object", *which, "--checksum-mode", "ENABLED")[f"Checksum{algorithm}"] == expected
