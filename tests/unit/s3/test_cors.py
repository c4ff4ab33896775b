"""CORS rules: read, written, matched."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3 import operations as op
from gateway.s3 import parse_access, render_access
from gateway.s3.cors import METHODS, VARY, CorsRule, Match, header_names, match, parse_cors, render_cors
from gateway.s3.errors import BadRequest, InvalidRequest, MalformedXML, S3Error
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import as_client

FULL = CorsRule(
    allowed_origins=("https://*.example.org", "http://localhost:3000"),
    allowed_methods=("GET", "PUT"),
    allowed_headers=("x-amz-*", "Content-Type"),
    expose_headers=("ETag", "x-amz-version-id"),
    max_age_s=3000,
    id="a rule",
)

# ---------------------------------------------------------------- XML


def rule_xml(content: str) -> bytes:
    return f"<CORSConfiguration><CORSRule>{content}</CORSRule></CORSConfiguration>".encode()


ANY_GET = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"


def test_a_configuration_as_clients_write_it() -> None:
    body = b"""<?xml version="1.0"?>
    <CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
      <CORSRule>
        <ID>a rule</ID>
        <AllowedOrigin>https://*.example.org</AllowedOrigin>
        <AllowedOrigin> http://localhost:3000 </AllowedOrigin>
        <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
        <AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>
        <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-version-id</ExposeHeader>
        <MaxAgeSeconds>3000</MaxAgeSeconds>
      </CORSRule>
    </CORSConfiguration>"""
    assert parse_cors(body) == (FULL,)


def test_boto_reads_what_is_written() -> None:
    text = render_cors([FULL]).decode()
    assert as_client("GetBucketCors", render_access.get_bucket_cors(op.GetBucketCorsOutput(text))) == {
        "CORSRules": [
            {
                "ID": "a rule",
                "AllowedOrigins": ["https://*.example.org", "http://localhost:3000"],
                "AllowedMethods": ["GET", "PUT"],
                "AllowedHeaders": ["x-amz-*", "Content-Type"],
                "ExposeHeaders": ["ETag", "x-amz-version-id"],
                "MaxAgeSeconds": 3000,
            }
        ]
    }


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("<AllowedOrigin>*</AllowedOrigin>", MalformedXML, "XML"),
        ("<AllowedMethod>GET</AllowedMethod>", MalformedXML, "XML"),
        (f"{ANY_GET}<MaxAgeSeconds>soon</MaxAgeSeconds>", MalformedXML, "XML"),
        (f"{ANY_GET}<MaxAgeSeconds>-1</MaxAgeSeconds>", MalformedXML, "XML"),
        (f"{ANY_GET}<ID>{'x' * 256}</ID>", MalformedXML, "XML"),
        (f"{ANY_GET}<AllowedOrigin/>", MalformedXML, "XML"),
        (f"{ANY_GET}<ExposeHeader>a&#10;b</ExposeHeader>", MalformedXML, "XML"),
        (f"{ANY_GET}<AllowedMethod>PATCH</AllowedMethod>", InvalidRequest, "PATCH"),
        (f"{ANY_GET}<AllowedMethod>get</AllowedMethod>", InvalidRequest, "get"),
        (f"{ANY_GET}<AllowedOrigin>http://*.*</AllowedOrigin>", InvalidRequest, 'AllowedOrigin "http://\\*.\\*"'),
        (f"{ANY_GET}<AllowedHeader>*-*</AllowedHeader>", InvalidRequest, "AllowedHeader"),
        (f"{ANY_GET}<ExposeHeader>x-*</ExposeHeader>", InvalidRequest, "ExposeHeader"),
    ],
)
def test_rules_that_are_refused(content: str, error: type[S3Error], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_cors(rule_xml(content))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CORSConfiguration/>",
        b"<Other/>",
        b"<CORSConfiguration><Rule/></CORSConfiguration>",
        b"<CORSConfiguration>" + f"<CORSRule>{ANY_GET}</CORSRule>".encode() * 101 + b"</CORSConfiguration>",
        rule_xml(ANY_GET + f"<AllowedHeader>{'x' * 70_000}</AllowedHeader>"),
    ],
)
def test_configurations_that_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse_cors(body)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=1, max_size=12).filter(
    lambda text: text.isprintable() and text == text.strip()
)
PATTERNS = st.one_of(TEXT, TEXT.map(lambda text: text + "*"), st.just("*"))
RULES = st.builds(
    CorsRule,
    allowed_origins=st.lists(PATTERNS, min_size=1, max_size=3).map(tuple),
    allowed_methods=st.lists(st.sampled_from(METHODS), min_size=1, max_size=3).map(tuple),
    allowed_headers=st.lists(PATTERNS, max_size=3).map(tuple),
    expose_headers=st.lists(TEXT, max_size=3).map(tuple),
    max_age_s=st.none() | st.integers(0, 2**31),
    id=st.none() | TEXT,
)


@given(st.lists(RULES, min_size=1, max_size=4).map(tuple))
def test_rules_survive_being_written_and_read(rules: tuple[CorsRule, ...]) -> None:
    assert parse_cors(render_cors(rules)) == rules


# ---------------------------------------------------------------- matching


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", "http://any", "*"),
        ("http://a", "http://a", "http://a"),
        ("http://a", "http://ab", None),
        ("http://a", "HTTP://A", None),
        ("*suffix", "foo.suffix", "foo.suffix"),
        ("*suffix", "foo.suffix.get", None),
        ("start*end", "startend", "startend"),
        ("start*end", "start12end", "start12end"),
        ("start*end", "0start12end", None),
        ("prefix*", "prefix.suffix", "prefix.suffix"),
        ("prefix*", "bla.prefix", None),
        ("a.c", "abc", None),
        ("a*a", "a", None),
    ],
)
def test_origins(pattern: str, origin: str, allowed: str | None) -> None:
    assert CorsRule((pattern,), ("GET",)).origin(origin) == allowed


@given(
    st.text(string.ascii_lowercase + ".:/-", max_size=8),
    st.text(string.ascii_lowercase + ".:/-", max_size=8),
    st.text(string.ascii_lowercase + ".:/-", max_size=8),
)
def test_a_star_stands_for_anything(before: str, between: str, behind: str) -> None:
    rule = CorsRule((f"{before}*{behind}",), ("GET",))
    assert rule.origin(before + between + behind) in (before + between + behind, "*")


def test_the_first_rule_that_matches_decides() -> None:
    rules = (
        CorsRule(("http://a",), ("PUT",), max_age_s=1),
        CorsRule(("http://*",), ("GET",), max_age_s=2),
        CorsRule(("*",), ("GET", "PUT"), max_age_s=3),
    )
    assert match(rules, "http://a", "PUT") == Match(rules[0], "http://a", "PUT")
    assert match(rules, "http://a", "GET") == Match(rules[1], "http://a", "GET")
    assert match(rules, "https://b", "GET") == Match(rules[2], "*", "GET")
    assert match(rules, "http://a", "DELETE") is None


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ((), True),
        (("content-type",), True),
        (("CONTENT-TYPE", "x-amz-date"), True),
        (("content-type", "x-other"), False),
        (("content-typ",), False),
    ],
)
def test_all_headers_asked_for_must_be_allowed(headers: tuple[str, ...], allowed: bool) -> None:
    assert (match((FULL,), "http://localhost:3000", "PUT", headers) is not None) is allowed


def test_a_rule_without_headers_allows_none() -> None:
    rule = CorsRule(("*",), ("GET",))
    assert match((rule,), "o", "GET", ("x-amz-meta-header2",)) is None


# ---------------------------------------------------------------- answers


def test_what_an_answer_says() -> None:
    found = match((FULL,), "http://localhost:3000", "PUT", ("content-type", "x-amz-date"))
    assert found is not None
    assert found.response_headers() == [
        ("Access-Control-Allow-Origin", "http://localhost:3000"),
        ("Access-Control-Allow-Methods", "PUT"),
        ("Access-Control-Allow-Headers", "content-type, x-amz-date"),
        ("Access-Control-Expose-Headers", "ETag, x-amz-version-id"),
        ("Access-Control-Max-Age", "3000"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", VARY),
    ]


def test_all_origins_may_not_send_credentials() -> None:
    found = match((CorsRule(("*",), ("GET",)),), "http://a", "GET")
    assert found is not None
    assert found.response_headers() == [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "GET"),
        ("Vary", VARY),
    ]


# ---------------------------------------------------------------- requests


def test_a_preflight() -> None:
    headers = {
        "Origin": "http://a",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "Content-Type,, X-Amz-Date",
    }
    assert parse_access.preflight(ask("OPTIONS", "/b/k", headers), b"") == op.PreflightInput(
        "b", "k", "http://a", "PUT", ("content-type", "x-amz-date")
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://a"},
        {"Access-Control-Request-Method": "GET"},
        {"Origin": "", "Access-Control-Request-Method": "GET"},
        {"Origin": "http://a", "Access-Control-Request-Method": "PATCH"},
    ],
)
def test_an_incomplete_preflight_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        parse_access.preflight(ask("OPTIONS", "/b", headers), b"")


def test_no_header_names() -> None:
    assert header_names(None) == header_names("") == header_names(" , ") == ()


def test_rules_are_kept_as_they_were_understood() -> None:
    body = b'<x:CORSConfiguration xmlns:x="u">' + rule_xml(ANY_GET)[19:-20] + b"</x:CORSConfiguration>"
    kept = parse_access.put_bucket_cors(ask("PUT", "/b?cors"), body)
    assert kept == op.PutBucketCorsInput("b", render_cors([CorsRule(("*",), ("GET",))]).decode())
