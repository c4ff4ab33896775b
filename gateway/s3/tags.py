"""Tag sets: S3's limits, and their two forms: the x-amz-tagging header and the <Tagging> document.

A tag set is a mapping, sorted by key, which is the order in which it is given back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gateway.s3.address import parse_query
from gateway.s3.errors import InvalidTag, InvalidURI, MalformedXML
from gateway.s3.parse_params import invalid_argument
from gateway.s3.xml import Element, element, group, parse_xml

MAX_OBJECT_TAGS = 10
MAX_BUCKET_TAGS = 50
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256

_TEXT = re.compile(r"[\w\s.:/=+@-]*")  # letters and digits of any script
_RESERVED = "aws:"


def check_tags(pairs: Iterable[tuple[str, str]], most: int = MAX_OBJECT_TAGS) -> dict[str, str]:
    """The tag set that the pairs make up; InvalidTag where S3 would not take it."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise InvalidTag("Cannot provide multiple Tags with the same key", fields={"TagKey": key})
        if not 1 <= len(key) <= MAX_TAG_KEY or not _TEXT.fullmatch(key) or key.startswith(_RESERVED):
            raise InvalidTag("The TagKey you have provided is invalid", fields={"TagKey": key})
        if len(value) > MAX_TAG_VALUE or not _TEXT.fullmatch(value):
            raise InvalidTag("The TagValue you have provided is invalid", fields={"TagKey": key, "TagValue": value})
        tags[key] = value
    if len(tags) > most:
        raise InvalidTag(f"There can not be more than {most} tags")
    return dict(sorted(tags.items()))


def parse_tags_header(text: str) -> dict[str, str]:
    """A tag set in the form of a query string; InvalidTag, and InvalidArgument where it is not UTF-8."""
    try:
        pairs = parse_query(text)
    except InvalidURI as error:
        raise invalid_argument(
            "x-amz-tagging", text, "The header 'x-amz-tagging' shall be encoded as UTF-8."
        ) from error
    return check_tags(pairs)


def parse_tagging(body: bytes, most: int = MAX_OBJECT_TAGS) -> dict[str, str]:
    """A tag set as XML, `<Tagging><TagSet><Tag>…`; InvalidTag, MalformedXML."""
    tag_set = parse_xml(body, "Tagging").find("TagSet")
    if tag_set is None:
        raise MalformedXML
    return read_tags(tag_set, most)


def read_tags(tag_set: Element, most: int) -> dict[str, str]:
    """The tag set that an element's <Tag>s make up; InvalidTag, MalformedXML."""
    return check_tags([_pair(tag) for tag in tag_set.find_all("Tag")], most)


def _pair(tag: Element) -> tuple[str, str]:
    key, value = tag.child_text("Key"), tag.child_text("Value")
    if key is None or value is None:
        raise MalformedXML
    return key, value


def tag_set_element(tags: Mapping[str, str]) -> str:
    return group("TagSet", *(group("Tag", element("Key", key), element("Value", tags[key])) for key in tags))
