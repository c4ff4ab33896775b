"""tar archives, whole and broken, for the tests of the reader and of the live gateway."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

BATCH = {"x-amz-meta-snowball-auto-extract": "true"}


def tar_of(
    files: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    *,
    records: Mapping[str, Mapping[str, str]] | None = None,
    mode: str = "w",
    form: int = tarfile.PAX_FORMAT,
    directories: Iterable[str] = (),
) -> bytes:
    """An archive of directories, then files; `records` are pax's by name of the file."""
    written = io.BytesIO()
    opening: Any = tarfile.open
    with opening(fileobj=written, mode=mode, format=form) as archive:
        for name in directories:
            archive.addfile(member(name, type=tarfile.DIRTYPE))
        for name, content in files.items() if isinstance(files, Mapping) else files:
            found = member(name, size=len(content))
            found.pax_headers = dict((records or {}).get(name, {}))
            archive.addfile(found, io.BytesIO(content))
    return written.getvalue()


def tar_of_members(*members: tarfile.TarInfo) -> bytes:
    """An archive of members without content."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for found in members:
            archive.addfile(found)
    return written.getvalue()


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(found, field, value)
    return found


def header(name: bytes, size: bytes = b"0000000000\0", kind: bytes = b"0", magic: bytes = b"ustar\x0000") -> bytes:
    """One header, its checksum right, whatever the rest is."""
    block = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size.ljust(12, b"\0") + b"00000000000\0"
    block += b" " * 8 + kind + b"\0" * 100 + magic.ljust(8, b"\0")
    block = block.ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


END = bytes(1024)
