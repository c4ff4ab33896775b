"""Any key survives the way through a path, a copy source, and a listing."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from gateway.s3 import operations as op
from gateway.s3 import parse, render_lists
from gateway.s3.address import address, parse_query
from gateway.s3.parse_headers import copy_source
from gateway.s3.render_lists import url_encode
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import as_client

NOW = datetime(2026, 11, 21, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
keys = texts.filter(bool)
xml_keys = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r"),
    min_size=1,
    max_size=60,
)


@given(keys, st.sampled_from(["", "/", "/+~!*'()"]))
def test_a_path_gives_the_key_back(key: str, safe: str) -> None:
    assert address("/bucket/" + quote(key, safe=safe), "", ()) == ("bucket", key)
    assert address("/" + quote(key, safe=safe), "b.s3.test", ("s3.test",)) == ("b", key)


@given(st.lists(st.tuples(keys, texts)))
def test_a_query_gives_its_values_back(pairs: list[tuple[str, str]]) -> None:
    raw_query = "&".join(f"{quote(name, safe='')}={quote(value, safe='').replace('%20', '+')}" for name, value in pairs)
    assert parse_query(raw_query) == tuple(pairs)


@given(keys, st.none() | keys, st.booleans())
def test_a_copy_source_gives_key_and_revision_back(key: str, version: str | None, slash: bool) -> None:
    suffix = "" if version is None else f"?versionId={quote(version, safe='')}"
    source = f"{'/' if slash else ''}bucket/{quote(key)}{suffix}"
    assert copy_source(ask("PUT", "/b/k", x_amz_copy_source=source)) == op.CopySource("bucket", key, version)


@given(texts)
def test_encoding_type_url_is_undone_by_unquoting(text: str) -> None:
    encoded = url_encode(text)
    assert unquote(encoded) == text
    assert encoded.isascii()
    assert not set(encoded) & set('&<>"+ \n')


@given(st.lists(keys, max_size=5), texts)
def test_a_listing_with_encoding_type_url_gives_any_key_back(names: list[str], prefix: str) -> None:
    request = op.ListObjectsInput("b", 1, prefix=prefix, delimiter=prefix or None, encoding_type="url")
    contents = tuple(op.ObjectSummary(name, NOW, "e", 1) for name in names)
    answer = as_client(
        "ListObjects", render_lists.list_objects(op.ListObjectsOutput(request, "b", contents, tuple(names), False))
    )
    assert [unquote(entry["Key"]) for entry in answer.get("Contents", [])] == names
    assert [unquote(entry["Prefix"]) for entry in answer.get("CommonPrefixes", [])] == names
    assert unquote(answer["Prefix"]) == prefix


@given(st.lists(xml_keys, max_size=5))
def test_a_plain_listing_gives_every_key_back_that_xml_can_hold(names: list[str]) -> None:
    request = op.ListObjectsInput("b", 2)
    contents = tuple(op.ObjectSummary(name, NOW, "e", 1) for name in names)
    answer = as_client(
        "ListObjectsV2", render_lists.list_objects(op.ListObjectsOutput(request, "b", contents, (), False))
    )
    assert [entry["Key"] for entry in answer.get("Contents", [])] == names


@given(st.lists(xml_keys, min_size=1, max_size=5))
def test_delete_objects_takes_every_key_that_xml_can_hold(names: list[str]) -> None:
    from gateway.s3.xml import document, element, group

    body = document("Delete", *(group("Object", element("Key", name)) for name in names))
    taken = parse.delete_objects(ask("POST", "/b?delete"), body)
    assert [entry.key for entry in taken.objects] == names
