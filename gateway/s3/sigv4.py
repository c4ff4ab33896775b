"""AWS Signature Version 4: canonical request, string to sign, signature; in headers and presigned.

Sources: S3 API reference, "Authenticating Requests (AWS Signature Version 4)": using the
Authorization header, using query parameters, chunked uploads, trailing headers.

    canonical request   METHOD \\n path \\n query \\n (name:value \\n)* \\n signed names \\n payload hash
    string to sign      AWS4-HMAC-SHA256 \\n time \\n scope \\n hex(sha256(canonical request))
    scope               YYYYMMDD/region/service/aws4_request
    signing key         HMAC chain over "AWS4" + secret: date, region, service, "aws4_request"

S3 neither normalises the path nor encodes it twice. Canonical is the decoded path, encoded
anew; many clients sign what they send instead, and some send characters that are not in
canonical form. Both spellings name the same resource, so a signature of either is right.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from gateway.s3.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidRequest,
    S3Error,
    SignatureDoesNotMatch,
)
from gateway.s3.request import Request, wire_bytes
from gateway.s3.signing_time import (
    MAX_SKEW,
    format_basic,
    format_extended,
    header_time,
    is_basic,
    parse_signing_time,
)

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
SERVICES = ("s3", "sts")
MAX_EXPIRES_S = 7 * 24 * 3600

# Clients that were told no region sign for this one.
DEFAULT_REGION = "us-east-1"
_SCOPE_DATE = re.compile(r"[0-9]{8}")
_SECONDS = re.compile(r"-?[0-9]{1,18}")
_SPACES = re.compile(r" {2,}")

# Canonical form: unreserved characters, and upper-case escapes of all others.
_ESCAPE = r"%(?:[01][0-9A-F]|2[0-9A-C]|3[A-F]|40|5[B-E]|60|7[BCDF]|[89A-F][0-9A-F])"
_WORD = rf"(?:[A-Za-z0-9\-._~]++|%2F|{_ESCAPE})"
_CANONICAL_PATH = re.compile(rf"/(?:[A-Za-z0-9\-._~/]++|{_ESCAPE})*+")
_CANONICAL_QUERY = re.compile(rf"{_WORD}++={_WORD}*+(?:&{_WORD}++={_WORD}*+)*+")


class ChunkSigner:
    """The chain of signatures along an aws-chunked body: each covers the one before it.

    It starts from the seed, the signature of the request's head.
    """

    __slots__ = ("_key", "_previous", "_scope", "_timestamp")

    def __init__(self, key: bytes, timestamp: str, scope: str, seed: str) -> None:
        self._key = key
        self._timestamp = timestamp
        self._scope = scope
        self._previous = seed

    def chunk(self, sha256: str) -> str:
        """The signature of the next chunk, by its content's hex digest."""
        return self._next("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_SHA256}\n{sha256}")

    def trailer(self, sha256: str) -> str:
        """The signature of the trailer section, by the hex digest of its `name:value\\n` lines."""
        return self._next("AWS4-HMAC-SHA256-TRAILER", sha256)

    def _next(self, algorithm: str, hashes: str) -> str:
        text = f"{algorithm}\n{self._timestamp}\n{self._scope}\n{self._previous}\n{hashes}"
        self._previous = hmac.digest(self._key, text.encode(), "sha256").hex()
        return self._previous


# ---------------------------------------------------------------- what a request claims


@dataclass(frozen=True, slots=True)
class V4Claim:
    """What a request says of itself. `date`, `region` and `service` are its credential's scope."""

    request: Request
    access_key: str
    security_token: str | None
    date: str
    region: str
    service: str
    signed_headers: str
    signature: str

    def verify(self, secret: str, now: datetime, region: str, payload_sha256: str | None = None) -> ChunkSigner | None:
        """Raise unless the signature is right, in time and made for `region`.

        For s3 the payload hash is what x-amz-content-sha256 says; whoever reads the body holds
        it against that. Other services' requests have no such header: `payload_sha256` is the
        body's hex digest, None for an empty body. Answers the signer of the body's chunks
        where these are signed.
        """
        timestamp = self._timestamp(now)
        self._check_scope(timestamp, region)
        names = self.signed_headers.split(";")
        self._check_signed(names)
        payload = self._payload_hash() if self.service == "s3" else payload_sha256 or EMPTY_SHA256

        key = signing_key(secret, self.date, self.region, self.service)
        scope = f"{self.date}/{self.region}/{self.service}/aws4_request"
        tail = f"{_canonical_headers(self.request.headers, names)}\n{self.signed_headers}\n{payload}"
        given = wire_bytes(self.signature)
        for target in _targets(self.request.raw_path, self.request.raw_query):
            canonical = f"{self.request.method}\n{target}\n{tail}"
            signature = _sign(key, timestamp, scope, canonical)
            if hmac.compare_digest(signature.encode(), given):
                streaming = payload in (STREAMING_SIGNED, STREAMING_SIGNED_TRAILER)
                return ChunkSigner(key, timestamp, scope, signature) if streaming else None
        raise self._mismatch(timestamp, scope, tail)

    def _check_scope(self, timestamp: str, region: str) -> None:
        if self.service not in SERVICES:
            raise self._malformed(f"incorrect service {self.service!r}; this endpoint belongs to 's3'")
        if self.region not in (region, DEFAULT_REGION):
            raise self._malformed(f"the region {self.region!r} is wrong; expecting {region!r}", Region=region)
        if self.date != timestamp[:8]:
            raise self._malformed(f"the credential's date {self.date!r} is not that of {timestamp!r}")

    def _check_signed(self, names: list[str]) -> None:
        if "host" not in names:
            raise SignatureDoesNotMatch("The Host header must be among the signed headers.")
        unsigned = [
            name
            for name in self.request.headers
            # The payload hash has a line of its own in what is signed.
            if name.startswith("x-amz-") and name not in names and name != "x-amz-content-sha256"
        ]
        if unsigned:
            raise AccessDenied(
                "There were headers present in the request which were not signed",
                fields={"HeadersNotSigned": ", ".join(unsigned)},
            )

    def _mismatch(self, timestamp: str, scope: str, tail: str) -> SignatureDoesNotMatch:
        """AWS tells what it signed: without that, nobody finds the difference."""
        target = next(_targets(self.request.raw_path, self.request.raw_query))
        canonical = f"{self.request.method}\n{target}\n{tail}"
        return SignatureDoesNotMatch(
            fields={
                "AWSAccessKeyId": self.access_key,
                "StringToSign": _string_to_sign(timestamp, scope, canonical),
                "SignatureProvided": self.signature,
                "CanonicalRequest": wire_bytes(canonical).decode("utf-8", "replace"),
            }
        )

    def _timestamp(self, now: datetime) -> str:
        """The time of signing as SigV4 writes it; raises where the request is out of its time."""
        raise NotImplementedError

    def _payload_hash(self) -> str:
        raise NotImplementedError

    def _malformed(self, text: str, **fields: str) -> S3Error:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class V4HeaderClaim(V4Claim):
    """Signed in the Authorization header."""

    def _timestamp(self, now: datetime) -> str:
        return _as_signed(*header_time(self.request.headers, now))

    def _payload_hash(self) -> str:
        announced = self.request.headers.get("x-amz-content-sha256")
        if announced is None:
            raise InvalidRequest("Missing required header for this request: x-amz-content-sha256")
        return announced

    def _malformed(self, text: str, **fields: str) -> S3Error:
        return AuthorizationHeaderMalformed(f"The authorization header is malformed; {text}.", fields=fields)


@dataclass(frozen=True, slots=True)
class V4QueryClaim(V4Claim):
    """Presigned: the signature and its terms are query parameters."""

    def _timestamp(self, now: datetime) -> str:
        text = self.request.params["X-Amz-Date"]
        signed_at = parse_signing_time(text)
        if signed_at is None:
            raise AuthorizationQueryParametersError(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
            )
        self._check_expiry(signed_at, self.request.params["X-Amz-Expires"], now)
        return _as_signed(text, signed_at)

    @staticmethod
    def _check_expiry(signed_at: datetime, expires: str, now: datetime) -> None:
        if not _SECONDS.fullmatch(expires):
            raise AuthorizationQueryParametersError("X-Amz-Expires should be a number")
        seconds = int(expires)
        # AWS answers 400 to both of these; the conformance suite, and Ceph, 403.
        if seconds < 0:
            raise AccessDenied("X-Amz-Expires must be non-negative")
        if seconds > MAX_EXPIRES_S:
            raise AccessDenied(
                f"X-Amz-Expires must be less than a week (in seconds); that is, it must be at most {MAX_EXPIRES_S}"
            )
        if signed_at - now > MAX_SKEW:
            raise AccessDenied("Request is not yet valid")
        if now >= signed_at + timedelta(seconds=seconds):
            raise AccessDenied(
                "Request has expired",
                fields={
                    "X-Amz-Expires": expires,
                    "Expires": format_extended(signed_at + timedelta(seconds=seconds)),
                    "ServerTime": format_extended(now),
                },
            )

    def _payload_hash(self) -> str:
        # SDK for JavaScript v3 moves the header into the query when it presigns.
        announced = self.request.headers.get("x-amz-content-sha256")
        return announced or self.request.params.get("X-Amz-Content-Sha256") or UNSIGNED_PAYLOAD

    def _malformed(self, text: str, **fields: str) -> S3Error:
        return AuthorizationQueryParametersError(
            f"Error parsing the X-Amz-Credential parameter; {text}.", fields=fields
        )


def parse_header(request: Request, authorization: str) -> V4Claim:
    """The claim of `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`."""
    parts: dict[str, str] = {}
    for part in authorization[len(ALGORITHM) :].split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    try:
        credential, signed_headers, signature = parts["Credential"], parts["SignedHeaders"], parts["Signature"]
    except KeyError:
        raise AuthorizationHeaderMalformed(
            "The authorization header is malformed; the authorization header requires three components: "
            "Credential, SignedHeaders, and Signature."
        ) from None
    scope = parse_credential(credential)
    if scope is None:
        raise AuthorizationHeaderMalformed(
            "The authorization header is malformed; the Credential is mal-formed; "
            'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    token = request.headers.get("x-amz-security-token")
    access_key, date, region, service = scope
    return V4HeaderClaim(request, access_key, token, date, region, service, signed_headers, signature)


def parse_query(request: Request) -> V4Claim:
    """The claim of a presigned request: all six `X-Amz-*` parameters."""
    params = request.params
    try:
        algorithm, credential, signature, _, signed_headers, _ = (params[name] for name in _QUERY_PARAMETERS)
    except KeyError:
        raise AuthorizationQueryParametersError(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        ) from None
    if algorithm != ALGORITHM:
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    scope = parse_credential(credential)
    if scope is None:
        raise AuthorizationQueryParametersError(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
            'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    token = params.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token")
    access_key, date, region, service = scope
    return V4QueryClaim(request, access_key, token, date, region, service, signed_headers, signature)


_QUERY_PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


def parse_credential(credential: str) -> tuple[str, str, str, str] | None:
    """Access key, date, region, service. The access key may itself hold slashes."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or not parts[0] or not _SCOPE_DATE.fullmatch(parts[1]):
        return None
    return parts[0], parts[1], parts[2], parts[3]


# ---------------------------------------------------------------- canonical form


def canonical_path(raw_path: str) -> str:
    """The decoded path, encoded anew, slashes kept: what AWS signs."""
    if _CANONICAL_PATH.fullmatch(raw_path):
        return raw_path
    return _encode(raw_path or "/", safe="/-_.~")


def canonical_query(raw_query: str) -> str:
    """The parameters but for the signature, decoded, encoded anew, sorted by name, then value."""
    if not raw_query:
        return ""
    if _CANONICAL_QUERY.fullmatch(raw_query):
        return _sorted_query(raw_query)
    pairs = (part.partition("=") for part in raw_query.split("&") if part)
    return _sorted_query("&".join(f"{_encode_parameter(name)}={_encode_parameter(value)}" for name, _, value in pairs))


def _sorted_query(query: str) -> str:
    # By name, then value; sorting whole parts would put `a-b=` before `a=`.
    pairs = sorted([part.partition("=") for part in query.split("&")])
    return "&".join([f"{name}={value}" for name, _, value in pairs if name != "X-Amz-Signature"])


def _encode(text: str, safe: str) -> str:
    return quote(unquote_to_bytes(wire_bytes(text)), safe=safe)


def _encode_parameter(text: str) -> str:
    return _encode(text.replace("+", " "), safe="-_.~")


def _targets(raw_path: str, raw_query: str) -> Iterator[str]:
    """`path \\n query` in canonical form, then as it was sent where that differs."""
    canonical = f"{canonical_path(raw_path)}\n{canonical_query(raw_query)}"
    yield canonical
    as_sent = f"{raw_path}\n{_sorted_query(raw_query) if raw_query else ''}"
    if as_sent != canonical:
        yield as_sent


def _canonical_headers(headers: Mapping[str, str], names: list[str]) -> str:
    return "".join([f"{name}:{_trim(headers.get(name, ''))}\n" for name in names])


def _trim(value: str) -> str:
    value = value.strip(" \t")
    return _SPACES.sub(" ", value) if "  " in value else value


# ---------------------------------------------------------------- signing


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service. Only for secrets that exist: the cache is bounded."""
    key = b"AWS4" + secret.encode()
    for text in (date, region, service, "aws4_request"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key


def _string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(wire_bytes(canonical)).hexdigest()}"


def _sign(key: bytes, timestamp: str, scope: str, canonical: str) -> str:
    return hmac.digest(key, _string_to_sign(timestamp, scope, canonical).encode(), "sha256").hex()


def _as_signed(text: str, signed_at: datetime) -> str:
    # The usual form already is what is signed; any other is brought to it.
    return text if is_basic(text) else format_basic(signed_at)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client signs with."""

    access_key: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def sign_v4(
    credentials: Credentials,
    method: str,
    raw_path: str,
    raw_query: str,
    headers: Mapping[str, str],
    *,
    now: datetime,
    region: str,
    service: str = "s3",
    payload_hash: str = UNSIGNED_PAYLOAD,
) -> tuple[dict[str, str], ChunkSigner]:
    """`headers` (lower-case names, host among them; all are signed) with those that sign added.

    The signer is for bodies that are sent in signed chunks.
    """
    timestamp = format_basic(now)
    signed = {**headers, "x-amz-date": timestamp}
    if service == "s3":
        signed["x-amz-content-sha256"] = payload_hash
    if credentials.token is not None:
        signed["x-amz-security-token"] = credentials.token
    names = sorted(signed)
    key = signing_key(credentials.secret, timestamp[:8], region, service)
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    target = next(_targets(raw_path, raw_query))
    tail = f"{_canonical_headers(signed, names)}\n{';'.join(names)}\n{payload_hash}"
    signature = _sign(key, timestamp, scope, f"{method}\n{target}\n{tail}")
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return signed, ChunkSigner(key, timestamp, scope, signature)


def presign_v4(
    credentials: Credentials,
    method: str,
    raw_path: str,
    raw_query: str,
    headers: Mapping[str, str],
    *,
    now: datetime,
    region: str,
    expires_s: int,
    service: str = "s3",
) -> str:
    """The query string that makes a presigned URL; `headers`, host among them, must be sent as given."""
    timestamp = format_basic(now)
    names = sorted(headers)
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    terms = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": ";".join(names),
    }
    if credentials.token is not None:
        terms["X-Amz-Security-Token"] = credentials.token
    added = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in terms.items())
    query = f"{raw_query}&{added}" if raw_query else added
    key = signing_key(credentials.secret, timestamp[:8], region, service)
    target = next(_targets(raw_path, query))
    payload = UNSIGNED_PAYLOAD if service == "s3" else EMPTY_SHA256
    tail = f"{_canonical_headers(headers, names)}\n{';'.join(names)}\n{payload}"
    signature = _sign(key, timestamp, scope, f"{method}\n{target}\n{tail}")
    return f"{query}&X-Amz-Signature={signature}"


def verify_policy_v4(policy: str, secret: str, date: str, region: str, signature: str) -> None:
    """Raise unless `signature` is that of a POST form's base64 policy.

    `date` (YYYYMMDD) and `region` are those of its credential; whether they may be used is the
    caller's to check.
    """
    expected = hmac.digest(signing_key(secret, date, region, "s3"), wire_bytes(policy), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), wire_bytes(signature)):
        raise SignatureDoesNotMatch
