"""The times of files in objects' metadata."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sync.times import format_mtime, mtime_of, parse_mtime


@given(st.integers(1 - 2**63, 2**63 - 1))
def test_what_is_written_is_read(mtime_ns: int) -> None:
    assert parse_mtime(format_mtime(mtime_ns)) == mtime_ns


@pytest.mark.parametrize(
    ("headers", "mtime_ns"),
    [
        ({"x-amz-meta-mtime": "1434567890.5"}, 1_434_567_890_500_000_000),
        ({"x-amz-meta-mtime": "1434567890.123456789"}, 1_434_567_890_123_456_789),
        ({"x-amz-meta-mtime": "1434567890"}, 1_434_567_890_000_000_000),
        (
            {"x-amz-meta-s3cmd-attrs": "atime:1/ctime:2/gid:0/gname:root/md5:d4/mode:33188/mtime:1434567890/uid:0"},
            1_434_567_890_000_000_000,
        ),
        ({"x-amz-meta-mtime": "2", "x-amz-meta-s3cmd-attrs": "mtime:1"}, 2_000_000_000),
        (
            {"x-amz-meta-mtime": "yesterday", "last-modified": "Wed, 17 Jun 2015 19:04:50 GMT"},
            1_434_567_890_000_000_000,
        ),
        ({"x-amz-meta-mtime": "99999999999"}, None),
        ({"x-amz-meta-s3cmd-attrs": "mtime", "last-modified": "nonsense"}, None),
        ({}, None),
    ],
)
def test_the_best_that_an_object_tells_counts(headers: dict[str, str], mtime_ns: int | None) -> None:
    assert mtime_of(headers) == mtime_ns
