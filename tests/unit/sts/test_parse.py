"""Parameters of STS → Inputs, and all that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from gateway.s3.address import build_request
from gateway.s3.request import Request
from gateway.sts.errors import NO_CODE, AccessDenied, MalformedInput, MissingAction, StsError
from gateway.sts.operations import AssumeRole, GetCallerIdentity, GetSessionToken, Role, SecondFactor
from gateway.sts.parse import is_sts, parameters, parse

VERSION = {"Version": "2011-06-15"}
ROLE = {"Action": "AssumeRole", **VERSION, "RoleArn": "arn:aws:iam::000000000007:role/import", "RoleSessionName": "me"}
ARABIC = "\u0660" * 12
TOKEN = {"Action": "GetSessionToken", **VERSION}


def request(method: str = "POST", target: str = "/", **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return build_request(method, target, named)


# ---------------------------------------------------------------- Inputs


def test_get_session_token() -> None:
    assert parse(TOKEN) == GetSessionToken()
    device = "arn:aws:iam::000000000007:mfa/ann.b@example.org"
    given = {**TOKEN, "DurationSeconds": "129600", "SerialNumber": device, "TokenCode": "012345"}
    assert parse(given) == GetSessionToken(129_600, SecondFactor("ann.b@example.org", "012345"))


def test_a_device_may_be_named_by_its_user_alone() -> None:
    assert parse({**TOKEN, "SerialNumber": "ann", "TokenCode": "012345"}) == GetSessionToken(
        None, SecondFactor("ann", "012345")
    )


@pytest.mark.parametrize("right", ["import", "export", "admin", "member"])
def test_assume_role(right: str) -> None:
    arn = f"arn:aws:iam::000000000007:role/{right}"
    parsed = parse({**ROLE, "RoleArn": arn, "DurationSeconds": "900"})
    assert parsed == AssumeRole(Role("000000000007", right), "me", 900)
    assert str(Role("000000000007", right)) == arn


def test_get_caller_identity() -> None:
    assert parse({"Action": "GetCallerIdentity", **VERSION}) == GetCallerIdentity()


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({}, "MissingAction", "Action"),
        ({"Action": ""}, "MissingAction", "Action"),
        ({"Action": "GetCallerIdentity"}, "InvalidAction", "for version NO_VERSION_SPECIFIED"),
        ({"Action": "GetCallerIdentity", "Version": "2010-05-08"}, "InvalidAction", "for version 2010-05-08"),
        ({"Action": "GetFederationToken", **VERSION}, "InvalidAction", "operation GetFederationToken for"),
        ({"Action": "AssumeRoleWithWebIdentity", **VERSION}, "InvalidAction", "AssumeRoleWithWebIdentity"),
        ({"Action": "x" * 5000, **VERSION}, "InvalidAction", "x" * 64 + "…"),
        ({**ROLE, "Policy": "{}"}, "ValidationError", "Policy is not offered"),
        ({**ROLE, "PolicyArns.member.1.arn": "x"}, "ValidationError", "PolicyArns.member.1.arn is not offered"),
        ({**ROLE, "Tags.member.1.Key": "x"}, "ValidationError", "Tags.member.1.Key is not offered"),
        ({**ROLE, "ExternalId": "x"}, "ValidationError", "ExternalId is not offered"),
        ({**ROLE, "SourceIdentity": "x"}, "ValidationError", "SourceIdentity is not offered"),
        ({**TOKEN, "RoleArn": ROLE["RoleArn"]}, "ValidationError", "RoleArn is not offered"),
        (
            {"Action": "AssumeRole", **VERSION},
            "ValidationError",
            "2 validation errors detected: Value null at 'roleArn'",
        ),
        ({**ROLE, "RoleSessionName": ""}, "ValidationError", "1 validation error detected: Value null at 'roleSess"),
        ({**ROLE, "RoleSessionName": "a b"}, "ValidationError", "'roleSessionName'"),
        ({**ROLE, "RoleSessionName": "x"}, "ValidationError", "'roleSessionName'"),
        ({**ROLE, "RoleSessionName": "x" * 65}, "ValidationError", "'roleSessionName'"),
        ({**ROLE, "RoleSessionName": "me\n"}, "ValidationError", "'roleSessionName'"),
        ({**ROLE, "RoleArn": "import"}, "ValidationError", "'import' at 'roleArn'"),
        ({**ROLE, "RoleArn": "arn:aws:iam::7:role/import"}, "ValidationError", "'roleArn'"),
        ({**ROLE, "RoleArn": "arn:aws:iam::000000000007:role/root"}, "ValidationError", "'roleArn'"),
        (
            {
                **ROLE,
                "RoleArn": f"arn:aws:iam::{ARABIC}:role/import",
            },
            "ValidationError",
            "'roleArn'",
        ),
        ({**TOKEN, "DurationSeconds": "899"}, "ValidationError", "greater than or equal to 900"),
        ({**TOKEN, "DurationSeconds": "-900"}, "ValidationError", "'durationSeconds'"),
        ({**TOKEN, "DurationSeconds": "1e3"}, "ValidationError", "'durationSeconds'"),
        ({**TOKEN, "DurationSeconds": ""}, "ValidationError", "'durationSeconds'"),
        ({**TOKEN, "DurationSeconds": "9" * 4301}, "ValidationError", "'durationSeconds'"),
        ({**TOKEN, "SerialNumber": "ann"}, "AccessDenied", NO_CODE),
        ({**TOKEN, "TokenCode": "012345"}, "AccessDenied", NO_CODE),
        ({**TOKEN, "SerialNumber": "", "TokenCode": "012345"}, "AccessDenied", NO_CODE),
        ({**TOKEN, "SerialNumber": "a/b", "TokenCode": "012345"}, "ValidationError", "'serialNumber'"),
        ({**TOKEN, "SerialNumber": "ann", "TokenCode": "12345"}, "ValidationError", "'tokenCode'"),
        ({**TOKEN, "SerialNumber": "ann", "TokenCode": "12345a"}, "ValidationError", "'tokenCode'"),
    ],
)
def test_what_is_refused(given: Mapping[str, str], code: str, says: str) -> None:
    with pytest.raises(StsError) as refused:
        parse(given)
    assert refused.value.code == code
    assert refused.value.status == (403 if code == "AccessDenied" else 400)
    assert says in refused.value.detail


def test_a_code_is_never_repeated() -> None:
    given = {**TOKEN, "SerialNumber": "ann", "TokenCode": "98765x"}
    with pytest.raises(StsError) as refused:
        parse(given)
    assert "98765" not in refused.value.detail
    assert "012345" not in repr(parse({**given, "TokenCode": "012345"}))


# ---------------------------------------------------------------- forms and queries


def test_parameters_come_from_form_and_query() -> None:
    body = urlencode({"Action": "GetCallerIdentity", "x": "a +ü"}).encode()
    assert parameters(request(), body) == {"Action": "GetCallerIdentity", "x": "a +ü"}
    typed = request(content_type="application/x-www-form-urlencoded; charset=utf-8", target="/?Version=1&X-Amz-Date=2")
    assert parameters(typed, body)["Version"] == "1"
    assert parameters(request("GET", "/?Action=A&Version=1"), b"") == {"Action": "A", "Version": "1"}


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (request("PUT"), b""),
        (request("HEAD"), b""),
        (request(content_type="application/json"), b"{}"),
        (request(content_type="application/x-amz-json-1.0"), b"{}"),
        (request(content_type="multipart/form-data"), b"a=b"),
        (request(), b"a=%"),
        (request(), b"a=%zz"),
        (request(), b"a=%ff"),
        (request(), b"a=\xff"),
        (request(), b"a=1&a=2"),
        (request(target="/?a=1"), b"a=1"),
        (request(), b"&".join(b"a%d=" % number for number in range(101))),
    ],
)
def test_what_is_no_form(asked: Request, body: bytes) -> None:
    with pytest.raises(MalformedInput):
        parameters(asked, body)


def test_nothing_at_all_lacks_an_action() -> None:
    with pytest.raises(MissingAction):
        parse(parameters(request(), b""))


def test_half_a_second_factor_is_named_as_aws_does() -> None:
    with pytest.raises(AccessDenied, match="must provide both MFA serial number and one time pass code"):
        parse({**TOKEN, "TokenCode": "012345"})


# ---------------------------------------------------------------- whose requests these are

SCOPE = "AWS4-HMAC-SHA256 Credential=KEY/20261121/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(authorization=SCOPE.format("sts")), True),
        (request(authorization="AWS4-HMAC-SHA256 Credential=KEY/20261121/us-east-1/sts/aws4_request"), True),
        (request("GET", "/?X-Amz-Credential=KEY%2F20261121%2Fus-east-1%2Fsts%2Faws4_request"), True),
        (request("GET", "/?Action=GetCallerIdentity", authorization=SCOPE.format("sts")), True),
        (request(authorization=SCOPE.format("s3")), False),
        (request("GET", "/?X-Amz-Credential=KEY%2F20261121%2Fus-east-1%2Fs3%2Faws4_request"), False),
        (request(), False),
        (request("PUT", "/bucket/key", authorization=SCOPE.format("sts")), False),
    ],
)
def test_the_scope_tells_sts_from_s3(asked: Request, expected: bool) -> None:
    assert is_sts(asked) == expected
