"""Bucket names: printing and reading undo each other, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.s3.bucket import BucketName, format_bucket, parse_bucket
from gateway.s3.errors import InvalidBucketName

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", fullmatch=True)


@st.composite
def bucket_names(draw: st.DrawFn) -> BucketName:
    count = draw(st.integers(1, 3))
    names = [draw(labels) for _ in range(count)]
    return BucketName(*reversed(names))


@given(bucket_names())
def test_every_name_is_read_as_it_was_printed(name: BucketName) -> None:
    text = ".".join(label for label in (name.revision, name.branch, name.repo) if label is not None)
    assume(3 <= len(text) <= 63)
    assert format_bucket(name) == text
    assert parse_bucket(text) == name


@given(st.lists(st.sampled_from(["a", "0-b", "-", ".", "head-3", "deadbeef", "_", "main."]), min_size=1).map("".join))
def test_what_is_read_is_printed_the_same(text: str) -> None:
    with suppress(InvalidBucketName):
        assert format_bucket(parse_bucket(text)) == text
        assert 3 <= len(text) <= 63


@given(st.text(max_size=70))
def test_any_other_text_is_refused_in_one_way(text: str) -> None:
    with suppress(InvalidBucketName):
        assert str(parse_bucket(text)) == text
