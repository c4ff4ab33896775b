"""Which scheme a request uses."""

from __future__ import annotations

import pytest

from gateway.s3.errors import InvalidArgument, SignatureDoesNotMatch
from gateway.s3.signature import parse_claim

from .signing import AWS_EXAMPLE, AWS_TIME, request

V4_HEADER = "AWS4-HMAC-SHA256 Credential=V4/20130524/eu-1/sts/aws4_request, SignedHeaders=host, Signature=00"
V4_QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=V4Q%2F20130524%2Feu-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)
V2_QUERY = "AWSAccessKeyId=V2Q&Expires=1&Signature=x"


@pytest.mark.parametrize(
    ("target", "authorization", "expected"),
    [
        ("/", V4_HEADER, ("V4", "sts", "eu-1")),
        (f"/b?{V4_QUERY}", None, ("V4Q", "s3", "eu-1")),
        ("/", "AWS V2:x", ("V2", "s3", None)),
        ("/", "AWS user:with:colon:x", ("user:with:colon", "s3", None)),
        (f"/b?{V2_QUERY}", None, ("V2Q", "s3", None)),
    ],
)
def test_scheme_is_told_by_header_and_query(
    target: str, authorization: str | None, expected: tuple[str, str, str | None]
) -> None:
    headers = {"host": "h"} if authorization is None else {"host": "h", "authorization": authorization}
    claim = parse_claim(request("GET", target, headers))
    assert claim is not None
    assert (claim.access_key, claim.service, claim.region) == expected


@pytest.mark.parametrize("target", ["/", "/b?acl", "/b?Expires=1&key=k", "/b?bucket=b&key=k&etag=%22e%22"])
@pytest.mark.parametrize("headers", [{"host": "h"}, {"host": "h", "authorization": ""}])
def test_request_without_any_signature_is_anonymous(target: str, headers: dict[str, str]) -> None:
    assert parse_claim(request("GET", target, headers)) is None


@pytest.mark.parametrize(
    ("target", "authorization"),
    [
        (f"/b?{V4_QUERY}", V4_HEADER),
        (f"/b?{V4_QUERY}", "AWS V2:x"),
        (f"/b?{V2_QUERY}", V4_HEADER),
        (f"/b?{V2_QUERY}", "Bearer x"),
        (f"/b?{V2_QUERY}&{V4_QUERY}", ""),
    ],
)
def test_two_signatures_are_refused(target: str, authorization: str) -> None:
    with pytest.raises(InvalidArgument, match="Only one auth mechanism"):
        parse_claim(request("GET", target, {"host": "h", "authorization": authorization}))


@pytest.mark.parametrize(
    "authorization", ["Bearer token", "Basic dTpw", "AWS", "aws V2:x", "AWS4-ECDSA-P256-SHA256 x", "?"]
)
def test_unknown_scheme_is_refused_without_repeating_it(authorization: str) -> None:
    with pytest.raises(InvalidArgument, match="Unsupported Authorization Type") as refusal:
        parse_claim(request("GET", "/", {"host": "h", "authorization": authorization}))
    assert refusal.value.fields == {"ArgumentName": "Authorization"}


def test_header_token_of_either_scheme_is_claimed() -> None:
    for authorization in (V4_HEADER, "AWS V2:x"):
        headers = {"host": "h", "authorization": authorization, "x-amz-security-token": "t"}
        claim = parse_claim(request("GET", "/", headers))
        assert claim is not None
        assert claim.security_token == "t"


def test_claim_is_not_evidence() -> None:
    claim = parse_claim(request("GET", f"/b?{V4_QUERY}", {"host": "h"}))
    assert claim is not None
    with pytest.raises(SignatureDoesNotMatch):
        claim.verify(AWS_EXAMPLE.secret, AWS_TIME, "eu-1")
