"""ETags that are computed are those that servers make; tests/integration/test_sync_engine.py asks a real one."""

from __future__ import annotations

import hashlib

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from gateway.sync.etags import FOREIGN, OURS, Form, etag_of, etag_of_pieces, form_of, part_count

DATA = bytes(range(256)) * 10


def nothing() -> None:
    """In place of a check."""


def computed(form: Form, part_size: int, data: bytes = DATA) -> str:
    return etag_of_pieces(lambda start, size: data[start : start + size], len(data), form, part_size, nothing)


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=len)
def test_content_put_in_one_piece(data: bytes) -> None:
    assert etag_of(data, OURS) == f"{blake3(data).hexdigest()}-1" == computed(OURS, 7, data)
    assert etag_of(data, FOREIGN) == md5(data).hex() == computed(FOREIGN, 7, data)


@pytest.mark.parametrize("part_size", [1, 1000, 2559, 2560, 5000])
def test_content_put_in_parts(part_size: int) -> None:
    parts = [DATA[at : at + part_size] for at in range(0, len(DATA), part_size)]
    assert part_count(len(DATA), part_size) == len(parts)
    joined = md5(b"".join(map(md5, parts))).hex()
    assert computed(Form("md5", len(parts)), part_size) == f"{joined}-{len(parts)}"
    if len(parts) > 1:
        joined = blake3(b"".join(blake3(part).digest() for part in parts)).hexdigest()
        assert computed(Form("blake3", len(parts)), part_size) == f"{joined}-{len(parts)}"


@pytest.mark.parametrize(
    "etag",
    [
        "",
        "x",
        "0" * 31,
        "0" * 33,
        "0" * 64,
        "A" * 32,
        f"{'0' * 32}-",
        f"{'0' * 32}-0",
        f"{'0' * 64}-01",
        f"{'0' * 32}-1x",
    ],
)
def test_other_etags_are_opaque(etag: str) -> None:
    assert form_of(etag) is None


@given(st.sampled_from([OURS, FOREIGN, Form("blake3", 2), Form("md5", 1), Form("md5", 9999)]), st.binary(max_size=50))
def test_an_etag_tells_how_it_was_made(form: Form, data: bytes) -> None:
    digest = form.new()
    digest.update(data)
    assert form_of(form.join([digest.digest()] * (1 if form.is_whole else form.parts))) == form
