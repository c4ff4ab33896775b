"""Policy documents: what they say, and what is refused when it is put."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.documents import Asking, Document, Verdict, parse_document, resource_arn
from gateway.access.globs import Glob
from gateway.access.principals import ANONYMOUS, Principal
from gateway.s3.errors import MalformedPolicy

ALICE = Principal("alice", "Alice", "default")
BOB = Principal("bob", "Bob", "default")
KEY = resource_arn("bucket", "photos/cat.jpg")
BUCKET = resource_arn("bucket", None)


def statement(**changed: Any) -> dict[str, Any]:
    """One that lets all read all objects; None takes an element away."""
    found = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::bucket/*",
        **changed,
    }
    return {name: value for name, value in found.items() if value is not None}


def document(*statements: dict[str, Any]) -> Document:
    return parse_document(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def verdict(
    asked: Document,
    caller: Principal = ALICE,
    action: str = "s3:GetObject",
    resource: str = KEY,
    denied_by: str = "",
    **values: str,
) -> Verdict:
    named = {name.replace("_", ":", 1): (value,) for name, value in values.items()}
    return asked.verdict(Asking(caller, action, [resource], named, denied_by))


# ---------------------------------------------------------------- who, what, on what


@pytest.mark.parametrize(
    ("principal", "alice", "bob", "anonymous"),
    [
        ("*", True, True, True),
        ({"AWS": "*"}, True, True, True),
        ({"AWS": "alice"}, True, False, False),
        ({"AWS": ["arn:aws:iam::alice:root"]}, True, False, False),
        ({"AWS": ["arn:aws:iam:::user/alice", "arn:aws:iam::bob:user/bob"]}, True, True, False),
        ({"CanonicalUser": "bob"}, False, True, False),
        ({"Service": "logging.s3.amazonaws.com"}, False, False, False),
        ({"AWS": "Alice"}, False, False, False),
        ({"AWS": ANONYMOUS.id}, False, False, False),
    ],
)
def test_principals(principal: Any, alice: bool, bob: bool, anonymous: bool) -> None:
    asked = document(statement(Principal=principal))
    found = [verdict(asked, caller) is Verdict.ALLOW for caller in (ALICE, BOB, ANONYMOUS)]
    assert found == [alice, bob, anonymous]


def test_a_denial_may_be_for_all_but_some() -> None:
    asked = document(statement(Effect="Deny", Principal=None, NotPrincipal={"AWS": "alice"}))
    assert [verdict(asked, caller) for caller in (ALICE, BOB, ANONYMOUS)] == [
        Verdict.SILENT,
        Verdict.DENY,
        Verdict.DENY,
    ]


@pytest.mark.parametrize(
    ("changed", "action", "resource", "applies"),
    [
        ({}, "s3:GetObject", KEY, True),
        ({}, "s3:GetObjectVersion", KEY, False),
        ({}, "s3:GetObject", BUCKET, False),
        ({"Action": "*"}, "s3:PutObject", KEY, True),
        ({"Action": ["s3:put*", "S3:GET?BJECT"]}, "s3:GetObject", KEY, True),
        ({"Action": None, "NotAction": "s3:Put*"}, "s3:GetObject", KEY, True),
        ({"Action": None, "NotAction": "s3:Put*"}, "s3:PutObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::bucket/photos/*.jpg"}, "s3:GetObject", KEY, True),
        ({"Resource": "arn:aws:s3:::bucket/photos/*.png"}, "s3:GetObject", KEY, False),
        ({"Resource": "arn:aws:s3:::Bucket/*"}, "s3:GetObject", KEY, False),
        ({"Resource": ["arn:aws:s3:::x", "arn:aws:s3:::b*"]}, "s3:GetObject", KEY, True),
        ({"Resource": None, "NotResource": "arn:aws:s3:::bucket/private/*"}, "s3:GetObject", KEY, True),
    ],
)
def test_actions_and_resources(changed: dict[str, Any], action: str, resource: str, applies: bool) -> None:
    found = verdict(document(statement(**changed)), action=action, resource=resource)
    assert found is (Verdict.ALLOW if applies else Verdict.SILENT)


def test_a_denial_wins_in_whatever_order() -> None:
    allow, deny = statement(Action="s3:*"), statement(Effect="Deny", Principal={"AWS": "bob"})
    for asked in (document(allow, deny), document(deny, allow)):
        assert verdict(asked, ALICE) is Verdict.ALLOW
        assert verdict(asked, BOB) is Verdict.DENY


def test_a_revision_is_denied_with_its_object_but_not_allowed_with_it() -> None:
    deny, allow = document(statement(Effect="Deny")), document(statement())
    found = [verdict(asked, ALICE, "s3:GetObjectVersion", KEY, "s3:GetObject") for asked in (deny, allow)]
    assert found == [Verdict.DENY, Verdict.SILENT]


def test_one_statement_needs_no_list() -> None:
    assert verdict(parse_document(json.dumps({"Statement": statement()}))) is Verdict.ALLOW


def test_what_is_public() -> None:
    assert document(statement()).is_public
    assert not document(statement(Principal={"AWS": "alice"})).is_public
    assert not document(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})).is_public
    assert not document(statement(Effect="Deny")).is_public


# ---------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("operator", "expected", "holding", "failing", "if_absent"),
    [
        ("StringEquals", ["a", "b"], ["a", "b"], ["A", "ab", "c"], False),
        ("StringNotEquals", ["a", "b"], ["c", "A"], ["a", "b"], True),
        ("StringEqualsIgnoreCase", "Ab", ["aB"], ["b"], False),
        ("StringNotEqualsIgnoreCase", "Ab", ["b"], ["AB"], True),
        ("StringLike", ["a*", "?z"], ["a", "abc", "yz"], ["ba", "z"], False),
        ("StringNotLike", "a*", ["ba"], ["ab"], True),
        ("StringEqualsIfExists", "a", ["a"], ["b"], True),
        ("ArnLike", "arn:aws:iam::*:root", ["arn:aws:iam::x:root"], ["arn:aws:iam::x:user/y"], False),
        ("ArnNotEquals", "arn:aws:iam::x:root", ["arn:aws:iam::y:root"], ["arn:aws:iam::x:root"], True),
        ("Bool", True, ["true"], ["false"], False),
        ("Bool", "false", ["false"], ["true"], False),
        ("NumericLessThanEquals", "10", ["10", "9.5"], ["11", "x"], False),
        ("NumericGreaterThan", 10, ["11"], ["10"], False),
        ("NumericNotEquals", "10", ["11"], ["10", "10.0"], True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", ["2026-01-01T00:00:01+00:00"], ["2025-12-31", "0"], False),
        ("DateLessThan", "1767225600", ["1767225599"], ["1767225600"], False),
        (
            "IpAddress",
            ["10.0.0.0/8", "2001:db8::/32"],
            ["10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1"],
            ["11.0.0.1"],
            False,
        ),
        ("NotIpAddress", "10.0.0.0/8", ["11.0.0.1"], ["10.0.0.1"], True),
        ("Null", "true", [], ["x"], True),
        ("Null", "false", ["x"], [], False),
        ("ForAllValues:StringEquals", "a", ["a"], ["b"], True),
        ("ForAnyValue:StringEquals", "a", ["a"], ["b"], False),
    ],
)
def test_operators(operator: str, expected: Any, holding: list[str], failing: list[str], if_absent: bool) -> None:
    asked = document(statement(Condition={operator: {"s3:Prefix": expected}}))
    for value in holding:
        assert verdict(asked, s3_prefix=value) is Verdict.ALLOW, value
    for value in failing:
        assert verdict(asked, s3_prefix=value) is Verdict.SILENT, value
    assert (verdict(asked) is Verdict.ALLOW) is if_absent


def test_several_conditions_must_all_hold() -> None:
    condition = {"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}, "Bool": {"aws:SecureTransport": "true"}}
    asked = document(statement(Condition=condition))
    given = {"s3_prefix": "a", "s3_delimiter": "/", "aws_securetransport": "true"}
    assert verdict(asked, ALICE, "s3:GetObject", KEY, "", **given) is Verdict.ALLOW
    for name in given:
        assert verdict(asked, ALICE, "s3:GetObject", KEY, "", **{**given, name: "x"}) is Verdict.SILENT


@pytest.mark.parametrize(
    ("operator", "tags", "holds"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "c"), False),
        ("ForAnyValue:StringEquals", ("a", "c"), True),
        ("ForAnyValue:StringEquals", ("c",), False),
        ("ForAnyValue:StringNotEquals", ("a", "c"), True),
        ("ForAllValues:StringNotEquals", ("a", "c"), False),
    ],
)
def test_keys_of_several_values(operator: str, tags: tuple[str, ...], holds: bool) -> None:
    asked = document(statement(Condition={operator: {"s3:RequestObjectTagKeys": ["a", "b"]}}))
    found = asked.verdict(Asking(ALICE, "s3:GetObject", [KEY], {"s3:requestobjecttagkeys": tags}))
    assert (found is Verdict.ALLOW) is holds


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "allow"},
        {"Effect": None},
        {"Principal": None},
        {"Principal": None, "NotPrincipal": {"AWS": "alice"}},
        {"Principal": "alice"},
        {"Principal": {"AWS": []}},
        {"Principal": {"AWS": "al*"}},
        {"Principal": {"Somebody": "x"}},
        {"NotPrincipal": "*"},
        {"Action": None},
        {"Action": "ec2:Start"},
        {"Action": []},
        {"Action": 1},
        {"NotAction": "s3:*"},
        {"Resource": None},
        {"Resource": "bucket/*"},
        {"Resource": "arn:aws:s3:::"},
        {"Resource": "arn:aws:s3:::bucket/${aws:username}/*"},
        {"Sid": 1},
        {"Other": "x"},
        {"Condition": []},
        {"Condition": {"StringEquals": {}}},
        {"Condition": {"StringEquals": {"aws:Unknown": "x"}}},
        {"Condition": {"StringEquals": {"s3:prefix": {}}}},
        {"Condition": {"StringSounds": {"s3:prefix": "x"}}},
        {"Condition": {"ForSome:StringEquals": {"s3:prefix": "x"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "maybe"}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "300.0.0.0/8"}}},
        {"Condition": {"NumericEquals": {"s3:max-keys": "many"}}},
        {"Condition": {"NumericEquals": {"s3:max-keys": "NaN"}}},
        {"Condition": {"DateEquals": {"aws:CurrentTime": "soon"}}},
        {"Condition": {"StringEquals": {"s3:ExistingObjectTag/": "x"}}},
    ],
)
def test_statements_that_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedPolicy):
        document(statement(**changed))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"Statement": []}',
        '{"Statement": "x"}',
        '{"Version": "2020-01-01", "Statement": [' + json.dumps(statement()) + "]}",
        '{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": [' + json.dumps(statement()) + "]}",
        '{"Id": 1, "Statement": [' + json.dumps(statement()) + "]}",
        "[" * 100_000,
    ],
)
def test_documents_that_are_refused(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_document(text)


def test_a_resource_must_be_of_the_bucket() -> None:
    asked = document(statement(Resource=["arn:aws:s3:::bucket/*", "arn:aws:s3:::*"]))
    asked.check_is_for(["bucket", "main.bucket"])
    with pytest.raises(MalformedPolicy):
        asked.check_is_for(["other", "main.other"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["*", "Allow", "s3:*", "arn:aws:s3:::b/*", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Effect", "Principal", "Action", "Resource", "Condition", "AWS", "Bool", "s3:prefix"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_put_is_read_or_refused(root: Any) -> None:
    try:
        parse_document(json.dumps({"Statement": root}))
    except MalformedPolicy:
        return


# ---------------------------------------------------------------- wildcards

TEXTS = st.text("ab?*.\n", max_size=8)


@given(TEXTS, TEXTS.map(lambda text: text.replace("*", "").replace("?", "")))
def test_globs_match_as_regular_expressions_do(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    assert Glob(pattern).matches(text) is (re.fullmatch(expression, text, re.DOTALL) is not None)


def test_no_pattern_is_slow() -> None:
    assert not Glob("*a" * 500 + "b").matches("a" * 1024)
