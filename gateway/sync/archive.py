"""Small files as one tar archive, as a gateway of ours takes them by one put (S3's Snowball batching). Pure.

A file is a pax header with its records and a ustar header with its content (POSIX.1-2008, pax interchange format):

    length SP keyword "=" value LF      length in decimal, of all of the record
    path                                the name, where ustar's field has no room for it
    minio.metadata.<header>             a header that the object is to be put with
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

_BLOCK = 512
_NAME_BYTES = 100
_OWN_HEADER = "minio.metadata."
_PADDING = bytes(_BLOCK)


def pack(files: Iterable[tuple[str, bytes, Mapping[str, str]]]) -> bytes:
    """Of each file its name, content and headers. Names have no empty parts, `.` or `..`."""
    pieces = [piece for name, data, headers in files for piece in _member(name, data, headers)]
    return b"".join([*pieces, _PADDING, _PADDING])


def can_name(path: str) -> bool:
    """Whether a key arrives as it is: archives' names are paths."""
    return all(part not in ("", ".", "..") for part in path.split("/"))


def _member(name: str, data: bytes, headers: Mapping[str, str]) -> Iterator[bytes]:
    encoded = name.encode()
    records = [_record(_OWN_HEADER + header, value) for header, value in headers.items()]
    if len(encoded) > _NAME_BYTES or not encoded.isascii():
        records.append(_record("path", name))
        encoded = b"file"
    if records:
        yield from _entry(b"x", b"pax", b"".join(records))
    yield from _entry(b"0", encoded, data)


def _entry(kind: bytes, name: bytes, data: bytes) -> Iterator[bytes]:
    size = b"%011o" % len(data)
    # name, mode, uid, gid, size, mtime; checksum as blanks; type, link name; magic and version
    head = b"%s0000644\x000000000\x000000000\x00%s\x0000000000000\x00        %s%s" % (
        name.ljust(_NAME_BYTES, b"\0"),
        size,
        kind,
        bytes(100),
    )
    head = (head + b"ustar\x0000").ljust(_BLOCK, b"\0")
    yield head[:148] + b"%06o\x00 " % sum(head) + head[156:]
    yield data
    if rest := len(data) % _BLOCK:
        yield _PADDING[rest:]


def _record(keyword: str, value: str) -> bytes:
    text = f" {keyword}={value}\n".encode()
    length = len(text)
    while length != (told := len(text) + len(str(length))):  # which counts its own digits
        length = told
    return str(length).encode() + text
