from __future__ import annotations

import base64

import pytest

from gateway.s3.errors import BadDigest, InvalidArgument, InvalidDigest, InvalidRequest, NotImplemented
from gateway.s3.operations import Payload
from gateway.s3.parse_payload import CHECKSUM_SIZES, checksum_headers, checksum_type, parse_payload
from gateway.s3.request import Request
from tests.unit.s3.asking import ask

CRC32 = base64.b64encode(b"1234").decode()


def put(headers: dict[str, str]) -> Request:
    return ask("PUT", "/b/k", headers)


def test_no_headers_announce_nothing() -> None:
    assert parse_payload(put({})) == Payload()


@pytest.mark.parametrize(
    ("announced", "expected"),
    [
        ("UNSIGNED-PAYLOAD", Payload(length=5)),
        ("A" * 64, Payload(length=5, sha256="a" * 64)),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Payload(length=3, chunked=True, signed=True)),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Payload(length=3, chunked=True, signed=True, trailer=True)),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Payload(length=3, chunked=True, trailer=True)),
    ],
)
def test_framing(announced: str, expected: Payload) -> None:
    headers = {"x-amz-content-sha256": announced, "Content-Length": "5", "x-amz-decoded-content-length": "3"}
    assert parse_payload(put(headers)) == expected


def test_a_length_of_chunks_may_be_unknown() -> None:
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Length": "5"}
    assert parse_payload(put(headers)).length is None


def test_content_encoding_frames_nothing() -> None:
    assert not parse_payload(put({"Content-Encoding": "aws-chunked"})).chunked


@pytest.mark.parametrize("announced", ["", "a" * 63, "g" * 64, "unsigned-payload", "STREAMING-OTHER"])
def test_an_unknown_framing_is_refused(announced: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        parse_payload(put({"x-amz-content-sha256": announced}))
    assert raised.value.fields["ArgumentName"] == "x-amz-content-sha256"


def test_sigv4a_is_not_offered() -> None:
    with pytest.raises(NotImplemented):
        parse_payload(put({"x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}))


@pytest.mark.parametrize("text", ["", "-1", "x", "1_0"])
def test_a_length_that_is_no_number_is_refused(text: str) -> None:
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": text}
    for bad in (headers, {"Content-Length": text}):
        with pytest.raises(InvalidArgument):
            parse_payload(put(bad))


def test_content_md5() -> None:
    assert parse_payload(put({"Content-MD5": "rL0Y20xC+Fzt72VPzMSk2A=="})).md5 == base64.b64decode(
        "rL0Y20xC+Fzt72VPzMSk2A=="
    )


@pytest.mark.parametrize(
    "text", ["", "YWJyYWNhZGFicmE=", "AWS HAHAHA", "rL0Y20xC+Fzt72VPzMSk2A", "é" * 8, "rL0Y20xC-Fzt72VPzMSk2A=="]
)
def test_a_content_md5_that_no_body_has_is_invalid(text: str) -> None:
    with pytest.raises(InvalidDigest):
        parse_payload(put({"Content-MD5": text}))


# ---------------------------------------------------------------- checksums


@pytest.mark.parametrize("algorithm", CHECKSUM_SIZES)
def test_a_checksum_header_names_its_algorithm(algorithm: str) -> None:
    value = base64.b64encode(bytes(CHECKSUM_SIZES[algorithm])).decode()
    payload = parse_payload(put({f"x-amz-checksum-{algorithm}": value}))
    assert payload.checksums == {algorithm: value}
    assert payload.algorithm == algorithm
    for malformed in ("bad", "", value + "-1", value[:-4], "!" + value[1:]):
        with pytest.raises(BadDigest):
            parse_payload(put({f"x-amz-checksum-{algorithm}": malformed}))


def test_several_checksums_are_refused() -> None:
    several = {"x-amz-checksum-crc32": CRC32, "x-amz-checksum-crc32c": CRC32}
    header_and_trailer = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-trailer": "x-amz-checksum-crc32c",
        "x-amz-checksum-crc32": CRC32,
    }
    for headers in (several, header_and_trailer):
        with pytest.raises(InvalidRequest):
            parse_payload(put(headers))


@pytest.mark.parametrize("name", ["x-amz-checksum-sha512", "x-amz-checksum-xxhash3"])
def test_a_checksum_that_cannot_be_verified_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_payload(put({name: CRC32}))


def test_algorithm_mode_and_type_are_no_checksums() -> None:
    headers = {
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-mode": "ENABLED",
        "x-amz-checksum-type": "COMPOSITE",
    }
    assert checksum_headers(put(headers)) == {}


def test_the_sdks_algorithm() -> None:
    assert parse_payload(put({"x-amz-sdk-checksum-algorithm": "CRC64NVME"})).algorithm == "crc64nvme"
    agreeing = {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": CRC32}
    assert parse_payload(put(agreeing)).algorithm == "crc32"
    for headers in ({"x-amz-sdk-checksum-algorithm": "MD6"}, {**agreeing, "x-amz-sdk-checksum-algorithm": "SHA1"}):
        with pytest.raises(InvalidRequest):
            parse_payload(put(headers))


def test_trailers() -> None:
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-trailer": " X-Amz-Checksum-CRC32 ,x-amz-trailer-signature",
        "x-amz-sdk-checksum-algorithm": "CRC32",
    }
    payload = parse_payload(put(headers))
    assert payload.trailer_names == ("x-amz-checksum-crc32", "x-amz-trailer-signature")
    assert payload.algorithm == "crc32"
    with pytest.raises(InvalidRequest):
        parse_payload(put({**headers, "x-amz-trailer": "x-amz-checksum-md9"}))


def test_the_checksum_of_a_completed_upload_is_not_that_of_its_xml() -> None:
    headers = {"x-amz-checksum-crc32": CRC32 + "-3"}
    assert parse_payload(ask("POST", "/b/k?uploadId=u", headers)) == Payload()
    with pytest.raises(BadDigest):
        parse_payload(ask("POST", "/b?delete", headers))


def test_checksum_type() -> None:
    assert checksum_type(put({})) is None
    assert checksum_type(put({"x-amz-checksum-type": "full_object"})) == "FULL_OBJECT"
    with pytest.raises(InvalidRequest):
        checksum_type(put({"x-amz-checksum-type": "PARTIAL"}))


@pytest.mark.parametrize("text", ["", "-1", "abc"])
def test_a_malformed_content_length_is_refused_also_beside_chunks(text: str) -> None:
    headers = {
        "content-length": text,
        "transfer-encoding": "chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
    }
    with pytest.raises(InvalidArgument):
        parse_payload(put(headers))
