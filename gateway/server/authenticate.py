"""Who sent a request: its signature checked against the secret that belongs to its access key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.access.credentials import Secret
from gateway.access.principals import ANONYMOUS, Accounts, Principal
from gateway.s3.errors import InvalidAccessKeyId, InvalidToken, NotImplemented, S3Error
from gateway.s3.parse_post import Form
from gateway.s3.post_policy import PolicyClaim, parse_policy_claim
from gateway.s3.request import Request
from gateway.s3.signature import Claim, parse_claim
from gateway.s3.sigv4 import ChunkSigner


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose signature is right, or one without. `signer` signs the body's chunks, where these are signed."""

    principal: Principal
    access_key: str
    signer: ChunkSigner | None


_ANONYMOUS = Identity(ANONYMOUS, "", None)


class Authenticator:
    def __init__(self, accounts: Accounts, region: str) -> None:
        self._accounts, self._region = accounts, region

    def identify(self, request: Request) -> Identity:
        """Who signed the request, or nobody. Raises the S3Error that AWS answers with for whatever is wrong."""
        claim = parse_claim(request)
        if claim is None:
            return _ANONYMOUS
        if claim.service != "s3":
            raise NotImplemented(f"This gateway does not offer the service {claim.service!r}.")
        signer = claim.verify(self._secret(claim), datetime.now(UTC), self._region)
        return Identity(self._accounts.principal_for(claim.access_key), claim.access_key, signer)

    def identify_form(self, form: Form, bucket: str | None) -> Identity:
        """Who signed a form's policy, or nobody: then nothing that the form says is vouched for.

        Where it is signed the form says no more than the policy allows; else AccessDenied.
        """
        claim = parse_policy_claim(form.fields)
        if claim is None or form.policy is None:
            return _ANONYMOUS
        claim.verify(self._secret(claim), self._region)
        form.policy.check({**form.fields, "bucket": bucket or ""}, datetime.now(UTC))
        return Identity(self._accounts.principal_for(claim.access_key), claim.access_key, None)

    def presume(self, request: Request) -> Principal:
        """In whose project the bucket of a request is to be looked for, before or without knowing who asks.

        That of the access key which the request names, for what it is worth: nobody's rights come with it.
        """
        try:
            claim = parse_claim(request)
        except S3Error:
            return ANONYMOUS
        if claim is None or self._accounts.secret_for(claim.access_key) is None:
            return ANONYMOUS
        return replace(ANONYMOUS, project=self._accounts.principal_for(claim.access_key).project)

    def _secret(self, claim: Claim | PolicyClaim) -> Secret:
        secret = self._accounts.secret_for(claim.access_key)
        if secret is None:
            raise InvalidAccessKeyId(fields={"AWSAccessKeyId": claim.access_key})
        if claim.security_token is not None:
            raise InvalidToken("This gateway gives out no session tokens.")
        return secret
