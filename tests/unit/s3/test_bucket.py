from __future__ import annotations

import pytest

from gateway.s3.bucket import BucketName, check_new_bucket, format_bucket, parse_bucket
from gateway.s3.errors import InvalidBucketName


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mydata", BucketName("mydata")),
        ("master.images", BucketName("images", "master")),
        ("aaa.111", BucketName("111", "aaa")),
        ("a.b", BucketName("b", "a")),
        ("deadbeef.main.images", BucketName("images", "main", "deadbeef")),
        ("head-3.main.images", BucketName("images", "main", "head-3")),
        ("v1-0.main.images", BucketName("images", "main", "v1-0")),
        ("a" * 63, BucketName("a" * 63)),
    ],
)
def test_labels_are_read_from_the_right(text: str, expected: BucketName) -> None:
    assert parse_bucket(text) == expected
    assert format_bucket(expected) == str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "aa",
        "a" * 64,
        "foo_bar",
        "_x",
        "foo-",
        "-foo",
        "..",
        ".-",
        "-.",
        "alpha..beta",
        "foo.-bar",
        "foo-.bar",
        "Foo",
        "192.168.5.123",
        "a.b.c.d",
        "foo/bar",
        "föö",
        "foo\n",
        "foo bar",
        "١٢٣",
    ],
)
def test_illegal_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidBucketName) as raised:
        parse_bucket(text)
    assert raised.value.fields == {"BucketName": text}


@pytest.mark.parametrize(
    ("revision", "rev"),
    [
        ("head-3", "HEAD~3"),
        ("head-0", "HEAD~0"),
        ("head-03", "head-03"),  # not how an ancestor is written, so a tag
        ("head", "head"),
        ("deadbeef", "deadbeef"),
        (None, None),
    ],
)
def test_revision_in_the_stores_grammar(revision: str | None, rev: str | None) -> None:
    name = BucketName("images", "main", revision)
    assert name.rev == rev
    assert name.is_snapshot is (revision is not None)


def test_a_name_without_text_cannot_be_formatted() -> None:
    with pytest.raises(InvalidBucketName):
        format_bucket(BucketName("images", None, "deadbeef"))
    with pytest.raises(InvalidBucketName):
        format_bucket(BucketName("ab"))


@pytest.mark.parametrize("text", ["mydata", "master.images", "abc", "9ab", "my-s3aliases", "x" * 63])
def test_new_bucket_may_have_any_ordinary_name(text: str) -> None:
    assert check_new_bucket(text) == parse_bucket(text)


@pytest.mark.parametrize(
    "text",
    [
        "xn--abc",
        "sthree-abc",
        "amzn-s3-demo-abc",
        "abc-s3alias",
        "abc--ol-s3",
        "abc.mrap",
        "abc--x-s3",
        "abc--table-s3",
    ],
)
def test_new_bucket_must_not_take_a_reserved_name(text: str) -> None:
    with pytest.raises(InvalidBucketName, match="reserves"):
        check_new_bucket(text)


def test_new_bucket_cannot_be_a_snapshot() -> None:
    with pytest.raises(InvalidBucketName, match="snapshot"):
        check_new_bucket("deadbeef.main.images")
