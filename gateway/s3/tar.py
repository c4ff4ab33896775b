"""tar archives without I/O: bytes in, members and their content out.

    archive   = *(header content padding) end
    header    = 512 bytes: name 100, …, size at 124, checksum at 148, type at 156, "ustar" at 257, prefix at 345
    padding   = zeros up to the next multiple of 512
    end       = at least one block of zeros, then nothing but zeros

    type      is
    0 NUL 7   a file
    5         a directory; so is a file of the oldest format, NUL, whose name ends in a slash
    x X       records (POSIX pax) of the next member: "<length> <keyword>=<value>\\n" each
    g         records of all members that follow
    L K       the long name, the long link (GNU) of the next member

Formats: V7, ustar (POSIX.1-1988), pax (POSIX.1-2001), GNU. All else is refused, for it would otherwise be lost without
a word: links, devices, sparse files, volumes. An archive without an end is refused too: it is a part of one.

Memory is constant: content is given out as it arrives; records and long names are bounded, for one member and for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gateway.s3.errors import InvalidArgument, InvalidRequest

BLOCK = 512
MAX_RECORDS = 64 * 1024  # bytes, of one member
MAX_GLOBAL_RECORDS = 8 * 1024  # each member has them anew

_END = bytes(BLOCK)
_FILES, _OLD_FILE, _DIRECTORY = (b"0", b"\0", b"7"), b"\0", b"5"
_EXTENSIONS = (b"x", b"X", b"g", b"L", b"K")
_POSIX = b"ustar\0"  # only this format has a prefix; GNU has times at its place
_OCTAL = re.compile(rb"[0-7]{1,24}")
_LENGTH = re.compile(rb"([0-9]{1,6}) ")
_NO_RECORDS: Mapping[str, str] = {}
_NAMES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
    b"S": "a sparse file",
}


class Member(NamedTuple):
    """A file or a directory; `size` bytes of content follow. `records` are pax's, the global ones too. Text is UTF-8
    with `surrogateescape`."""

    name: str
    size: int
    is_directory: bool
    records: Mapping[str, str]


class TarReader:
    """Reads one archive."""

    def __init__(self) -> None:
        self._kept = bytearray()  # of a header that has not come whole
        self._left = self._padding = 0  # bytes of content, and behind it
        self._extension = b""  # the type of what is being collected, "" where content is given out
        self._collected = bytearray()
        self._global: dict[str, str] = {}
        self._global_size = 0
        # What waits for its member: records, a name, and the bytes that these took.
        self._records: dict[str, str] = {}
        self._long_name = ""
        self._waiting_size = 0
        self._ended = False

    def feed(self, data: bytes | memoryview) -> Iterator[Member | memoryview]:
        """A member, then its content in pieces, none of them empty; they are views of `data`. To be exhausted before
        the next call. Raises InvalidRequest, and InvalidArgument for members of other kinds."""
        view, at = memoryview(data), 0
        while at < len(view):
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if not self._extension:
                    yield piece
                else:
                    self._collect(piece)
            elif self._padding:
                skipped = min(self._padding, len(view) - at)
                self._padding -= skipped
                at += skipped
            elif self._ended:
                self._check_end(view[at:])
                return
            else:
                header = view[at : at + BLOCK - len(self._kept)]
                at += len(header)
                self._kept += header
                if len(self._kept) == BLOCK:
                    block = bytes(self._kept)
                    self._kept.clear()
                    member = self._read_header(block)
                    if member is not None:
                        yield member

    def finish(self) -> None:
        """The archive has ended: InvalidRequest where it may not end here."""
        if not self._ended:
            raise _malformed("The archive ends before its end mark: it is truncated, or no tar archive.")

    def _check_end(self, rest: memoryview) -> None:
        if bytes(rest).strip(b"\0"):
            raise _malformed("Something follows the archive's end mark.")

    def _read_header(self, block: bytes) -> Member | None:
        if block == _END:
            if self._waiting_size:
                raise _malformed("The archive ends after a header that belongs to a member.")
            self._ended = True
            return None
        _check_sum(block)
        size, kind = _number(block[124:136]), block[156:157]
        if kind not in _EXTENSIONS:
            return self._begin_member(block, kind, size)
        self._begin_extension(kind, size)
        return None

    def _begin_extension(self, kind: bytes, size: int) -> None:
        if kind == b"g":
            self._global_size += size
        else:
            self._waiting_size += max(size, 1)
        if self._waiting_size > MAX_RECORDS or self._global_size > MAX_GLOBAL_RECORDS:
            raise _malformed("A member's records, or those of all members, are too long.")
        self._extension = kind
        self._begin_content(size)
        if not size:
            self._end_extension()

    def _begin_member(self, block: bytes, kind: bytes, size: int) -> Member:
        records: Mapping[str, str] = _NO_RECORDS
        if self._global or self._records:
            records = {**self._global, **self._records}
            size = _record_size(records, size)
        name = records.get("path") or self._long_name or _name(block)
        if self._waiting_size:
            self._records, self._long_name, self._waiting_size = {}, "", 0
        is_directory = kind == _DIRECTORY or (kind == _OLD_FILE and name.endswith("/"))
        if not is_directory:
            _check_is_file(name, kind, records)
        self._begin_content(0 if is_directory else size)
        return Member(name, self._left, is_directory, records)

    def _begin_content(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _collect(self, piece: memoryview) -> None:
        self._collected += piece
        if not self._left:
            self._end_extension()

    def _end_extension(self) -> None:
        content, kind = bytes(self._collected), self._extension
        self._collected.clear()
        self._extension = b""
        if kind == b"L":
            self._long_name = _text(content)
        elif kind == b"g":
            self._global.update(_read_records(content))
        elif kind != b"K":  # a link will be refused, whatever it leads to
            self._records.update(_read_records(content))


def _malformed(message: str) -> InvalidRequest:
    return InvalidRequest(message)


def _check_sum(block: bytes) -> None:
    """The sum of the header's bytes, its own field counted as spaces. Some old programs took the bytes as signed."""
    announced = _number(block[148:156])
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    if total != announced:
        high = sum(byte > 0x7F for byte in block[:148] + block[156:])
        if total - 256 * high != announced:
            raise _malformed(
                "A header's checksum is wrong: the body is damaged, or neither a tar archive nor a tar.gz."
            )


def _number(field: bytes) -> int:
    """Octal digits, or (GNU) a big-endian number behind the byte 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if _OCTAL.fullmatch(text) is None:
        raise _malformed("A header's number is not one: the body is damaged, or neither a tar archive nor a tar.gz.")
    return int(text, 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _name(block: bytes) -> str:
    name = _text(block[:100])
    if block[257:263] == _POSIX and block[345]:
        return f"{_text(block[345:500])}/{name}"
    return name


def _read_records(content: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(content):
        length = _LENGTH.match(content, at)
        end = at + int(length[1]) if length else 0
        record = content[length.end() : end] if length else b""
        keyword, equals, value = record.partition(b"=")
        if end > len(content) or not keyword or not equals or not value.endswith(b"\n"):
            raise _malformed("A header's records are not well-formed.")
        yield keyword.decode("utf-8", "surrogateescape"), value[:-1].decode("utf-8", "surrogateescape")
        at = end


def _record_size(records: Mapping[str, str], size: int) -> int:
    text = records.get("size")
    if not text:
        return size
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _malformed("The size in a header's records is not a number.")
    return int(text)


def _check_is_file(name: str, kind: bytes, records: Mapping[str, str]) -> None:
    if kind in _FILES and not (records and any(keyword.startswith("GNU.sparse.") for keyword in records)):
        return
    found = _NAMES[b"S"] if kind in _FILES else _NAMES.get(kind, f"of type {kind!r}")
    hint = " Have tar put files in the place of links: -h --hard-dereference." if kind in (b"1", b"2") else ""
    message = f"A member of the archive is {found}; only files and directories can be stored.{hint}"
    raise InvalidArgument(message, fields={"ArgumentName": "archive", "ArgumentValue": name})
