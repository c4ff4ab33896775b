"""Who sent a request: its signature checked against the secret that belongs to its access key."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.access.keyring import Credential, Keyring
from gateway.access.principals import ANONYMOUS, DEFAULT_PROJECT, Principal
from gateway.access.web_tokens import BadToken, TokenHasExpired
from gateway.s3.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    ExpiredToken,
    InvalidAccessKeyId,
    InvalidRequest,
    InvalidToken,
    NotImplemented,
    S3Error,
    ServiceUnavailable,
)
from gateway.s3.parse_post import Form
from gateway.s3.post_policy import PolicyClaim, parse_policy_claim
from gateway.s3.request import Request
from gateway.s3.signature import Claim, parse_claim
from gateway.s3.sigv4 import ChunkSigner
from pfs import StoreError


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose signature is right, or one without. `signer` signs the body's chunks, where these are signed."""

    principal: Principal
    access_key: str
    signer: ChunkSigner | None


class Authenticator:
    def __init__(self, keyring: Keyring, region: str) -> None:
        self._keyring, self._region = keyring, region

    def identify(self, request: Request) -> Identity:
        """Who signed the request, or nobody. Raises the S3Error that AWS answers with for whatever is wrong."""
        claim = parse_claim(request)
        if claim is None:
            return self._nobody()
        if claim.service != "s3":
            raise NotImplemented(f"The service {claim.service!r} is not offered here.")
        credential = self._credential(claim)
        signer = claim.verify(credential.secret, datetime.now(UTC), self._region)
        return Identity(_principal(self._proof(request, credential)), claim.access_key, signer)

    def verify(self, request: Request, body: bytes, service: str) -> tuple[str, Credential] | None:
        """The access key that signed a request to another service than S3, body and all, and what it is good for:
        also where a key alone is not enough for S3. None where nobody signed. Raises S3Error."""
        claim = parse_claim(request)
        if claim is None:
            return None
        if claim.service != service:  # S3's signatures do not cover the body as it came
            raise AuthorizationHeaderMalformed(f"Credential should be scoped to correct service: '{service}'.")
        credential = self._credential(claim)
        claim.verify(credential.secret, datetime.now(UTC), self._region, hashlib.sha256(body).hexdigest())
        return claim.access_key, credential

    def identify_form(self, form: Form, bucket: str | None) -> Identity:
        """Who signed a form's policy, or nobody: then nothing that the form says is vouched for.

        Where it is signed the form says no more than the policy allows; else AccessDenied.
        """
        claim = parse_policy_claim(form.fields)
        if claim is None or form.policy is None:
            return self._nobody()
        credential = self._credential(claim)
        claim.verify(credential.secret, self._region)
        form.policy.check({**form.fields, "bucket": bucket or ""}, datetime.now(UTC))
        return Identity(_principal(credential), claim.access_key, None)

    def presume(self, request: Request) -> Principal:
        """In whose project the bucket of a request is to be looked for, before or without knowing who asks.

        That of the access key which the request names, for what it is worth: nobody's rights come with it, and in
        another project than the default one nothing is open to whoever has not proven anything.
        """
        try:
            claim = parse_claim(request)
        except S3Error:
            return self._keyring.anonymous()
        credential = None if claim is None else self._keyring.find(claim.access_key)
        if credential is None or credential.principal.project == DEFAULT_PROJECT:
            return self._keyring.anonymous()
        who = credential.principal
        return replace(ANONYMOUS, project=who.project, is_confined=True, audits_everything=who.audits_everything)

    def claimant(self, request: Request) -> tuple[str, Principal | None]:
        """The access key that a request names, and whose it is: for the record of a refusal. Nothing is proven.

        Raises ServiceUnavailable where the directory does not answer.
        """
        try:
            claim = parse_claim(request)
        except S3Error:
            return "", None
        try:
            return ("", None) if claim is None else (claim.access_key, self.holder(claim.access_key))
        except StoreError as exc:
            raise ServiceUnavailable from exc

    def holder(self, access_key: str) -> Principal | None:
        found = self._keyring.find(access_key)
        return None if found is None else found.principal

    def _nobody(self) -> Identity:
        return Identity(self._keyring.anonymous(), "", None)

    def _proof(self, request: Request, key: Credential) -> Credential:
        """What decides about a request that `key` has signed: the session which the original's headers name, where
        they came along (`token`, a web token, and `x-project-select`), else the key. They are held against each other,
        and the session's rights are all that the request has."""
        token, project = request.header("token"), request.header("x-project-select")
        if token is None and project is None:
            return key
        if token is None or project is None:
            raise InvalidRequest("The headers token and x-project-select go together.")
        try:
            session = self._keyring.find_by_token(token)
        except BadToken as exc:
            raise InvalidToken from exc
        except TokenHasExpired as exc:
            raise ExpiredToken from exc
        if session is None:
            raise InvalidToken
        if session.has_expired(time.time_ns() // 1000):
            raise ExpiredToken
        ours, its = key.principal, session.principal
        if key.is_session or ours.id != its.id or not project == ours.project == its.project:
            raise AccessDenied("Access Denied: the token, the access key and the project do not belong together.")
        return session

    def _credential(self, claim: Claim | PolicyClaim) -> Credential:
        """What the request is to be verified with. Raises InvalidAccessKeyId, InvalidToken, ExpiredToken."""
        found = self._keyring.find(claim.access_key)
        if found is None or (found.is_session and claim.security_token is None):
            raise InvalidAccessKeyId(fields={"AWSAccessKeyId": claim.access_key})
        if claim.security_token is not None and not found.is_its(claim.security_token):
            raise InvalidToken
        if found.has_expired(time.time_ns() // 1000):
            raise ExpiredToken
        return found


def _principal(credential: Credential) -> Principal:
    """Whom a verified request speaks for. Raises AccessDenied where the project asks for more than a key."""
    if credential.policy.requires_session and not credential.is_proven:
        raise AccessDenied(
            "Access Denied: this project asks for two factors. Get a session from the STS endpoint with your one-time "
            "code, and sign with that."
        )
    return credential.principal
