"""Who sent a request: its signature checked against the secret that belongs to its access key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.access.principals import Accounts, Principal
from gateway.s3.errors import AccessDenied, InvalidAccessKeyId, InvalidToken, NotImplemented
from gateway.s3.request import Request
from gateway.s3.signature import parse_claim
from gateway.s3.sigv4 import ChunkSigner


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose signature is right. `signer` signs the body's chunks, where these are signed."""

    principal: Principal
    access_key: str
    signer: ChunkSigner | None


class Authenticator:
    def __init__(self, accounts: Accounts, region: str) -> None:
        self._accounts, self._region = accounts, region

    def identify(self, request: Request) -> Identity:
        """Raises the S3Error that AWS answers with for whatever is wrong."""
        claim = parse_claim(request)
        if claim is None:
            raise AccessDenied("Anonymous access is not allowed: sign the request.")
        secret = self._accounts.secret_for(claim.access_key)
        if secret is None:
            raise InvalidAccessKeyId(fields={"AWSAccessKeyId": claim.access_key})
        if claim.security_token is not None:
            raise InvalidToken("This gateway gives out no session tokens.")
        if claim.service != "s3":
            raise NotImplemented(f"This gateway does not offer the service {claim.service!r}.")
        signer = claim.verify(secret, datetime.now(UTC), self._region)
        return Identity(self._accounts.principal_for(claim.access_key), claim.access_key, signer)
