"""Text through XML and back; and no bytes whatever make the reader fail in another way than its own."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.errors import MalformedXML
from gateway.s3.xml import document, element, escape, legible, parse_xml

xml_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r")
)
fragments = st.sampled_from(
    [
        b"<A>",
        b"</A>",
        b"<A",
        b"/>",
        b"&amp;",
        b"&#0;",
        b"&#x1;",
        b"<!DOCTYPE A",
        b"<![CDATA[",
        b"]]>",
        b"<?xml?>",
        b"<!--",
        b"x:",
        b" xmlns='u'",
        b" a='1'",
        b"\xff",
        b"\x00",
        b"text",
        b"\xef\xbb\xbf",
        b"<!ENTITY a 'b'>",
        b">",
    ]
)


@given(xml_text)
def test_escaped_text_is_read_back(text: str) -> None:
    assert parse_xml(document("A", element("K", text)), "A").child_text("K") == text


@given(st.text(st.characters()))
def test_legible_text_can_be_read_by_anyone(text: str) -> None:
    shown = parse_xml(document("A", element("K", legible(text))), "A").child_text("K")
    assert shown == legible(text)


@given(st.text(st.characters()))
def test_escaped_text_has_no_markup_of_its_own(text: str) -> None:
    assert not set(escape(text)) & set('<>"\r')
    escape(text).encode()


@given(st.binary(max_size=200) | st.lists(fragments, max_size=20).map(b"".join))
def test_any_bytes_are_a_document_or_malformed(body: bytes) -> None:
    with suppress(MalformedXML):
        assert parse_xml(body, "A").name == "A"
