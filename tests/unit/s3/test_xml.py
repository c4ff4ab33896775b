from __future__ import annotations

import pytest

from gateway.s3 import xml
from gateway.s3.errors import MalformedXML
from gateway.s3.xml import NAMESPACE, document, element, escape, group, legible, optional, parse_xml


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete><Object><Key>a</Key></Object></Delete>",
        b'<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="%s"><Object><Key>a</Key></Object></Delete>'
        % NAMESPACE.encode(),
        b'<s3:Delete xmlns:s3="urn:x"><s3:Object><s3:Key>a</s3:Key></s3:Object></s3:Delete>',
        b"\n<!-- hi --><Delete >\n <Object>\n  <Key><![CDATA[a]]></Key>\n </Object>\n</Delete>\n"[1:],
        b"\xef\xbb\xbf<Delete><Object><Key>&#97;</Key></Object></Delete>",
    ],
)
def test_namespace_prefix_and_layout_make_no_difference(body: bytes) -> None:
    root = parse_xml(body, "Delete")
    assert [entry.child_text("Key") for entry in root.find_all("Object")] == ["a"]


def test_text_is_kept_as_it_is() -> None:
    root = parse_xml("<A><Key>  a &amp; é\n</Key><Empty/></A>".encode(), "A")
    assert root.child_text("Key") == "  a & é\n"
    assert root.child_text("Empty") == ""
    assert root.child_text("Missing") is None


def test_attributes_lose_their_prefix() -> None:
    root = parse_xml(b'<Grantee xmlns:xsi="urn:i" xsi:type="Group"/>', "Grantee")
    assert root.attributes["type"] == "Group"


def test_long_text_arrives_whole() -> None:
    text = "é&" * 100_000
    assert parse_xml(document("A", element("K", text)), "A").child_text("K") == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"not xml",
        b"<Delete>",
        b"<Delete></Other>",
        b"<Other/>",
        b"<Delete/><Delete/>",
        b"<Delete>\xff</Delete>",
        b"<Delete>\x00</Delete>",
        b"<Delete>&nbsp;</Delete>",
        b"<!DOCTYPE Delete><Delete/>",
        b'<!DOCTYPE d [<!ENTITY a "b">]><Delete>&a;</Delete>',
        b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete>&a;</Delete>',
        b'<!DOCTYPE d SYSTEM "http://localhost/x.dtd"><Delete/>',
        b'<Delete a="1" a="2"/>',
    ],
)
def test_everything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse_xml(body, "Delete")


def test_a_declared_encoding_is_not_believed() -> None:
    body = '<?xml version="1.0" encoding="big5"?><Delete><Key>é</Key></Delete>'.encode()
    assert parse_xml(body, "Delete").child_text("Key") == "é"
    assert parse_xml("<Delete><Key>é</Key></Delete>".encode("utf-16"), "Delete").child_text("Key") == "é"


def test_size_depth_and_count_are_bounded() -> None:
    deepest = b"<A>" * xml.MAX_DEPTH + b"</A>" * xml.MAX_DEPTH
    parse_xml(deepest, "A")
    most = b"<A>" + b"<B/>" * (xml.MAX_ELEMENTS - 1) + b"</A>"
    parse_xml(most, "A")
    for body in (b"<A>" + deepest + b"</A>", most.replace(b"</A>", b"<B/></A>"), b"<A>" * 300_000):
        with pytest.raises(MalformedXML):
            parse_xml(body, "A")


def test_a_body_over_its_limit_is_malformed() -> None:
    body = b"<A>" + b" " * 100 + b"</A>"
    parse_xml(body, "A", max_bytes=len(body))
    with pytest.raises(MalformedXML):
        parse_xml(body, "A", max_bytes=len(body) - 1)


def test_a_child_that_must_be_single_is_refused_twice() -> None:
    with pytest.raises(MalformedXML):
        parse_xml(b"<A><K>1</K><K>2</K></A>", "A").child_text("K")


def test_document_and_its_parts() -> None:
    body = document(
        "A", element("K", '<&>"\r'), optional("No", None), optional("Yes", ""), group("G", element("X", "1"))
    )
    assert body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<K>&lt;&amp;&gt;&quot;&#xD;</K><Yes></Yes><G><X>1</X></G></A>"
    )
    assert document("A", namespace=None).endswith(b"\n<A></A>")


def test_what_xml_cannot_hold_goes_out_as_a_reference() -> None:
    assert escape("a\x01\x1f\ufffe\udcffb\n\t") == "a&#x1;&#x1F;&#xFFFE;&#xDCFF;b\n\t"
    assert legible("a\x01\udcffb\n") == "a\ufffd\ufffdb\n"
