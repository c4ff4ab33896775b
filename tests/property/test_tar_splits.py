"""However an archive is cut into pieces, it reads as tarfile reads it; nothing that is fed breaks the reader."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.s3.errors import S3Error
from gateway.s3.tar import Member, TarReader
from tests.archives import member

Read = list[tuple[str, bool, dict[str, str], bytes]]

FORMATS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
TEXT = st.characters(codec="utf-8", exclude_characters="\0/")
PARTS = st.text(TEXT, min_size=1, max_size=12) | st.sampled_from(["n" * 99, "n" * 100, "n" * 120, "ö" * 60, "."])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
CONTENTS = st.binary(max_size=20) | st.sampled_from([bytes(511), b"x" * 512, b"y" * 513, b"z" * 3000])
RECORDS = st.dictionaries(
    st.text(TEXT, min_size=1, max_size=8).map(lambda text: "minio.metadata." + text.replace("=", "-")),
    st.text(TEXT | st.just("\n"), min_size=1, max_size=12),
    max_size=2,
)
MEMBERS = st.lists(st.tuples(NAMES, st.none() | CONTENTS, RECORDS), max_size=4)
CUTS = st.lists(st.integers(0, 12_000), max_size=12)


def written(members: Sequence[tuple[str, bytes | None, dict[str, str]]], form: int) -> bytes:
    """An archive; what has no content is a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content, records in members:
            kind = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
            found = member(name, size=len(content or b""), type=kind, pax_headers=dict(records))
            archive.addfile(found, io.BytesIO(content or b""))
    return buffer.getvalue()


def by_tarfile(archive: bytes) -> Read:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = []
        for one in opened:
            file = opened.extractfile(one)
            found.append((one.name, one.isdir(), dict(one.pax_headers), file.read() if file else b""))
        return found


def by_us(archive: bytes, cuts: Sequence[int]) -> Read:
    reader, found = TarReader(), list[tuple[Member, bytearray]]()
    edges = [0, *sorted(cut for cut in cuts if cut < len(archive)), len(archive)]
    for start, end in pairwise(edges):
        for event in reader.feed(archive[start:end]):
            if isinstance(event, Member):
                found.append((event, bytearray()))
            else:
                assert event
                found[-1][1].extend(event)
    reader.finish()
    assert all(one.size == len(content) for one, content in found)
    return [(one.name.rstrip("/"), one.is_directory, dict(one.records), bytes(content)) for one, content in found]


@given(members=MEMBERS, form=FORMATS, cuts=CUTS)
def test_any_split_reads_as_tarfile_reads_the_whole(
    members: list[tuple[str, bytes | None, dict[str, str]]], form: int, cuts: list[int]
) -> None:
    try:
        archive = written(members, form)
    except ValueError:
        assume(False)  # the name is too long for this format
    expected = by_tarfile(archive)
    assert by_us(archive, cuts) == expected
    assert by_us(archive, range(0, len(archive), 7)) == expected


def outcome(archive: bytes, cuts: Sequence[int]) -> Read | type:
    try:
        return by_us(archive, cuts)
    except S3Error as refusal:
        return type(refusal)


@given(
    members=MEMBERS,
    form=FORMATS,
    position=st.integers(0, 4000),
    inserted=st.binary(max_size=8),
    removed=st.integers(0, 8),
    cuts=CUTS,
)
def test_a_damaged_archive_reads_alike_or_is_refused(
    members: list[tuple[str, bytes | None, dict[str, str]]],
    form: int,
    position: int,
    inserted: bytes,
    removed: int,
    cuts: list[int],
) -> None:
    try:
        archive = written(members, form)
    except ValueError:
        assume(False)
    damaged = archive[:position] + inserted + archive[position + removed :]
    assert outcome(damaged, cuts) == outcome(damaged, [])
