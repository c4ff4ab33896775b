"""Manifests: bytes that read back, and cuts that equal slices."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from pfs import BadRecord, Digest, Extent, Part
from pfs.manifest import compose, cut, decode_extents, decode_manifest, encode_extents, encode_manifest

digests = st.binary(min_size=32, max_size=32).map(Digest)
sizes = st.integers(0, 2**64 - 1)
extents = st.builds(Extent, digests, sizes, sizes)
parts = st.lists(
    st.builds(
        Part,
        number=st.just(0),
        size=sizes,
        digest=digests,
        extents=st.lists(extents, max_size=3).map(tuple),
        checksum=st.text(max_size=20),
    ),
    max_size=5,
).map(lambda found: [Part(n, p.size, p.digest, p.extents, p.checksum) for n, p in enumerate(found, start=1)])


@given(parts)
def test_every_manifest_reads_back(whole: list[Part]) -> None:
    assert list(decode_manifest(encode_manifest(whole))) == whole


@given(st.lists(extents, max_size=5).map(tuple))
def test_extents_read_back(whole: tuple[Extent, ...]) -> None:
    assert decode_extents(encode_extents(whole)) == whole


@given(parts, st.data())
def test_a_damaged_manifest_is_a_bad_record_or_another_one(whole: list[Part], data: st.DataObject) -> None:
    raw = encode_manifest(whole)
    at = data.draw(st.integers(0, len(raw)))
    kind = data.draw(st.sampled_from(["cut", "longer", "changed"]))
    if kind == "changed" and at < len(raw):
        damaged = raw[:at] + bytes((raw[at] ^ data.draw(st.integers(1, 255)),)) + raw[at + 1 :]
    else:
        damaged = raw[:at] if kind == "cut" else raw + b"x" * (at + 1)
    if damaged == raw:
        return
    try:
        found = list(decode_manifest(damaged))
    except BadRecord:
        return
    assert kind == "changed"
    assert found != whole
    assert encode_manifest(found) == damaged


@given(st.binary(max_size=100))
def test_other_bytes_are_no_manifest(raw: bytes) -> None:
    with pytest.raises(BadRecord):
        decode_manifest(raw)


@given(parts.filter(bool))
def test_what_is_composed_names_its_bytes(whole: list[Part]) -> None:
    content = compose(whole)
    assert content.pending == encode_manifest(whole)
    assert content.digest == blake3(content.pending).digest()
    assert content.size == sum(part.size for part in whole)
    joined = b"".join(part.digest for part in whole)
    etag = joined if len(whole) == 1 else blake3(joined).digest()
    assert content.etag == f"{etag.hex()}-{len(whole)}"


pieces = st.lists(st.tuples(st.binary(max_size=12), st.integers(0, 4), st.integers(0, 4)), max_size=6)


@given(pieces, st.integers(0, 80), st.integers(-1, 80))
def test_a_cut_is_a_slice(found: list[tuple[bytes, int, int]], first: int, length: int) -> None:
    """Blobs with margins that their extents leave out; the whole is what lies between."""
    blobs, whole, ranges = {}, b"", []
    for data, before, behind in found:
        padded = b"<" * before + data + b">" * behind
        digest = Digest(blake3(padded).digest())
        blobs[digest] = padded
        ranges.append(Extent(digest, before, len(data)))
        whole += data
    taken = cut(ranges, first, length)
    assert all(extent.length > 0 for extent in taken)
    joined = b"".join(blobs[e.digest][e.offset : e.offset + e.length] for e in taken)
    assert joined == whole[first : first + max(length, 0)]
