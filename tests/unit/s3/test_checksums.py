"""Checksums against published values and each other, and bodies against their announcement."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3 import checksums
from gateway.s3.checksums import Verifier
from gateway.s3.errors import (
    BadDigest,
    EntityTooLarge,
    EntityTooSmall,
    IncompleteBody,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailerError,
    XAmzContentSHA256Mismatch,
)
from gateway.s3.operations import Payload

# "123456789" in each: the check values of the CRC catalogue, RFC 3174's kin by hashlib.
CHECK = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}
ALGORITHMS = sorted(checksums.ALGORITHMS)
CRCS = ["crc32", "crc32c", "crc64nvme"]


def value(algorithm: str, data: bytes) -> str:
    checksum = checksums.new(algorithm)
    checksum.update(data)
    return checksum.b64()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_check_value(algorithm: str) -> None:
    assert value(algorithm, b"123456789") == base64.b64encode(bytes.fromhex(CHECK[algorithm])).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(st.lists(st.binary(max_size=100), max_size=5))
def test_pieces_make_the_value_of_the_whole(algorithm: str, pieces: list[bytes]) -> None:
    checksum = checksums.new(algorithm)
    for piece in pieces:
        checksum.update(memoryview(piece))
    assert checksum.b64() == value(algorithm, b"".join(pieces))


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [("sha256", "arcu6553sHVAiX4MjW0j7I7vD4w6R+Gz9Ok0Q9lTa+0="), ("crc64nvme", "Qeh8oXvGiSo=")],
)
def test_value_of_1024_letters(algorithm: str, expected: str) -> None:
    # The conformance suite's own figures.
    assert value(algorithm, b"A" * 1024) == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(st.binary(max_size=100))
def test_value_parses_to_its_digest(algorithm: str, data: bytes) -> None:
    checksum = checksums.new(algorithm)
    checksum.update(data)
    assert checksums.parse_b64(algorithm, checksum.b64()) == checksum.digest()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "text", ["", "bad", "sailorjerry", "AAAA", "====", "AAAAAA=", "AAAAAA==\n", "ü", "\udcff", "AAAAAB=="]
)
def test_value_that_is_no_digest_is_a_bad_digest(algorithm: str, text: str) -> None:
    with pytest.raises(BadDigest):
        checksums.parse_b64(algorithm, text)


def test_content_md5_parses() -> None:
    assert checksums.parse_md5("rL0Y20zC+Fzt72VPzMSk2A==").hex() == "acbd18db4cc2f85cedef654fccc4a4d8"


@pytest.mark.parametrize("text", ["", "YWJyYWNhZGFicmE=", "AWS HAHAHA", "acbd18db4cc2f85cedef654fccc4a4d8", "ü"])
def test_content_md5_that_is_none_is_an_invalid_digest(text: str) -> None:
    with pytest.raises(InvalidDigest):
        checksums.parse_md5(text)


def test_unknown_algorithm_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="sha512"):
        checksums.new("sha512")


# ---------------------------------------------------------------- of several parts


@pytest.mark.parametrize("algorithm", CRCS)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_combined_value_is_that_of_the_whole(algorithm: str, parts: list[bytes]) -> None:
    combined = checksums.combine(algorithm, [(value(algorithm, part), len(part)) for part in parts])
    assert combined == value(algorithm, b"".join(parts))


def test_parts_beyond_4_gib_combine() -> None:
    # Zeros alone: 6 GiB in one part, or in two.
    zero = value("crc64nvme", b"\0" * 1024)
    halves = checksums.combine("crc64nvme", [(zero, 1024)] * 2)
    whole = "crc64nvme", [(halves, 2048)]
    assert checksums.combine(*whole) == value("crc64nvme", b"\0" * 2048)
    assert len(checksums.combine("crc64nvme", [(zero, 5 << 40), (zero, 5 << 40)])) == 12


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_hashes_do_not_combine(algorithm: str) -> None:
    with pytest.raises(InvalidRequest, match="FULL_OBJECT"):
        checksums.combine(algorithm, [])


def test_composite_value_of_the_conformance_suite() -> None:
    part = "arcu6553sHVAiX4MjW0j7I7vD4w6R+Gz9Ok0Q9lTa+0="
    assert checksums.composite("sha256", [part]) == "Ok6Cs5b96ux6+MWQkJO7UBT5sKPBeXBLwvj/hK89smg=-1"
    parts = [
        "275VF5loJr1YYawit0XSHREhkFXYkkPKGuoK0x9VKxI=",
        "mrHwOfjTL5Zwfj74F05HOQGLdUb7E5szdCbxgUSq6NM=",
        "Vw7oB/nKQ5xWb3hNgbyfkvDiivl+U+/Dft48nfJfDow=",
    ]
    assert checksums.composite("sha256", parts) == "uWBwpe1dxI4Vw8Gf0X9ynOdw/SS6VBzfWm9giiv1sf4=-3"


@pytest.mark.parametrize(
    ("algorithm", "requested", "expected"),
    [
        ("crc32", None, "COMPOSITE"),
        ("crc32", "FULL_OBJECT", "FULL_OBJECT"),
        ("crc32c", None, "COMPOSITE"),
        ("crc32c", "COMPOSITE", "COMPOSITE"),
        ("crc64nvme", None, "FULL_OBJECT"),
        ("sha1", None, "COMPOSITE"),
        ("sha256", "COMPOSITE", "COMPOSITE"),
    ],
)
def test_multipart_type(algorithm: str, requested: str | None, expected: str) -> None:
    assert checksums.multipart_type(algorithm, requested) == expected


@pytest.mark.parametrize(
    ("algorithm", "requested"),
    [("crc64nvme", "COMPOSITE"), ("sha1", "FULL_OBJECT"), ("sha256", "FULL_OBJECT"), ("crc32", "full_object")],
)
def test_type_that_the_algorithm_has_not_is_refused(algorithm: str, requested: str) -> None:
    with pytest.raises(InvalidRequest, match=algorithm):
        checksums.multipart_type(algorithm, requested)


# ---------------------------------------------------------------- a body against its announcement

BODY = b"hello world"
MD5 = hashlib.md5(BODY).digest()
SHA256 = hashlib.sha256(BODY).hexdigest()


def verified(payload: Payload, body: bytes = BODY, trailers: dict[str, str] | None = None) -> dict[str, str]:
    verifier = Verifier(payload)
    for start in range(0, len(body), 3):
        verifier.update(memoryview(body)[start : start + 3])
    assert verifier.length == len(body)
    return verifier.finish(trailers or {})


def test_nothing_asked_for_is_nothing_computed() -> None:
    assert verified(Payload()) == {}


def test_all_that_was_announced_is_verified() -> None:
    values = {algorithm: value(algorithm, BODY) for algorithm in ALGORITHMS}
    payload = Payload(length=len(BODY), sha256=SHA256, md5=MD5, checksums=values)
    assert verified(payload) == values
    assert verified(Payload(length=0, sha256=hashlib.sha256(b"").hexdigest()), b"") == {}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_named_algorithm_is_computed_to_be_stored(algorithm: str) -> None:
    assert verified(Payload(algorithm=algorithm)) == {algorithm: value(algorithm, BODY)}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trailing_checksum_is_verified(algorithm: str) -> None:
    name = f"x-amz-checksum-{algorithm}"
    payload = Payload(chunked=True, trailer=True, trailer_names=(name,), algorithm=algorithm)
    right, wrong = value(algorithm, BODY), value(algorithm, BODY + b"!")
    assert verified(payload, trailers={name: right}) == {algorithm: right}
    for bad in (wrong, "", "bad"):
        with pytest.raises(BadDigest):
            verified(payload, trailers={name: bad})


@pytest.mark.parametrize(
    "trailers", [{}, {"x-amz-checksum-crc32": "AAAAAA=="}, {"x-amz-checksum-sha1": "x", "x-amz-checksum-crc32": "x"}]
)
def test_trailer_must_bring_what_was_announced(trailers: dict[str, str]) -> None:
    with pytest.raises(MalformedTrailerError):
        verified(Payload(trailer=True, trailer_names=("x-amz-checksum-sha1",)), trailers=trailers)


def test_trailer_that_is_no_checksum_is_let_pass() -> None:
    assert verified(Payload(trailer=True, trailer_names=("x-other",)), trailers={"x-other": "1"}) == {}


def test_announced_trailer_of_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="md5"):
        Verifier(Payload(trailer=True, trailer_names=("x-amz-checksum-md5",)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_checksum_is_a_bad_digest(algorithm: str) -> None:
    with pytest.raises(BadDigest, match=algorithm.upper()):
        verified(Payload(checksums={algorithm: value(algorithm, b"other")}))


def test_malformed_checksum_is_a_bad_digest_before_the_body() -> None:
    with pytest.raises(BadDigest):
        Verifier(Payload(checksums={"crc32": "bad"}))


def test_wrong_md5_is_a_bad_digest() -> None:
    with pytest.raises(BadDigest, match="Content-MD5"):
        verified(Payload(md5=bytes(16)))


@pytest.mark.parametrize("checksum", [{}, {"sha256": value("sha256", BODY)}])
def test_wrong_content_sha256_is_a_mismatch(checksum: dict[str, str]) -> None:
    assert verified(Payload(sha256=SHA256.upper(), checksums=checksum)) == checksum
    with pytest.raises(XAmzContentSHA256Mismatch):
        verified(Payload(sha256="0" * 64, checksums=checksum))


def test_body_longer_than_announced_is_refused_at_once() -> None:
    verifier = Verifier(Payload(length=4))
    verifier.update(b"1234")
    with pytest.raises(IncompleteBody):
        verifier.update(b"5")


def test_body_larger_than_allowed_is_refused_at_once() -> None:
    verifier = Verifier(Payload(sizes=(0, 4)))
    verifier.update(b"1234")
    with pytest.raises(EntityTooLarge) as raised:
        verifier.update(b"5")
    assert raised.value.fields == {"ProposedSize": "5", "MaxSizeAllowed": "4"}


def test_body_smaller_than_allowed_is_refused() -> None:
    assert verified(Payload(sizes=(4, 4)), b"1234") == {}
    with pytest.raises(EntityTooSmall) as raised:
        verified(Payload(sizes=(4, 8)), b"123")
    assert raised.value.fields == {"ProposedSize": "3", "MinSizeAllowed": "4"}


def test_body_shorter_than_announced_is_refused() -> None:
    verifier = Verifier(Payload(length=4, md5=bytes(16)))
    verifier.update(b"123")
    with pytest.raises(IncompleteBody):
        verifier.finish({})
