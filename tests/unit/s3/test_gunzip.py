"""gzip: bounded pieces, several members, and what is broken."""

from __future__ import annotations

import gzip
import os

import pytest

from gateway.s3.archive import ArchiveReader
from gateway.s3.errors import EntityTooLarge, InvalidRequest
from gateway.s3.gunzip import PIECE, Gunzip
from gateway.s3.tar import Member
from tests.archives import tar_of


def unpacked(packed: bytes, step: int = 1 << 20) -> bytes:
    gunzip = Gunzip()
    pieces = [piece for at in range(0, len(packed), step) for piece in gunzip.feed(packed[at : at + step])]
    assert all(len(piece) <= PIECE for piece in pieces)
    gunzip.finish()
    return b"".join(pieces)


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("content", [b"", b"short", os.urandom(3000), b"run" * 200_000, bytes(PIECE), bytes(2 * PIECE)])
def test_what_was_packed_comes_out(content: bytes, step: int) -> None:
    assert unpacked(gzip.compress(content), step) == content


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_members_in_a_row_are_one_stream_and_zeros_behind_it_padding(step: int) -> None:
    assert unpacked(gzip.compress(b"one ") + gzip.compress(b"two") + bytes(100), step) == b"one two"


def test_a_bomb_comes_in_bounded_pieces() -> None:
    packed = gzip.compress(bytes(50 << 20))
    assert len(packed) < 64 << 10
    assert sum(map(len, Gunzip().feed(packed))) == 50 << 20


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: whole[:12], lambda whole: whole + b"more"])
def test_a_damaged_stream_is_refused(damage) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidRequest):
        unpacked(damage(gzip.compress(b"some content")))


def test_a_wrong_checksum_is_refused() -> None:
    whole = bytearray(gzip.compress(b"some content"))
    whole[-6] ^= 1
    with pytest.raises(InvalidRequest, match="can not be unpacked"):
        unpacked(bytes(whole))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_an_archive_is_told_by_its_first_bytes(mode: str, step: int) -> None:
    archive, reader = tar_of({"f": b"v"}, mode=mode), ArchiveReader()
    events = [event for at in range(0, len(archive), step) for event in reader.feed(archive[at : at + step])]
    reader.finish()
    assert isinstance(events[0], Member)
    assert (events[0].name, bytes(events[1])) == ("f", b"v")  # type: ignore[arg-type]


def read(archive: bytes) -> None:
    reader = ArchiveReader()
    list(reader.feed(archive))
    reader.finish()


@pytest.mark.parametrize("archive", [b"", b"\x1f", b"\x1f\x8b", gzip.compress(b"", mtime=0)])
def test_nothing_is_no_archive(archive: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(archive)


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.s3.archive.MAX_UNPACKED", 20_000)
    read(tar_of({"f": bytes(5000)}, mode="w:gz"))
    with pytest.raises(EntityTooLarge):
        read(tar_of({"f": bytes(50_000)}, mode="w:gz"))
