"""However a chunked body is cut into pieces, it decodes alike."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.chunked import MAX_TRAILER, ChunkedDecoder
from gateway.s3.errors import S3Error
from gateway.s3.sigv4 import ChunkSigner, sign_v4

from ..unit.s3.signing import AWS_EXAMPLE, AWS_TIME, REGION, chunked_body

CONTENTS = st.lists(st.binary(min_size=1, max_size=300), max_size=6)
NAMES = st.text(alphabet="abcxyz-0", min_size=1, max_size=12)
VALUES = st.text(alphabet="AZaz09+/= ü", max_size=20).map(str.strip)
TRAILERS = st.none() | st.dictionaries(NAMES, VALUES, max_size=3)
CUTS = st.lists(st.integers(0, 2500), max_size=12)


def signer() -> ChunkSigner:
    _, chunk_signer = sign_v4(AWS_EXAMPLE, "PUT", "/b/k", "", {"host": "h"}, now=AWS_TIME, region=REGION)
    return chunk_signer


def outcome(body: bytes, cuts: list[int], *, is_signed: bool, trailer: bool) -> tuple[bytes, dict[str, str]] | type:
    """Content and trailers, or the kind of refusal."""
    decoder = ChunkedDecoder(signer() if is_signed else None, trailer=trailer)
    content = bytearray()
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    try:
        for start, end in pairwise(edges):
            content += b"".join(decoder.feed(memoryview(body)[start:end]))
        decoder.finish()
    except S3Error as refusal:
        return type(refusal)
    return bytes(content), decoder.trailers


@given(pieces=CONTENTS, trailers=TRAILERS, is_signed=st.booleans(), cuts=CUTS)
def test_any_split_of_a_body_decodes_alike(
    pieces: list[bytes], trailers: dict[str, str] | None, is_signed: bool, cuts: list[int]
) -> None:
    body = chunked_body(pieces, signer() if is_signed else None, trailers)
    expected = (b"".join(pieces), trailers or {})
    trailer = trailers is not None
    assert outcome(body, cuts, is_signed=is_signed, trailer=trailer) == expected
    assert outcome(body, list(range(len(body))), is_signed=is_signed, trailer=trailer) == expected


@given(
    pieces=CONTENTS,
    trailers=TRAILERS,
    is_signed=st.booleans(),
    cuts=CUTS,
    position=st.integers(0, 2500),
    inserted=st.binary(max_size=8),
    removed=st.integers(0, 8),
)
def test_any_split_of_a_damaged_body_ends_alike(
    pieces: list[bytes],
    trailers: dict[str, str] | None,
    is_signed: bool,
    cuts: list[int],
    position: int,
    inserted: bytes,
    removed: int,
) -> None:
    whole = chunked_body(pieces, signer() if is_signed else None, trailers)
    body = whole[:position] + inserted + whole[position + removed :]
    trailer = trailers is not None
    expected = outcome(body, [], is_signed=is_signed, trailer=trailer)
    assert outcome(body, cuts, is_signed=is_signed, trailer=trailer) == expected
    assert outcome(body, list(range(len(body))), is_signed=is_signed, trailer=trailer) == expected
    if is_signed and not isinstance(expected, type):
        assert expected == (b"".join(pieces), trailers or {})


@given(body=st.binary(max_size=60) | st.text(alphabet="0123aF;\r\n:x", max_size=60).map(str.encode), cuts=CUTS)
def test_arbitrary_bytes_are_decoded_or_refused(body: bytes, cuts: list[int]) -> None:
    for trailer in (False, True):
        expected = outcome(body, [], is_signed=False, trailer=trailer)
        assert outcome(body, cuts, is_signed=False, trailer=trailer) == expected


@given(st.integers(1, 50))
def test_what_is_kept_stays_bounded(size: int) -> None:
    decoder = ChunkedDecoder(None, trailer=True)
    decoder.feed(b"0\r\n")
    fed = 0
    try:
        while fed <= MAX_TRAILER + size:
            decoder.feed(b"a" * size)
            fed += size
    except S3Error:
        assert fed + size > MAX_TRAILER
    else:
        raise AssertionError("an endless trailer was kept")
