"""Tag sets: their limits, and that what comes in as header or XML goes out as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.errors import InvalidArgument, InvalidTag, MalformedXML
from gateway.s3.tags import (
    MAX_BUCKET_TAGS,
    MAX_OBJECT_TAGS,
    MAX_TAG_KEY,
    MAX_TAG_VALUE,
    check_tags,
    parse_tagging,
    parse_tags_header,
    tag_set_element,
)
from gateway.s3.xml import document

LEGAL = st.text(st.characters(categories=["L", "N"], include_characters=" .:/=+-_@"), max_size=MAX_TAG_KEY)
TAG_SETS = st.dictionaries(
    LEGAL.filter(lambda key: key != "" and not key.startswith("aws:")), LEGAL, max_size=MAX_OBJECT_TAGS
)


def tagging(content: str) -> bytes:
    return f"<Tagging>{content}</Tagging>".encode()


@pytest.mark.parametrize(
    "pairs",
    [
        [(f"k{number}", "v") for number in range(MAX_OBJECT_TAGS + 1)],
        [("k" * (MAX_TAG_KEY + 1), "v")],
        [("k", "v" * (MAX_TAG_VALUE + 1))],
        [("", "v")],
        [("k", "1"), ("k", "2")],
        [("aws:x", "v")],
        [("k*", "v")],
        [("k", "v\x00")],
    ],
)
def test_tags_beyond_the_limits_are_invalid(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidTag):
        check_tags(pairs)


def test_tags_at_the_limits_come_sorted() -> None:
    pairs = [(str(number) + "é" * 127, "v" * 256) for number in range(9, -1, -1)]
    assert list(check_tags(pairs)) == sorted(key for key, _ in pairs)
    assert check_tags([("a b.:/=+-_@", "")]) == {"a b.:/=+-_@": ""}


def test_a_bucket_may_have_more_tags_than_an_object() -> None:
    pairs = [(f"k{number:02}", "v") for number in range(MAX_BUCKET_TAGS)]
    assert check_tags(pairs, MAX_BUCKET_TAGS) == dict(pairs)
    with pytest.raises(InvalidTag):
        check_tags([*pairs, ("more", "v")], MAX_BUCKET_TAGS)


# ---------------------------------------------------------------- header


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", {}),
        ("k=v", {"k": "v"}),
        ("k", {"k": ""}),
        ("k=", {"k": ""}),
        ("b=2&a=1&", {"a": "1", "b": "2"}),
        ("a=x=y", {"a": "x=y"}),
        ("a+b=c%20d%2B", {"a b": "c d+"}),
        ("%C3%A9=%E2%82%AA", None),  # a currency sign is no letter
        ("%C3%A9=%C3%A9", {"é": "é"}),
        ("a=%FF", None),
        ("a=1&a=2", None),
        ("=v", None),
    ],
)
def test_the_header_is_a_query_string(text: str, tags: dict[str, str] | None) -> None:
    if tags is None:
        with pytest.raises((InvalidTag, InvalidArgument)):
            parse_tags_header(text)
    else:
        assert parse_tags_header(text) == tags


@given(st.text(max_size=80))
def test_any_header_is_a_tag_set_or_refused(text: str) -> None:
    try:
        tags = parse_tags_header(text)
    except (InvalidTag, InvalidArgument):
        return
    assert check_tags(tags.items()) == tags


# ---------------------------------------------------------------- XML


def test_a_document_with_and_without_namespace() -> None:
    tag_set = "<TagSet><Tag><Key>b</Key><Value> 2 </Value></Tag><Tag><Value/><Key>a</Key></Tag></TagSet>"
    expected = {"a": "", "b": " 2 "}
    assert parse_tagging(tagging(tag_set)) == expected
    assert parse_tagging(document("Tagging", tag_set)) == expected
    assert list(parse_tagging(tagging(tag_set))) == ["a", "b"]


def test_an_empty_tag_set_is_none() -> None:
    assert parse_tagging(tagging("<TagSet/>")) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Tagging/>",
        b"<TagSet/>",
        b"<Tagging><TagSet/><TagSet/></Tagging>",
        b"<Tagging><TagSet><Tag/></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value>v</Value></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet>",
    ],
)
def test_other_documents_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse_tagging(body)


@given(TAG_SETS)
def test_what_is_written_is_read_back(tags: dict[str, str]) -> None:
    body = document("Tagging", tag_set_element(tags))
    assert parse_tagging(body) == dict(sorted(tags.items()))
