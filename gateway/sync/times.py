"""When a file was written, as S3 clients keep it in an object's metadata.

x-amz-meta-mtime: 1434567890.123456789                 rclone's: seconds since the epoch; also written here
x-amz-meta-s3cmd-attrs: atime:…/mtime:1434567890/…     s3cmd's
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.s3.dates import parse_http_date

MTIME = "x-amz-meta-mtime"
_S3CMD = "x-amz-meta-s3cmd-attrs"
_SECONDS = re.compile(r"(?P<sign>-?)(?P<seconds>[0-9]{1,11})(?:\.(?P<fraction>[0-9]{1,9})[0-9]*)?")
_SECOND_NS = 1_000_000_000
_BEYOND_NS = 1 << 63  # of what a file system can be told


def format_mtime(mtime_ns: int) -> str:
    sign, rest = ("-", -mtime_ns) if mtime_ns < 0 else ("", mtime_ns)
    return f"{sign}{rest // _SECOND_NS}.{rest % _SECOND_NS:09d}"


def parse_mtime(text: str) -> int | None:
    """None where it is no number of seconds, or of too many."""
    found = _SECONDS.fullmatch(text.strip())
    if found is None:
        return None
    mtime_ns = int(found["seconds"]) * _SECOND_NS + int((found["fraction"] or "").ljust(9, "0"))
    mtime_ns = -mtime_ns if found["sign"] else mtime_ns
    return mtime_ns if abs(mtime_ns) < _BEYOND_NS else None


def mtime_of(headers: Mapping[str, str]) -> int | None:
    """What an object's headers tell; its Last-Modified where they tell nothing else."""
    told = parse_mtime(headers.get(MTIME, ""))
    if told is None:
        attributes = dict(pair.partition(":")[::2] for pair in headers.get(_S3CMD, "").split("/"))
        told = parse_mtime(attributes.get("mtime", ""))
    if told is None:
        moment = parse_http_date(headers.get("last-modified", ""))
        told = None if moment is None else int(moment.timestamp()) * _SECOND_NS
    return told
