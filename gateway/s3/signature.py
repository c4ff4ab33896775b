"""Which signature a request bears, and whether it is right: the one entry for all four schemes.

    claim = parse_claim(request)        None: anonymous
    secret = …look up claim.access_key and claim.security_token…
    signer = claim.verify(secret, now, region)

Nothing a claim says may be believed before `verify` has returned.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from gateway.s3 import sigv2, sigv4
from gateway.s3.errors import InvalidArgument
from gateway.s3.request import Request
from gateway.s3.sigv4 import ChunkSigner


class Claim(Protocol):
    """Who a request says it comes from."""

    @property
    def access_key(self) -> str: ...

    @property
    def security_token(self) -> str | None: ...

    @property
    def service(self) -> str:
        """`s3` or `sts`; another service is refused by `verify`."""

    @property
    def region(self) -> str | None:
        """The region signed for; None where the scheme knows none (SigV2)."""

    def verify(self, secret: str, now: datetime, region: str, payload_sha256: str | None = None) -> ChunkSigner | None:
        """Raise unless the signature is right, in time and made for `region`.

        `payload_sha256` is needed for sts alone: the body's hex digest, None if it is empty.
        Answers the signer of the body's chunks where these are signed.
        """


def parse_claim(request: Request) -> Claim | None:
    """The claim that a request makes in its Authorization header or its query; None: anonymous."""
    params = request.params
    authorization = request.headers.get("authorization", "")
    is_v4_query = "X-Amz-Algorithm" in params or "X-Amz-Credential" in params or "X-Amz-Signature" in params
    is_v2_query = "AWSAccessKeyId" in params or ("Signature" in params and "Expires" in params)
    if bool(authorization) + is_v4_query + is_v2_query > 1:
        raise InvalidArgument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
            "Signature query string parameter or the Authorization header should be specified",
            fields={"ArgumentName": "Authorization"},
        )
    if is_v4_query:
        return sigv4.parse_query(request)
    if is_v2_query:
        return sigv2.parse_query(request)
    if not authorization:
        return None
    if authorization.startswith(sigv4.ALGORITHM):
        return sigv4.parse_header(request, authorization)
    if authorization.startswith(sigv2.SCHEME):
        return sigv2.parse_header(request, authorization)
    raise InvalidArgument("Unsupported Authorization Type", fields={"ArgumentName": "Authorization"})
