"""tar archives: what programs write, and what is broken."""

from __future__ import annotations

import io
import tarfile

import pytest

from gateway.s3.errors import InvalidArgument, InvalidRequest
from gateway.s3.tar import MAX_GLOBAL_RECORDS, MAX_RECORDS, Member, TarReader
from tests.archives import END, header, member, tar_of, tar_of_members


def read(archive: bytes) -> list[tuple[Member, bytes]]:
    """Each member with its content."""
    reader, found = TarReader(), list[tuple[Member, bytes]]()
    for event in reader.feed(archive):
        if isinstance(event, Member):
            found.append((event, b""))
        else:
            last, content = found.pop()
            found.append((last, content + event))
    reader.finish()
    return found


def names(archive: bytes) -> list[str]:
    return [found.name for found, _ in read(archive)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_is_read(form: int) -> None:
    long = "d/" * 60 + "file"
    files = {"a": b"", "b": b"x" * 512, "c": b"y" * 513, long: b"long", "ö": b"1"}
    found = read(tar_of(files, form=form, directories=["dir"]))
    assert [(one.name, one.size, one.is_directory) for one, _ in found] == [
        ("dir/", 0, True),
        *((name, len(content), False) for name, content in files.items()),
    ]
    assert [content for _, content in found[1:]] == list(files.values())


def test_the_oldest_format_tells_directories_by_their_slash() -> None:
    archive = (
        header(b"dir/", kind=b"\0", magic=b"") + header(b"file", b"00000000001\0", b"\0", b"") + b"v".ljust(512, b"\0")
    )
    found = [(one.name, one.is_directory, content) for one, content in read(archive + END)]
    assert found == [("dir/", True, b""), ("file", False, b"v")]


def test_gnus_times_are_no_prefix() -> None:
    old = bytearray(header(b"file", magic=b"ustar  "))
    old[345:357] = b"14720000000\0"
    old[148:156] = b"%06o\0 " % (sum(old[:148]) + sum(old[156:]) + 256)
    assert names(bytes(old) + END) == ["file"]


def test_sizes_beyond_eleven_digits_are_read() -> None:
    large = 9 << 30
    for archive in (
        header(b"f", b"\x80" + large.to_bytes(11, "big")),
        header(b"x", b"%011o\0" % 19, b"x") + b"19 size=9663676416\n".ljust(512, b"\0") + header(b"f"),
    ):
        (found,) = TarReader().feed(archive)
        assert isinstance(found, Member)
        assert found.size == large


def test_global_records_hold_for_all_that_follow_and_own_ones_go_before() -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", pax_headers={"comment": "all", "other": "1"}) as archive:
        one, two = member("one"), member("two")
        one.pax_headers = {"comment": "own"}
        archive.addfile(one)
        archive.addfile(two)
    records = [found.records for found, _ in read(written.getvalue())]
    assert records == [{"comment": "own", "other": "1"}, {"comment": "all", "other": "1"}]


def test_checksums_of_signed_bytes_are_taken() -> None:
    block = bytearray(header("ü".encode()))
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 256 - 512)
    assert names(bytes(block) + END) == ["ü"]


def test_one_block_of_zeros_is_an_end() -> None:
    assert names(header(b"f") + bytes(512)) == ["f"]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"6", b"S", b"V", b"M", b"D", b"Z"])
def test_what_is_neither_file_nor_directory_is_refused_by_name(kind: bytes) -> None:
    with pytest.raises(InvalidArgument) as raised:
        read(header(b"odd", kind=kind) + END)
    assert raised.value.fields["ArgumentValue"] == "odd"


def test_a_link_is_refused_with_a_way_out() -> None:
    link = member("link", type=tarfile.SYMTYPE, linkname="x" * 200)
    for form in (tar_of_members(link), tar_of_members(member("hard", type=tarfile.LNKTYPE, linkname="f"))):
        with pytest.raises(InvalidArgument, match="--hard-dereference"):
            read(form)


def test_a_sparse_file_of_paxs_kind_is_refused() -> None:
    records = {"f": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}}
    with pytest.raises(InvalidArgument, match="a sparse file"):
        read(tar_of({"f": b"1\n0\n"}, records=records))


WHOLE = tar_of({"a": b"v" * 600, "n" * 150: b"w"}, form=tarfile.GNU_FORMAT)


@pytest.mark.parametrize("length", [0, 1, 511, 512, 600, 1535, 1536, 2048, 2560, 3583, 3584])
def test_a_truncated_archive_is_refused(length: int) -> None:
    assert len(read(WHOLE)) == 2
    with pytest.raises(InvalidRequest):
        read(WHOLE[:length])


@pytest.mark.parametrize(
    "archive",
    [
        b"no archive at all".ljust(2048, b"!"),
        b"PK\3\4".ljust(2048, b"\7"),
        WHOLE[:148] + b"0000000\0" + WHOLE[156:],
        header(b"f", b"12345678901\0"),  # no octal number
        header(b"f", b"-0000000001\0"),
        header(b"f", b"\xff" * 12),  # a negative one
        header(b"f") + END + b"more",
        header(b"f") + END + header(b"g") + END,
        header(b"l", b"%011o\0" % (MAX_RECORDS + 1), b"L"),
        header(b"x", b"%011o\0" % (MAX_RECORDS + 1), b"x"),
        header(b"g", b"%011o\0" % (MAX_GLOBAL_RECORDS + 1), b"g"),
        (header(b"x", b"%011o\0" % 1024, b"L") + bytes(1024)) * (MAX_RECORDS // 1024 + 1) + header(b"f") + END,
        header(b"x", b"00000000000\0", b"x") + END,
        header(b"l", b"%011o\0" % 4, b"L") + b"long".ljust(512, b"\0") + END,
        *(
            header(b"x", b"%011o\0" % len(records), b"x") + records.ljust(512, b"\0") + header(b"f") + END
            for records in (
                b"9 path=a",
                b"9 path=ab",
                b"99 path=a\n",
                b"x path=a\n",
                b"7 path\n",
                b"5 =a\n",
                b"0 ",
                b"1 \n",
            )
        ),
        header(b"x", b"%011o\0" % 11, b"x") + b"11 size=-1\n".ljust(512, b"\0") + header(b"f") + END,
    ],
)
def test_a_malformed_archive_is_refused(archive: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(archive)
