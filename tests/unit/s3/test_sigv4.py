"""SigV4 against AWS's published examples and against botocore's signers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4PostAuth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.crt.auth import CrtS3SigV4Auth, CrtS3SigV4QueryAuth
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidRequest,
    RequestTimeTooSkewed,
    S3Error,
    SignatureDoesNotMatch,
)
from gateway.s3.signature import parse_claim
from gateway.s3.sigv4 import (
    EMPTY_SHA256,
    ChunkSigner,
    Credentials,
    canonical_path,
    canonical_query,
    presign_v4,
    sign_v4,
    signing_key,
    verify_policy_v4,
)

from .signing import AWS_EXAMPLE, AWS_TIME, REGION, request

SCOPE = "20130524/us-east-1/s3/aws4_request"
HOST = "gateway.example:9000"


def verify(
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    secret: str = AWS_EXAMPLE.secret,
    now: datetime = AWS_TIME,
    region: str = REGION,
    body_sha256: str | None = None,
) -> ChunkSigner | None:
    claim = parse_claim(request(method, target, headers))
    assert claim is not None
    return claim.verify(secret, now, region, body_sha256)


def signed(
    method: str = "GET",
    target: str = "/bucket/key",
    *,
    region: str = REGION,
    headers: Mapping[str, str] | None = None,
    now: datetime = AWS_TIME,
    service: str = "s3",
    payload_hash: str = EMPTY_SHA256,
) -> dict[str, str]:
    path, _, query = target.partition("?")
    return sign_v4(
        AWS_EXAMPLE,
        method,
        path,
        query,
        {"host": HOST, **(headers or {})},
        now=now,
        region=region,
        service=service,
        payload_hash=payload_hash,
    )[0]


# ---------------------------------------------------------------- published examples

# S3 API reference, "Examples: signature calculations".
PUBLISHED = [
    pytest.param(
        "GET",
        "/test.txt",
        {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY_SHA256},
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        id="GET Object",
    ),
    pytest.param(
        "PUT",
        "/test%24file.text",
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        },
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        id="PUT Object",
    ),
    pytest.param(
        "GET",
        "/?lifecycle",
        {"x-amz-content-sha256": EMPTY_SHA256},
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        id="GET Bucket Lifecycle",
    ),
    pytest.param(
        "GET",
        "/?max-keys=2&prefix=J",
        {"x-amz-content-sha256": EMPTY_SHA256},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        id="List Objects",
    ),
]


@pytest.mark.parametrize(("method", "target", "headers", "signature"), PUBLISHED)
def test_published_example_verifies(method: str, target: str, headers: dict[str, str], signature: str) -> None:
    sent = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z", **headers}
    names = ";".join(sorted(sent))
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={AWS_EXAMPLE.access_key}/{SCOPE},SignedHeaders={names},Signature={signature}"
    )
    assert verify(method, target, sent) is None


@pytest.mark.parametrize(("method", "target", "headers", "signature"), PUBLISHED)
def test_published_example_is_what_we_sign(method: str, target: str, headers: dict[str, str], signature: str) -> None:
    path, _, query = target.partition("?")
    sent, _ = sign_v4(
        AWS_EXAMPLE,
        method,
        path,
        query,
        {"host": "examplebucket.s3.amazonaws.com", **headers},
        now=AWS_TIME,
        region=REGION,
        payload_hash=headers["x-amz-content-sha256"],
    )
    assert sent["authorization"].endswith(f"Signature={signature}")


PRESIGNED_EXAMPLE = (
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2F"
    "s3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def test_published_presigned_example_verifies_for_its_day() -> None:
    headers = {"host": "examplebucket.s3.amazonaws.com"}
    verify("GET", PRESIGNED_EXAMPLE, headers, now=AWS_TIME + timedelta(seconds=86399))
    with pytest.raises(AccessDenied, match="expired"):
        verify("GET", PRESIGNED_EXAMPLE, headers, now=AWS_TIME + timedelta(seconds=86400))


def test_published_presigned_example_is_what_we_presign() -> None:
    headers = {"host": "examplebucket.s3.amazonaws.com"}
    query = presign_v4(AWS_EXAMPLE, "GET", "/test.txt", "", headers, now=AWS_TIME, region=REGION, expires_s=86400)
    assert f"/test.txt?{query}" == PRESIGNED_EXAMPLE


def test_signing_key_of_the_published_derivation() -> None:
    # AWS general reference, "Examples of how to derive a signing key for Signature Version 4".
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


# ---------------------------------------------------------------- against botocore

HEADER_SIGNERS = [S3SigV4Auth, CrtS3SigV4Auth]
QUERY_SIGNERS = [S3SigV4QueryAuth, CrtS3SigV4QueryAuth]
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
PARAMETERS = st.dictionaries(
    st.sampled_from(["prefix", "delimiter", "marker", "a", "a-b", "a.b", "versionId"]), KEYS, max_size=4
)


def sent_by(
    signer: type[SigV4Auth], secret: str, url: str, headers: Mapping[str, str], token: str | None = None
) -> tuple[str, dict[str, str]]:
    """The target and headers with which botocore sends a PUT."""
    aws_request = AWSRequest("PUT", url, headers=dict(headers), data=b"")
    signer(BotoCredentials("AKID/with:odd", secret, token), "s3", REGION).add_auth(aws_request)
    prepared = aws_request.prepare()
    sent = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
    }
    return prepared.url.removeprefix(f"http://{HOST}"), {"host": HOST, **sent}


def url_of(key: str, parameters: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={percent_encode(value)}" for name, value in parameters.items())
    return f"http://{HOST}/bucket/{percent_encode(key, safe='/~')}" + (f"?{query}" if query else "")


@pytest.mark.parametrize("signer", HEADER_SIGNERS)
@given(key=KEYS, parameters=PARAMETERS, secret=SECRETS)
def test_what_botocore_signs_verifies(
    signer: type[SigV4Auth], key: str, parameters: dict[str, str], secret: str
) -> None:
    headers = {"x-amz-meta-note": "  two  spaces ", "content-type": "text/plain"}
    target, sent = sent_by(signer, secret, url_of(key, parameters), headers)
    verify("PUT", target, sent, secret=secret, now=datetime.now(UTC))
    with pytest.raises(SignatureDoesNotMatch):
        verify("PUT", target, sent, secret=secret + "x", now=datetime.now(UTC))


@pytest.mark.parametrize("signer", QUERY_SIGNERS)
@given(key=KEYS, parameters=PARAMETERS, secret=SECRETS)
def test_what_botocore_presigns_verifies(
    signer: type[SigV4Auth], key: str, parameters: dict[str, str], secret: str
) -> None:
    target, sent = sent_by(signer, secret, url_of(key, parameters), {"x-amz-acl": "private"})
    verify("PUT", target, sent, secret=secret, now=datetime.now(UTC))
    with pytest.raises(SignatureDoesNotMatch):
        verify("GET", target, sent, secret=secret, now=datetime.now(UTC))


@pytest.mark.parametrize("signer", [*HEADER_SIGNERS, *QUERY_SIGNERS])
def test_token_and_odd_access_key_are_claimed(signer: type[SigV4Auth]) -> None:
    target, sent = sent_by(signer, "secret", url_of("key", {}), {}, token="session/token+=")
    claim = parse_claim(request("PUT", target, sent))
    assert claim is not None
    assert (claim.access_key, claim.security_token) == ("AKID/with:odd", "session/token+=")
    assert (claim.service, claim.region) == ("s3", REGION)
    claim.verify("secret", datetime.now(UTC), REGION)


def test_date_header_with_numeric_zone_serves_for_x_amz_date() -> None:
    # botocore replaces a Date header by one that ends in -0000, and leaves X-Amz-Date out.
    target, sent = sent_by(S3SigV4Auth, "secret", url_of("key", {}), {"Date": "Sat, 21 Nov 2026 05:49:53 GMT"})
    assert sent["date"].endswith("-0000")
    assert "x-amz-date" not in sent
    verify("PUT", target, sent, secret="secret", now=datetime.now(UTC))


@given(KEYS, PARAMETERS, st.integers(1, 604800), st.none() | SECRETS)
def test_what_we_sign_and_presign_verifies(
    key: str, parameters: dict[str, str], expires_s: int, token: str | None
) -> None:
    credentials = Credentials("AK", "secret", token)
    path, _, query = url_of(key, parameters).removeprefix(f"http://{HOST}").partition("?")
    headers, _ = sign_v4(credentials, "GET", path, query, {"host": HOST}, now=AWS_TIME, region="eu-1")
    verify("GET", f"{path}?{query}", headers, secret="secret", region="eu-1")
    presigned = presign_v4(
        credentials, "GET", path, query, {"host": HOST}, now=AWS_TIME, region="eu-1", expires_s=expires_s
    )
    verify("GET", f"{path}?{presigned}", {"host": HOST}, secret="secret", region="eu-1")


# ---------------------------------------------------------------- canonical form


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", "/"),
        ("/", "/"),
        ("/b/a%20b/~x-._", "/b/a%20b/~x-._"),
        ("/b//../%2E", "/b//../."),
        ("/b/a+b(c)!'*@:=,", "/b/a%2Bb%28c%29%21%27%2A%40%3A%3D%2C"),
        ("/b/%e4%BD", "/b/%E4%BD"),
        ("/b/%7Ex%2F", "/b/~x/"),
        ("/b/ü", "/b/%C3%BC"),
        ("/b/\udcff", "/b/%FF"),
    ],
)
def test_canonical_path(raw: str, canonical: str) -> None:
    assert canonical_path(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", ""),
        ("acl", "acl="),
        ("b=2&a=1", "a=1&b=2"),
        ("a-b=1&a=2", "a=2&a-b=1"),
        ("a=2&a=1&a", "a=&a=1&a=2"),
        ("prefix=a+b", "prefix=a%20b"),
        ("prefix=a/b%2fc", "prefix=a%2Fb%2Fc"),
        ("k=a=b", "k=a%3Db"),
        ("x=1&X-Amz-Signature=00", "x=1"),
        ("&a=1&&", "a=1"),
    ],
)
def test_canonical_query(raw: str, canonical: str) -> None:
    assert canonical_query(raw) == canonical


@given(st.text(alphabet="aZ09-_.~/%2F41+&= ü\udcff", max_size=30))
def test_canonical_form_is_stable(text: str) -> None:
    path = canonical_path("/" + text)
    assert canonical_path(path) == path
    query = canonical_query(text)
    assert canonical_query(query) == query


@pytest.mark.parametrize("path", ["/b/(x)", "/b/%28x%29", "/b/%7E", "/b/%c3%bc", "/b/a%2Fb"])
def test_signature_over_the_path_as_sent_is_right_too(path: str) -> None:
    target, sent = sent_by(S3SigV4Auth, "secret", f"http://{HOST}{path}?prefix=a/b", {})
    verify("PUT", target, sent, secret="secret", now=datetime.now(UTC))


def test_signature_over_the_canonical_form_of_an_untidy_target_is_right() -> None:
    headers = signed("GET", "/bucket/%28x%29?prefix=a%2Fb&x-id=")
    verify("GET", "/bucket/(x)?x-id&prefix=a/b", headers)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("method", "target", "changed"),
    [
        ("PUT", "/bucket/key?a=1", {}),
        ("GET", "/bucket/kez?a=1", {}),
        ("GET", "/bucket/key?a=2", {}),
        ("GET", "/bucket/key?a=1&acl", {}),
        ("GET", "/bucket/key?a=1", {"host": "elsewhere"}),
        ("GET", "/bucket/key?a=1", {"x-amz-meta-a": "2"}),
        ("GET", "/bucket/key?a=1", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
        ("GET", "/bucket/key?a=1", {"x-amz-date": "20130524T000001Z"}),
    ],
)
def test_whatever_is_changed_after_signing_breaks_the_signature(
    method: str, target: str, changed: dict[str, str]
) -> None:
    headers = signed("GET", "/bucket/key?a=1", headers={"x-amz-meta-a": "1"})
    verify("GET", "/bucket/key?a=1", headers)
    with pytest.raises(SignatureDoesNotMatch) as refusal:
        verify(method, target, headers | changed)
    assert refusal.value.fields["CanonicalRequest"].startswith(f"{method}\n{target.partition('?')[0]}\n")
    assert refusal.value.fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n")


@pytest.mark.parametrize("signature", ["", "0" * 64, "ü", "\udcff"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    headers = signed()
    head, _, _ = headers["authorization"].rpartition("=")
    with pytest.raises(SignatureDoesNotMatch):
        verify("GET", "/bucket/key", headers | {"authorization": f"{head}={signature}"})


@pytest.mark.parametrize("minutes", [-16, 16])
def test_request_more_than_15_minutes_off_is_refused(minutes: int) -> None:
    with pytest.raises(RequestTimeTooSkewed) as refusal:
        verify("GET", "/bucket/key", signed(), now=AWS_TIME + timedelta(minutes=minutes))
    assert refusal.value.fields["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize("minutes", [-14, 14])
def test_request_less_than_15_minutes_off_passes(minutes: int) -> None:
    verify("GET", "/bucket/key", signed(), now=AWS_TIME + timedelta(minutes=minutes))


@pytest.mark.parametrize("date", ["", "yesterday", "20130599T000000Z", "19500524T000000Z", None])
def test_request_without_a_valid_date_is_refused(date: str | None) -> None:
    headers = signed()
    if date is None:
        del headers["x-amz-date"]
    else:
        headers["x-amz-date"] = date
    with pytest.raises(AccessDenied, match="valid Date"):
        verify("GET", "/bucket/key", headers)


def test_region_must_be_ours_or_the_default() -> None:
    verify("GET", "/bucket/key", signed(region="eu-1"), region="eu-1")
    verify("GET", "/bucket/key", signed(region="us-east-1"), region="eu-1")
    with pytest.raises(AuthorizationHeaderMalformed, match="eu-1") as refusal:
        verify("GET", "/bucket/key", signed(region="eu-2"), region="eu-1")
    assert refusal.value.fields == {"Region": "eu-1"}


def test_region_of_a_presigned_request_must_be_ours_too() -> None:
    query = presign_v4(AWS_EXAMPLE, "GET", "/b", "", {"host": HOST}, now=AWS_TIME, region="eu-2", expires_s=9)
    with pytest.raises(AuthorizationQueryParametersError) as refusal:
        verify("GET", f"/b?{query}", {"host": HOST}, region="eu-1")
    assert refusal.value.fields == {"Region": "eu-1"}


def test_service_of_neither_s3_nor_sts_is_refused() -> None:
    with pytest.raises(AuthorizationHeaderMalformed, match="iam"):
        verify("GET", "/", signed("GET", "/", service="iam"))


def test_sts_request_is_signed_over_its_body() -> None:
    body_sha256 = "11" * 32
    headers = signed("POST", "/", service="sts", payload_hash=body_sha256)
    assert "x-amz-content-sha256" not in headers
    claim = parse_claim(request("POST", "/", headers))
    assert claim is not None
    assert claim.service == "sts"
    claim.verify(AWS_EXAMPLE.secret, AWS_TIME, REGION, body_sha256)
    for wrong in (None, "22" * 32):
        with pytest.raises(SignatureDoesNotMatch):
            claim.verify(AWS_EXAMPLE.secret, AWS_TIME, REGION, wrong)


def test_s3_request_without_a_payload_hash_is_refused() -> None:
    headers = signed()
    del headers["x-amz-content-sha256"]
    with pytest.raises(InvalidRequest, match="x-amz-content-sha256"):
        verify("GET", "/bucket/key", headers)


def test_credential_of_another_day_is_refused() -> None:
    headers = signed()
    headers["authorization"] = headers["authorization"].replace("/20130524/", "/20130523/")
    with pytest.raises(AuthorizationHeaderMalformed, match="20130523"):
        verify("GET", "/bucket/key", headers)


def test_host_must_be_signed() -> None:
    headers = signed()
    headers["authorization"] = headers["authorization"].replace("SignedHeaders=host;", "SignedHeaders=")
    with pytest.raises(SignatureDoesNotMatch, match="Host"):
        verify("GET", "/bucket/key", headers)


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-copy-source", "x-amz-security-token"])
def test_amz_header_added_after_signing_is_refused(name: str) -> None:
    query = presign_v4(AWS_EXAMPLE, "PUT", "/b/k", "", {"host": HOST}, now=AWS_TIME, region=REGION, expires_s=9)
    for target, headers in (("/bucket/key", signed("PUT")), (f"/b/k?{query}", {"host": HOST})):
        with pytest.raises(AccessDenied, match="not signed") as refusal:
            verify("PUT", target, headers | {name: "x"})
        assert refusal.value.fields == {"HeadersNotSigned": name}


def test_payload_hash_needs_no_place_among_the_signed_headers() -> None:
    # It has a line of its own in what is signed, so that another one breaks the signature.
    query = presign_v4(AWS_EXAMPLE, "PUT", "/b/k", "", {"host": HOST}, now=AWS_TIME, region=REGION, expires_s=9)
    verify("PUT", f"/b/k?{query}", {"host": HOST, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    with pytest.raises(SignatureDoesNotMatch):
        verify("PUT", f"/b/k?{query}", {"host": HOST, "x-amz-content-sha256": EMPTY_SHA256})


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request,SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=AK,SignedHeaders=host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=AK/2013-524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
        "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws3_request,SignedHeaders=host,Signature=00",
    ],
)
def test_malformed_authorization_header_is_refused(authorization: str) -> None:
    with pytest.raises(AuthorizationHeaderMalformed):
        parse_claim(request("GET", "/", {"host": HOST, "authorization": authorization}))


@given(st.text(alphabet="CredentialSgurHs=,;/ 0af_4request", max_size=120))
def test_any_authorization_header_is_claimed_or_refused(text: str) -> None:
    headers = {"host": HOST, "x-amz-content-sha256": "x", "authorization": f"AWS4-HMAC-SHA256 {text}"}
    with pytest.raises(S3Error) as refusal:
        verify("GET", "/", headers)
    assert 400 <= refusal.value.status < 500


# ---------------------------------------------------------------- presigned


def presigned(expires: str, **replaced: str) -> str:
    query = presign_v4(AWS_EXAMPLE, "GET", "/b/k", "", {"host": HOST}, now=AWS_TIME, region=REGION, expires_s=60)
    terms = dict(part.split("=", 1) for part in query.split("&")) | {"X-Amz-Expires": expires} | replaced
    return "/b/k?" + "&".join(f"{name}={value}" for name, value in terms.items() if value != "-")


@pytest.mark.parametrize("expires", ["0", "-7", "-1000", "604801", "609901", "9" * 18])
def test_expiry_out_of_range_is_403(expires: str) -> None:
    with pytest.raises(AccessDenied):
        verify("GET", presigned(expires), {"host": HOST})


@pytest.mark.parametrize("expires", ["", "x", "1.5", "1_0", "9" * 5000])
def test_expiry_that_is_no_number_is_400(expires: str) -> None:
    with pytest.raises(AuthorizationQueryParametersError):
        verify("GET", presigned(expires), {"host": HOST})


@pytest.mark.parametrize(
    "replaced",
    [
        {"X-Amz-Algorithm": "AWS4-HMAC-SHA1"},
        {"X-Amz-Algorithm": "-"},
        {"X-Amz-Credential": "-"},
        {"X-Amz-Credential": "AK"},
        {"X-Amz-Date": "-"},
        {"X-Amz-Date": "today"},
        {"X-Amz-Signature": "-"},
        {"X-Amz-SignedHeaders": "-"},
    ],
)
def test_malformed_query_authentication_is_refused(replaced: dict[str, str]) -> None:
    with pytest.raises(AuthorizationQueryParametersError):
        verify("GET", presigned("60", **replaced), {"host": HOST})


def test_presigned_request_is_not_valid_before_its_time() -> None:
    verify("GET", presigned("60"), {"host": HOST}, now=AWS_TIME - timedelta(minutes=14))
    with pytest.raises(AccessDenied, match="not yet"):
        verify("GET", presigned("60"), {"host": HOST}, now=AWS_TIME - timedelta(minutes=16))


def test_lengthened_expiry_breaks_the_signature() -> None:
    verify("GET", presigned("60"), {"host": HOST})
    with pytest.raises(SignatureDoesNotMatch):
        verify("GET", presigned("61"), {"host": HOST})


def test_payload_hash_in_the_query_counts() -> None:
    # SDK for JavaScript v3 hoists x-amz-content-sha256 into the presigned query.
    query = presign_v4(
        AWS_EXAMPLE,
        "PUT",
        "/b/k",
        "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
        {"host": HOST},
        now=AWS_TIME,
        region=REGION,
        expires_s=60,
    )
    verify("PUT", f"/b/k?{query}", {"host": HOST})


# ---------------------------------------------------------------- streaming, POST policies


@pytest.mark.parametrize(
    ("payload_hash", "is_signed"),
    [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", True),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", True),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", False),
        ("UNSIGNED-PAYLOAD", False),
        (EMPTY_SHA256, False),
    ],
)
def test_only_signed_streaming_bodies_get_a_chunk_signer(payload_hash: str, is_signed: bool) -> None:
    signer = verify("PUT", "/bucket/key", signed("PUT", payload_hash=payload_hash))
    assert (signer is not None) is is_signed


def test_policy_signature_of_botocore_verifies() -> None:
    aws_request = AWSRequest("POST", f"http://{HOST}/bucket")
    S3SigV4PostAuth(BotoCredentials("AK", "secret"), "s3", REGION).add_auth(aws_request)
    fields = aws_request.context["s3-presign-post-fields"]
    date, signature = fields["x-amz-date"][:8], fields["x-amz-signature"]
    verify_policy_v4(fields["policy"], "secret", date, REGION, signature)
    for policy, wrong in ((fields["policy"] + "=", signature), (fields["policy"], "ü"), (fields["policy"], "")):
        with pytest.raises(SignatureDoesNotMatch):
            verify_policy_v4(policy, "secret", date, REGION, wrong)
