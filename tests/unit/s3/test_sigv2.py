"""SigV2 against AWS's published examples and against botocore's signers."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import HmacV1Auth, HmacV1PostAuth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.dates import parse_http_date
from gateway.s3.errors import (
    AccessDenied,
    InvalidArgument,
    RequestTimeTooSkewed,
    S3Error,
    SignatureDoesNotMatch,
)
from gateway.s3.signature import parse_claim
from gateway.s3.sigv2 import verify_policy_v2

from .signing import AWS_EXAMPLE, REGION, request

HOST = "gateway.example:9000"
DOMAINS = ("s3.amazonaws.com",)


def verify(
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    secret: str = AWS_EXAMPLE.secret,
    now: datetime | None = None,
    domains: tuple[str, ...] = (),
) -> None:
    claim = parse_claim(request(method, target, headers, domains))
    assert claim is not None
    assert (claim.service, claim.region) == ("s3", None)
    assert claim.verify(secret, now or datetime.now(UTC), REGION) is None


# ---------------------------------------------------------------- published examples

# S3 developer guide, "Signing and Authenticating REST Requests", "Authentication examples".
PUBLISHED = [
    pytest.param(
        "GET",
        "/photos/puppy.jpg",
        {"host": "johnsmith.s3.amazonaws.com", "date": "Tue, 27 Mar 2007 19:36:42 +0000"},
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
        id="object GET",
    ),
    pytest.param(
        "PUT",
        "/photos/puppy.jpg",
        {
            "content-type": "image/jpeg",
            "content-length": "94328",
            "host": "johnsmith.s3.amazonaws.com",
            "date": "Tue, 27 Mar 2007 21:15:45 +0000",
        },
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
        id="object PUT",
    ),
    pytest.param(
        "GET",
        "/?prefix=photos&max-keys=50&marker=puppy",
        {
            "user-agent": "Mozilla/5.0",
            "host": "johnsmith.s3.amazonaws.com",
            "date": "Tue, 27 Mar 2007 19:42:41 +0000",
        },
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
        id="list",
    ),
    pytest.param(
        "GET",
        "/?acl",
        {"host": "johnsmith.s3.amazonaws.com", "date": "Tue, 27 Mar 2007 19:44:46 +0000"},
        "c2WLPFtWHVgbEmeEG93a4cG37dM=",
        id="fetch",
    ),
    pytest.param(
        "DELETE",
        "/johnsmith/photos/puppy.jpg",
        {"host": "s3.amazonaws.com", "date": "Tue, 27 Mar 2007 21:20:26 +0000"},
        "lx3byBScXR6KzyMaifNkardMwNk=",
        id="delete",
    ),
    pytest.param(
        "GET",
        "/",
        {"host": "s3.amazonaws.com", "date": "Wed, 28 Mar 2007 01:29:59 +0000"},
        "qGdzdERIC03wnaRNKh6OqZehG9s=",
        id="list all my buckets",
    ),
    pytest.param(
        "GET",
        "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
        {"host": "s3.amazonaws.com", "date": "Wed, 28 Mar 2007 01:49:49 +0000"},
        "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
        id="unicode keys",
    ),
]


@pytest.mark.parametrize(("method", "target", "headers", "signature"), PUBLISHED)
def test_published_example_verifies(method: str, target: str, headers: dict[str, str], signature: str) -> None:
    sent = headers | {"authorization": f"AWS {AWS_EXAMPLE.access_key}:{signature}"}
    signed_at = parse_http_date(headers["date"])
    verify(method, target, sent, now=signed_at, domains=DOMAINS)


def test_published_example_with_both_dates_verifies() -> None:
    # The guide's earlier edition, whose secret was another.
    headers = {
        "host": "s3.amazonaws.com",
        "date": "Tue, 27 Mar 2007 21:20:27 +0000",
        "x-amz-date": "Tue, 27 Mar 2007 21:20:26 +0000",
        "authorization": "AWS 0PN5J17HBGZHT7JJ3X82:k3nL7gH3+PadhTEVn5Ip83xlYzk=",
    }
    now = datetime(2007, 3, 27, 21, 20, 26, tzinfo=UTC)
    secret = "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o"
    verify("DELETE", "/johnsmith/photos/puppy.jpg", headers, secret=secret, now=now)


def test_published_upload_to_a_bucket_that_is_the_host_verifies() -> None:
    headers = {
        "host": "static.johnsmith.net:8080",
        "date": "Tue, 27 Mar 2007 21:06:08 +0000",
        "x-amz-acl": "public-read",
        "content-type": "application/x-download",
        "content-md5": "4gJE4saaMU4BqNR0kLY+lw==",
        "x-amz-meta-reviewedby": "joe@johnsmith.net,jane@johnsmith.net",
        "x-amz-meta-filechecksum": "0x02661779",
        "x-amz-meta-checksumalgorithm": "crc32",
        "content-disposition": "attachment; filename=database.dat",
        "content-encoding": "gzip",
        "content-length": "5913339",
        "authorization": "AWS AKIAIOSFODNN7EXAMPLE:ilyl83RwaSoYIEdixDQcA4OnAnc=",
    }
    sent = request("PUT", "/db-backup.dat.gz", headers)
    claim = parse_claim(replace(sent, bucket="static.johnsmith.net", key="db-backup.dat.gz"))
    assert claim is not None
    claim.verify(AWS_EXAMPLE.secret, datetime(2007, 3, 27, 21, 6, 8, tzinfo=UTC), REGION)


def test_published_presigned_example_verifies_until_it_expires() -> None:
    target = (
        "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE"
        "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    )
    headers = {"host": "johnsmith.s3.amazonaws.com"}
    end = datetime.fromtimestamp(1175139620, UTC)
    verify("GET", target, headers, now=end - timedelta(seconds=1), domains=DOMAINS)
    with pytest.raises(AccessDenied, match="expired"):
        verify("GET", target, headers, now=end, domains=DOMAINS)


# ---------------------------------------------------------------- against botocore

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
PARAMETERS = st.dictionaries(
    st.sampled_from(["prefix", "uploadId", "versionId", "response-content-disposition", "acl"]), KEYS, max_size=3
)


def sent_by(
    signer: type[HmacV1Auth],
    secret: str,
    url: str,
    headers: Mapping[str, str],
    *,
    token: str | None = None,
    auth_path: str | None = None,
) -> tuple[str, dict[str, str]]:
    """The target and headers with which botocore sends a PUT."""
    aws_request = AWSRequest("PUT", url, headers=dict(headers), data=b"", auth_path=auth_path)
    signer(BotoCredentials("AKID", secret, token)).add_auth(aws_request)
    prepared = aws_request.prepare()
    sent = {"host": HOST}
    for name, value in prepared.headers.items():
        sent[name.lower()] = value if isinstance(value, str) else value.decode()
    if signer is HmacV1QueryAuth:
        # What has moved into the query is not sent again.
        sent = {name: value for name, value in sent.items() if not name.startswith("x-amz-")}
    return prepared.url.removeprefix(f"http://{HOST}"), sent


def url_of(key: str, parameters: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={percent_encode(value)}" for name, value in parameters.items())
    return f"http://{HOST}/bucket/{percent_encode(key, safe='/~')}" + (f"?{query}" if query else "")


@pytest.mark.parametrize("signer", [HmacV1Auth, HmacV1QueryAuth])
@given(key=KEYS, parameters=PARAMETERS, secret=SECRETS)
def test_what_botocore_signs_verifies(
    signer: type[HmacV1Auth], key: str, parameters: dict[str, str], secret: str
) -> None:
    headers = {"x-amz-meta-note": " note ", "x-amz-acl": "private", "content-type": "text/plain"}
    target, sent = sent_by(signer, secret, url_of(key, parameters), headers)
    verify("PUT", target, sent, secret=secret)
    for method, wrong_secret in (("GET", secret), ("PUT", secret + "x")):
        with pytest.raises(SignatureDoesNotMatch):
            verify(method, target, sent, secret=wrong_secret)


@pytest.mark.parametrize("signer", [HmacV1Auth, HmacV1QueryAuth])
def test_token_is_claimed(signer: type[HmacV1Auth]) -> None:
    target, sent = sent_by(signer, "secret", url_of("key", {}), {}, token="session/token+=")
    claim = parse_claim(request("PUT", target, sent))
    assert claim is not None
    assert (claim.access_key, claim.security_token) == ("AKID", "session/token+=")
    claim.verify("secret", datetime.now(UTC), REGION)


@pytest.mark.parametrize("signer", [HmacV1Auth, HmacV1QueryAuth])
@pytest.mark.parametrize("query", ["", "?acl", "?uploads", "?versioning=", "?list-type=2"])
def test_bucket_signed_with_a_slash_and_sent_without_verifies(signer: type[HmacV1Auth], query: str) -> None:
    url = f"http://{HOST}/bucket{query}"
    target, sent = sent_by(signer, "secret", url, {}, auth_path="/bucket/")
    verify("PUT", target, sent, secret="secret")
    target, sent = sent_by(signer, "secret", url, {})
    verify("PUT", target, sent, secret="secret")


def test_parameter_without_a_value_may_be_sent_with_an_equals_sign() -> None:
    # Go clients sign `uploads` and send `uploads=`.
    target, sent = sent_by(HmacV1Auth, "secret", f"http://{HOST}/bucket/key?uploads", {})
    verify("PUT", f"{target}=", sent, secret="secret")


@pytest.mark.parametrize("key", ["bucket/key", "bucket", "b%20c", "b%20c//d"])
def test_virtual_host_is_told_from_a_path_that_looks_alike(key: str) -> None:
    target, sent = sent_by(HmacV1Auth, "secret", f"http://{HOST}/{key}", {}, auth_path=f"/bucket/{key}")
    sent["host"] = "bucket.gateway.example:9000"
    verify("PUT", target, sent, secret="secret", domains=("gateway.example",))
    target, sent = sent_by(HmacV1Auth, "secret", f"http://{HOST}/{key}", {})
    sent["host"] = "bucket.gateway.example:9000"
    with pytest.raises(SignatureDoesNotMatch):
        verify("PUT", target, sent, secret="secret", domains=("gateway.example",))


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize("date", ["Bad Date", "", "Tue, 07 Jul 1950 21:53:04 GMT"])
def test_x_amz_date_that_is_none_is_refused_beside_a_good_date(date: str) -> None:
    target, sent = sent_by(HmacV1Auth, "secret", url_of("key", {}), {"x-amz-date": date})
    with pytest.raises(AccessDenied, match="valid Date"):
        verify("PUT", target, sent, secret="secret")


@pytest.mark.parametrize("year", [2010, 2030, 9999])
def test_x_amz_date_far_off_is_refused(year: int) -> None:
    headers = {"x-amz-date": f"Tue, 07 Jul {year} 21:53:04 GMT"}
    target, sent = sent_by(HmacV1Auth, "secret", url_of("key", {}), headers)
    with pytest.raises(RequestTimeTooSkewed):
        verify("PUT", target, sent, secret="secret", now=datetime(2026, 11, 21, tzinfo=UTC))


@pytest.mark.parametrize(
    "date",
    [
        "Sat, 21 Nov 2026 05:49:53 GMT",
        "Sat, 21 Nov 2026 05:49:53 -0000",
        "Sat, 21 Nov 2026 06:49:53 +0100",
        "Tue, 21 Nov 2026 05:49:53 GMT",
        "Saturday, 21-Nov-26 05:49:53 GMT",
        "Sat Nov 21 05:49:53 2026",
        "20261121T054953Z",
        "2026-11-21T05:49:53Z",
        "2026-11-21T05:49:53.000Z",
    ],
)
@pytest.mark.parametrize("header", ["date", "x-amz-date"])
def test_every_form_of_date_is_read(header: str, date: str) -> None:
    signed = f"x-amz-date:{date}\n" if header == "x-amz-date" else ""
    text = f"GET\n\n\n{date if header == 'date' else ''}\n{signed}/bucket/key"
    signature = base64.b64encode(hmac.digest(b"secret", text.encode(), "sha1")).decode()
    headers = {"host": HOST, header: date, "authorization": f"AWS AKID:{signature}"}
    verify("GET", "/bucket/key", headers, secret="secret", now=datetime(2026, 11, 21, 5, 49, 53, tzinfo=UTC))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("authorization", ["AWS HAHAHA", "AWS ", "AWS :sig", "AWS AKID:", "AWS :"])
def test_malformed_authorization_header_is_refused(authorization: str) -> None:
    with pytest.raises(InvalidArgument, match="AwsAccessKeyId:signature"):
        parse_claim(request("GET", "/", {"host": HOST, "authorization": authorization}))


@pytest.mark.parametrize("missing", ["AWSAccessKeyId", "Expires"])
def test_presigned_request_needs_all_parameters(missing: str) -> None:
    terms = {"AWSAccessKeyId": "AKID", "Expires": "9999999999", "Signature": "x"}
    del terms[missing]
    target = "/bucket/key?" + "&".join(f"{name}={value}" for name, value in terms.items())
    with pytest.raises(AccessDenied, match="Signature, Expires and AWSAccessKeyId"):
        parse_claim(request("GET", target, {"host": HOST}))


@pytest.mark.parametrize("expires", ["", "-1", "soon", "1e9", "9" * 5000])
def test_expiry_that_is_no_number_is_refused(expires: str) -> None:
    with pytest.raises(AccessDenied, match="Invalid date"):
        verify("GET", f"/bucket/key?AWSAccessKeyId=AKID&Signature=x&Expires={expires}", {"host": HOST})


def test_refusal_tells_what_was_signed() -> None:
    target, sent = sent_by(HmacV1Auth, "secret", url_of("key", {"acl": ""}), {"x-amz-meta-a": "ü"})
    with pytest.raises(SignatureDoesNotMatch) as refusal:
        verify("PUT", target, sent, secret="other")
    assert refusal.value.fields["StringToSign"].endswith("x-amz-meta-a:ü\n/bucket/key?acl")
    assert refusal.value.fields["AWSAccessKeyId"] == "AKID"


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_signature_and_date_is_refused(signature: str, date: str) -> None:
    with pytest.raises(S3Error) as refusal:
        verify("GET", "/", {"host": HOST, "date": date, "authorization": f"AWS AKID:{signature}"})
    assert refusal.value.status in (400, 403)


def test_policy_signature_of_botocore_verifies() -> None:
    aws_request = AWSRequest("POST", f"http://{HOST}/bucket")
    HmacV1PostAuth(BotoCredentials("AKID", "secret")).add_auth(aws_request)
    fields = aws_request.context["s3-presign-post-fields"]
    verify_policy_v2(fields["policy"], "secret", fields["signature"])
    for wrong in ("", "ü", fields["signature"].lower()):
        with pytest.raises(SignatureDoesNotMatch):
            verify_policy_v2(fields["policy"], "secret", wrong)
