"""STS's XML, as another parser reads it; and errors of S3 in STS's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import xmltodict

from gateway.s3 import errors as s3
from gateway.s3.response import Response
from gateway.sts.errors import AccessDenied, InternalFailure, StsError, from_s3
from gateway.sts.operations import AssumedRole, Identity, Issued, SessionToken
from gateway.sts.render import render, render_error

ISSUED = Issued("KEY", "secret", "token<&>", datetime(2026, 11, 21, 10, 0, 59, 999_999, UTC))
CREDENTIALS = {
    "AccessKeyId": "KEY",
    "SecretAccessKey": "secret",
    "SessionToken": "token<&>",
    "Expiration": "2026-11-21T10:00:59Z",
}
IDENTITY = Identity("arn:aws:iam::000000000001:user/ann", "0123", "000000000001")


def read(response: Response, root: str) -> Any:
    assert ("Content-Type", "text/xml") in response.headers
    assert ("Cache-Control", "no-store") in response.headers
    content = xmltodict.parse(response.body)[root]
    assert content.pop("@xmlns") == "https://sts.amazonaws.com/doc/2011-06-15/"
    return content


def test_a_session_token() -> None:
    response = render("GetSessionToken", SessionToken(ISSUED), "ID")
    assert response.status == 200
    assert read(response, "GetSessionTokenResponse") == {
        "GetSessionTokenResult": {"Credentials": CREDENTIALS},
        "ResponseMetadata": {"RequestId": "ID"},
    }


def test_an_assumed_role() -> None:
    role = Identity("arn:aws:sts::000000000001:assumed-role/import/me", "0123:me", "000000000001")
    assert read(render("AssumeRole", AssumedRole(ISSUED, role), "ID"), "AssumeRoleResponse")["AssumeRoleResult"] == {
        "Credentials": CREDENTIALS,
        "AssumedRoleUser": {"AssumedRoleId": role.id, "Arn": role.arn},
    }


def test_an_identity() -> None:
    found = read(render("GetCallerIdentity", IDENTITY, "ID"), "GetCallerIdentityResponse")
    assert found["GetCallerIdentityResult"] == {"Arn": IDENTITY.arn, "UserId": "0123", "Account": "000000000001"}


def test_an_error() -> None:
    response = render_error(AccessDenied("no\x01 <more>", retry_s=30), "ID")
    assert (response.status, dict(response.headers)["Retry-After"]) == (403, "30")
    assert read(response, "ErrorResponse") == {
        "Error": {"Type": "Sender", "Code": "AccessDenied", "Message": "no\ufffd <more>"},
        "RequestId": "ID",
    }
    assert read(render_error(InternalFailure(), "ID"), "ErrorResponse")["Error"]["Type"] == "Receiver"


@pytest.mark.parametrize("kind", [*s3.S3Error.__subclasses__()], ids=lambda kind: kind.__name__)
def test_every_error_of_s3_has_one_of_sts(kind: type[s3.S3Error]) -> None:
    error = from_s3(kind())
    assert isinstance(error, StsError)
    assert (error.status >= 500) == (kind.status >= 500)


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [
        (s3.InvalidAccessKeyId(), "InvalidClientTokenId", 403),
        (s3.InvalidToken(), "InvalidClientTokenId", 403),
        (s3.ExpiredToken(), "ExpiredToken", 403),
        (s3.SignatureDoesNotMatch(), "SignatureDoesNotMatch", 403),
        (s3.RequestTimeTooSkewed(), "SignatureDoesNotMatch", 403),
        (s3.AuthorizationHeaderMalformed(), "IncompleteSignature", 400),
        (s3.IncompleteBody(), "MalformedInput", 400),
        (s3.InternalError(), "InternalFailure", 500),
        (s3.ServiceUnavailable(), "ServiceUnavailable", 503),
    ],
)
def test_errors_as_sts_tells_them(raised: s3.S3Error, code: str, status: int) -> None:
    error = from_s3(raised)
    assert (error.code, error.status) == (code, status)
