"""AWS Signature Version 2, which s3cmd, older SDKs and boto3's presigned URLs still use.

Source: S3 developer guide, "Signing and Authenticating REST Requests (Signature Version 2)".

    string to sign   METHOD \\n Content-MD5 \\n Content-Type \\n date \\n (x-amz-name:values \\n)* resource
    resource         /bucket/path as sent, then the sub-resources of the query, sorted
    signature        base64(HMAC-SHA1(secret, string to sign))

The date line is empty where x-amz-date is sent, and holds `Expires` when presigned.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from urllib.parse import unquote, unquote_to_bytes

from gateway.s3.errors import AccessDenied, InvalidArgument, SignatureDoesNotMatch
from gateway.s3.request import Request, wire_bytes
from gateway.s3.signing_time import format_extended, header_time

SCHEME = "AWS "

# Parameters that are part of the resource. Others (prefix, marker, …) are not signed.
SUB_RESOURCES = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)
_SECONDS = re.compile(r"[0-9]{1,18}")
_FOLDS = re.compile(r"[ \t]*\r?\n[ \t]*")


@dataclass(frozen=True, slots=True)
class V2Claim:
    """What a request says of itself. `expires` is the parameter of a presigned one, else None.

    SigV2 knows neither service nor region; it is S3's alone.
    """

    request: Request
    access_key: str
    security_token: str | None
    signature: str
    expires: str | None = None
    service: str = "s3"
    region: str | None = None

    def verify(self, secret: str, now: datetime, region: str, payload_sha256: str | None = None) -> None:
        """Raise unless the signature is right and in time. The body is not covered by it."""
        date = self._check_date(now) if self.expires is None else self._check_expiry(self.expires, now)
        head = self._head(date)
        given = wire_bytes(self.signature)
        for resource in _resources(self.request):
            if hmac.compare_digest(_sign(secret, head + resource).encode(), given):
                return
        text = head + next(_resources(self.request))
        raise SignatureDoesNotMatch(
            fields={
                "AWSAccessKeyId": self.access_key,
                "StringToSign": wire_bytes(text).decode("utf-8", "replace"),
                "SignatureProvided": self.signature,
            }
        )

    def _check_date(self, now: datetime) -> str:
        """The date line of what is signed."""
        date, _ = header_time(self.request.headers, now)
        return "" if "x-amz-date" in self.request.headers else date

    @staticmethod
    def _check_expiry(expires: str, now: datetime) -> str:
        if not _SECONDS.fullmatch(expires):
            raise AccessDenied("Invalid date: Expires should be in seconds since the epoch")
        if int(expires) <= now.timestamp():
            raise AccessDenied(
                "Request has expired",
                fields={"Expires": expires, "ServerTime": format_extended(now)},
            )
        return expires

    def _head(self, date: str) -> str:
        """All but the resource. A presigned request may carry its headers as parameters."""
        headers = self.request.headers
        if self.expires is not None:
            headers = {**{name.lower(): value for name, value in self.request.params.items()}, **headers}
        amz = sorted(name for name in headers if name.startswith("x-amz-"))
        lines = [
            self.request.method,
            headers.get("content-md5", "").strip(),
            headers.get("content-type", "").strip(),
            date,
            *(f"{name}:{_FOLDS.sub(' ', headers[name].strip())}" for name in amz),
            "",
        ]
        return "\n".join(lines)


def parse_header(request: Request, authorization: str) -> V2Claim:
    """The claim of `AWS access-key:signature`."""
    access_key, separator, signature = authorization[len(SCHEME) :].strip().rpartition(":")
    if not separator or not access_key or not signature:
        raise InvalidArgument(
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            fields={"ArgumentName": "Authorization"},
        )
    return V2Claim(request, access_key, request.headers.get("x-amz-security-token"), signature)


def parse_query(request: Request) -> V2Claim:
    """The claim of a presigned request: `AWSAccessKeyId`, `Expires`, `Signature`."""
    params = request.params
    try:
        access_key, expires, signature = params["AWSAccessKeyId"], params["Expires"], params["Signature"]
    except KeyError:
        raise AccessDenied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        ) from None
    token = params.get("x-amz-security-token") or request.headers.get("x-amz-security-token")
    return V2Claim(request, access_key, token, signature, expires)


# ---------------------------------------------------------------- the resource


def _resources(request: Request) -> Iterator[str]:
    """The canonicalised resource, in each spelling that clients sign for this same request."""
    for path, query in product(_paths(request), _queries(request.raw_query)):
        yield f"{path}?{query}" if query else path


def _paths(request: Request) -> list[str]:
    path = request.raw_path or "/"
    if request.bucket is not None and _is_virtual_host(request):
        path = f"/{request.bucket}{path}"
    if request.bucket is None or request.key is not None:
        return [path]
    # botocore signs `/bucket/` and sends `/bucket`.
    bare = path.rstrip("/")
    return [f"{bare}/", bare]


def _is_virtual_host(request: Request) -> bool:
    """Whether the bucket was named by the Host header: then the path is the key and no more."""
    return unquote_to_bytes(wire_bytes(request.raw_path))[1:] == wire_bytes(request.key or "")


def _queries(raw_query: str) -> list[str]:
    """The sub-resources: `name` where there is no value, or, as the second choice, `name=`."""
    found = sorted(
        (name, separator, unquote(value, errors="surrogateescape"))
        for name, separator, value in (part.partition("=") for part in raw_query.split("&"))
        if name in SUB_RESOURCES
    )
    bare = "&".join(f"{name}={value}" if value else name for name, _, value in found)
    as_sent = "&".join(f"{name}{separator}{value}" for name, separator, value in found)
    return [bare] if as_sent == bare else [bare, as_sent]


# ---------------------------------------------------------------- signing


def _sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), wire_bytes(text), "sha1")).decode()


def verify_policy_v2(policy: str, secret: str, signature: str) -> None:
    """Raise unless `signature` is that of a POST form's base64 policy."""
    if not hmac.compare_digest(_sign(secret, policy).encode(), wire_bytes(signature)):
        raise SignatureDoesNotMatch
