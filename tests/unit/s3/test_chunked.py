"""aws-chunked bodies: AWS's published examples, bodies that botocore made, bodies that are wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, CrtCrc64NvmeChecksum, Sha256Checksum

from gateway.s3 import checksums
from gateway.s3.chunked import MAX_LINE, MAX_TRAILER, ChunkedDecoder
from gateway.s3.errors import (
    IncompleteBody,
    InvalidRequest,
    MalformedTrailerError,
    S3Error,
    SignatureDoesNotMatch,
)
from gateway.s3.sigv4 import STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, ChunkSigner, sign_v4

from .signing import AWS_EXAMPLE, AWS_TIME, REGION, chunked_body


def signer() -> ChunkSigner:
    _, chunk_signer = sign_v4(AWS_EXAMPLE, "PUT", "/b/k", "", {"host": "h"}, now=AWS_TIME, region=REGION)
    return chunk_signer


def decode(body: bytes, decoder: ChunkedDecoder, step: int | None = None) -> bytes:
    """The content of `body`, fed whole or `step` bytes at a time."""
    content = bytearray()
    for start in range(0, len(body), step or len(body) or 1):
        for piece in decoder.feed(body[start : start + (step or len(body))]):
            content += piece
    decoder.finish()
    return bytes(content)


# ---------------------------------------------------------------- published examples

CONTENT = b"a" * 66560
EXAMPLE_HEADERS = {
    "host": "s3.amazonaws.com",
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "66560",
}


def example(signatures: list[str], end: str) -> bytes:
    first, second, last = signatures
    return b"".join(
        [
            f"10000;chunk-signature={first}\r\n".encode() + CONTENT[:65536] + b"\r\n",
            f"400;chunk-signature={second}\r\n".encode() + CONTENT[65536:] + b"\r\n",
            f"0;chunk-signature={last}\r\n{end}".encode(),
        ]
    )


def example_signer(payload_hash: str, headers: Mapping[str, str]) -> tuple[str, ChunkSigner]:
    signed, chunk_signer = sign_v4(
        AWS_EXAMPLE,
        "PUT",
        "/examplebucket/chunkObject.txt",
        "",
        {**EXAMPLE_HEADERS, **headers},
        now=AWS_TIME,
        region=REGION,
        payload_hash=payload_hash,
    )
    return signed["authorization"].rpartition("=")[2], chunk_signer


@pytest.mark.parametrize("step", [None, 1, 1000])
def test_published_signed_body(step: int | None) -> None:
    # S3 API reference, "Transferring payload in multiple chunks", example.
    seed, chunk_signer = example_signer(STREAMING_SIGNED, {"content-length": "66824"})
    assert seed == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    body = example(
        [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ],
        "\r\n",
    )
    assert len(body) == 66824
    assert decode(body, ChunkedDecoder(chunk_signer, trailer=False), step) == CONTENT


@pytest.mark.parametrize("step", [None, 1, 1000])
def test_published_signed_body_with_trailer(step: int | None) -> None:
    # S3 API reference, "Signature calculations for trailing headers", example.
    seed, chunk_signer = example_signer(STREAMING_SIGNED_TRAILER, {"x-amz-trailer": "x-amz-checksum-crc32c"})
    assert seed == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    body = example(
        [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ],
        "x-amz-checksum-crc32c:sOO8/Q==\r\n"
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
    )
    decoder = ChunkedDecoder(chunk_signer, trailer=True)
    assert decode(body, decoder, step) == CONTENT
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


# ---------------------------------------------------------------- bodies that clients send


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
@pytest.mark.parametrize("step", [None, 1, 7])
@pytest.mark.parametrize(("checksum", "algorithm"), [(CrtCrc64NvmeChecksum, "crc64nvme"), (Sha256Checksum, "sha256")])
def test_body_that_botocore_made(size: int, step: int | None, checksum: type, algorithm: str) -> None:
    content = bytes(range(256)) * (size // 256) + b"\r\n" * (size % 256)
    name = f"x-amz-checksum-{algorithm}"
    body = AwsChunkedWrapper(io.BytesIO(content), checksum_cls=checksum, checksum_name=name, chunk_size=1000).read()
    decoder = ChunkedDecoder(None, trailer=True)
    assert decode(body, decoder, step) == content
    expected = checksums.new(algorithm)
    expected.update(content)
    assert decoder.trailers == {name: expected.b64()}


@pytest.mark.parametrize(
    "end",
    [
        b"a:1\r\nb:2\r\n\r\n",
        b"a:1\r\nb:2\r\n",
        b"a:1\r\nb:2",
        b"a:1\nb:2\n\r\n\r\n",  # minio-go
        b"\r\na:1\r\nb:2\r\n",  # a CRLF after the last chunk's empty content
        b"A: 1 \r\nb:\t2\r\n\r\n",
    ],
)
def test_unsigned_trailer_in_each_style(end: bytes) -> None:
    decoder = ChunkedDecoder(None, trailer=True)
    assert decode(b"3\r\nabc\r\n0\r\n" + end, decoder) == b"abc"
    assert decoder.trailers == {"a": "1", "b": "2"}


def test_signed_trailer_behind_an_empty_line() -> None:
    # minio-go: lines end with LF, and a CRLF stands before the signature.
    body = chunked_body([b"abc"], signer(), {"a": "1"}, newline=b"\n").replace(
        b"x-amz-trailer-signature", b"\r\nx-amz-trailer-signature"
    )
    decoder = ChunkedDecoder(signer(), trailer=True)
    assert decode(body + b"\r\n", decoder) == b"abc"
    assert decoder.trailers == {"a": "1"}


@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n"])
def test_body_without_trailer_may_leave_out_the_last_line(end: bytes) -> None:
    assert decode(b"3\r\nabc\r\n0\r\n" + end, ChunkedDecoder(None, trailer=False)) == b"abc"


def test_trailer_section_may_be_empty() -> None:
    decoder = ChunkedDecoder(None, trailer=True)
    assert decode(b"0\r\n\r\n", decoder) == b""
    assert decoder.trailers == {}


@pytest.mark.parametrize("line", [b"003", b"3;x=y", b"3 ; x", b"3;chunk-signature=" + b"0" * 64])
def test_unsigned_chunk_may_have_extensions(line: bytes) -> None:
    assert decode(line + b"\r\nabc\r\n0\r\n\r\n", ChunkedDecoder(None, trailer=False)) == b"abc"


def test_content_is_given_out_as_it_arrives_without_a_copy() -> None:
    decoder = ChunkedDecoder(signer(), trailer=False)
    assert decoder.feed(b"40000000;chunk-signature=" + b"0" * 64 + b"\r\n") == []
    data = b"x" * 1000
    (piece,) = decoder.feed(data)
    assert piece.obj is data
    assert piece == data


# ---------------------------------------------------------------- wrong signatures


def flip(body: bytes, position: int) -> bytes:
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]


@pytest.mark.parametrize("step", [None, 1])
def test_changed_content_is_refused(step: int | None) -> None:
    body = chunked_body([b"abc" * 50, b"def"], signer())
    for content in (b"abc", b"def"):
        with pytest.raises(SignatureDoesNotMatch, match="chunk"):
            decode(flip(body, body.index(content)), ChunkedDecoder(signer(), trailer=False), step)


def test_chunk_left_out_is_refused() -> None:
    body = chunked_body([b"abc", b"def"], signer())
    start, end = body.index(b"3;"), body.index(b"3;", 1)
    with pytest.raises(SignatureDoesNotMatch):
        decode(body[:start] + body[end:], ChunkedDecoder(signer(), trailer=False))
    with pytest.raises(SignatureDoesNotMatch):
        decode(body[:end] + body[body.index(b"0;") :], ChunkedDecoder(signer(), trailer=False))


def test_last_chunk_is_checked() -> None:
    body = chunked_body([b"abc"], signer())
    position = body.rindex(b"chunk-signature=") + len("chunk-signature=")
    with pytest.raises(SignatureDoesNotMatch):
        decode(body[:position] + b"0" * 64 + b"\r\n", ChunkedDecoder(signer(), trailer=False))


@pytest.mark.parametrize("line", [b"3", b"3;chunk-signature=", b"3;chunk-signature=" + b"0" * 63, b"3;signature=x"])
def test_signed_body_needs_a_signature_in_each_chunk(line: bytes) -> None:
    with pytest.raises(SignatureDoesNotMatch):
        decode(line + b"\r\nabc\r\n", ChunkedDecoder(signer(), trailer=False))


@pytest.mark.parametrize("changed", [{"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}, {}])
def test_changed_trailer_is_refused(changed: dict[str, str]) -> None:
    body = chunked_body([b"abc"], signer(), {"a": "1"})
    lines = "".join(f"{name}:{value}\r\n" for name, value in changed.items()).encode()
    with pytest.raises(SignatureDoesNotMatch, match="trailer"):
        decode(body.replace(b"a:1\r\n", lines), ChunkedDecoder(signer(), trailer=True))


def test_signed_trailer_needs_its_signature() -> None:
    body = chunked_body([b"abc"], signer()) + b"a:1\r\n\r\n"
    with pytest.raises(MalformedTrailerError, match="x-amz-trailer-signature"):
        decode(body, ChunkedDecoder(signer(), trailer=True))


# ---------------------------------------------------------------- malformed bodies


@pytest.mark.parametrize(
    "body",
    [
        b"\r\nabc",
        b"3\nabc\r\n",
        b"x\r\nabc\r\n",
        b"-3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"3_0\r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"1" * 17 + b"\r\nabc\r\n",
        b"3 x\r\nabc\r\n",
        b"3;" + b"x" * MAX_LINE + b"\r\nabc\r\n",
        b"3" * MAX_LINE,
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3\r\nabc\rx",
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_broken_chunk_is_refused_at_once(body: bytes, step: int | None) -> None:
    decoder = ChunkedDecoder(None, trailer=False)
    with pytest.raises((InvalidRequest, IncompleteBody)) as refusal:
        decode(body, decoder, step)
    if body != b"3\nabc\r\n":
        assert isinstance(refusal.value, InvalidRequest)
    for call in (lambda: decoder.feed(b"3\r\n"), decoder.finish):
        with pytest.raises(S3Error) as again:
            call()
        assert again.value is refusal.value


@pytest.mark.parametrize("trailer", [False, True])
@pytest.mark.parametrize("is_signed", [False, True])
def test_body_that_ends_early_is_incomplete(is_signed: bool, trailer: bool) -> None:
    body = chunked_body([b"abc", b"defg"], signer() if is_signed else None, {"a": "1"} if trailer else None)
    last = body.index(b"\r\n0") + len(b"\r\n0;chunk-signature=") + 64 + 2 if is_signed else body.index(b"\r\n0") + 5
    for end in range(last):
        decoder = ChunkedDecoder(signer() if is_signed else None, trailer=trailer)
        decoder.feed(body[:end])
        with pytest.raises(IncompleteBody):
            decoder.finish()


@pytest.mark.parametrize("end", [b"x", b"\r\nx", b"\n", b"\r\n\r\n", b"a:1\r\n\r\n"])
def test_bytes_behind_the_last_chunk_are_refused(end: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(b"0\r\n" + end, ChunkedDecoder(None, trailer=False))


def test_bytes_behind_finish_are_refused() -> None:
    decoder = ChunkedDecoder(None, trailer=False)
    decode(b"0\r\n\r\n", decoder)
    decoder.finish()
    with pytest.raises(InvalidRequest):
        decoder.feed(b"0")


@pytest.mark.parametrize(
    "end",
    [
        b"a\r\n\r\n",
        b":1\r\n\r\n",
        b"a b:1\r\n\r\n",
        b"a:1\r\na:1\r\n\r\n",
        b"a:1\r\nA:2\r\n\r\n",
        b"a:1\r\n\r\nb:2\r\n",
        b"a:1\r\n\r\n0\r\n",
        b"a:\0\r\n",
        b"\xff:1\r\n",
        b"x-amz-trailer-signature:00\r\na:1\r\n\r\n",
        b"x-amz-trailer-signature:00\r\nx-amz-trailer-signature:00\r\n\r\n",
        b"a:" + b"1" * MAX_TRAILER,
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_malformed_trailer_is_refused(end: bytes, step: int | None) -> None:
    with pytest.raises(MalformedTrailerError):
        decode(b"0\r\n" + end, ChunkedDecoder(None, trailer=True), step)
