"""One class per error code of STS, spelled as on the wire (STS API reference, "Common errors").

Signatures are checked by `gateway.s3`, whose errors have other names here: `from_s3` has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from gateway.s3 import errors as s3

# AWS's own words: clients and their users look for them.
WRONG_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code."
NO_CODE = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
WRONG_DEVICE = (
    "MultiFactorAuthentication failed, unable to validate MFA code. Please verify your MFA serial number is valid and "
    "associated with this user."
)


class StsError(Exception):
    """Base of all; the class's name is the code on the wire."""

    status: ClassVar[int] = 400
    message: ClassVar[str] = "The request is not valid."

    def __init__(self, message: str | None = None, *, retry_s: int | None = None) -> None:
        """`retry_s`: when it is worth trying again."""
        self.detail, self.retry_s = message or self.message, retry_s
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        return type(self).__name__


class AccessDenied(StsError):
    status = 403
    message = "Access denied."


class InvalidClientTokenId(StsError):
    status = 403
    message = "The security token included in the request is invalid."


class SignatureDoesNotMatch(StsError):
    status = 403
    message = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
    )


class ExpiredToken(StsError):
    status = 403
    message = "The security token included in the request is expired"


class MissingAuthenticationToken(StsError):
    status = 403
    message = "Request is missing Authentication Token"


class IncompleteSignature(StsError):
    message = "The request signature does not conform to AWS standards."


class MissingAction(StsError):
    message = "The request is missing an action or a required parameter: Action."


class InvalidAction(StsError):
    pass


class ValidationError(StsError):
    pass


class MalformedInput(StsError):
    pass


class InternalFailure(StsError):
    status = 500
    message = "The request processing has failed because of an unknown error, exception or failure."


class ServiceUnavailable(StsError):
    status = 503
    message = "The request has failed due to a temporary failure of the server."


_TABLE: Mapping[type[s3.S3Error], Callable[[s3.S3Error], StsError]] = {
    s3.InvalidAccessKeyId: lambda exc: InvalidClientTokenId(),
    s3.InvalidToken: lambda exc: InvalidClientTokenId(),
    s3.ExpiredToken: lambda exc: ExpiredToken(),
    s3.SignatureDoesNotMatch: lambda exc: SignatureDoesNotMatch(),
    # Of a request out of its time, and of one with headers that were not signed, STS says the same.
    s3.RequestTimeTooSkewed: lambda exc: SignatureDoesNotMatch(f"Signature expired: {exc.detail}"),
    s3.AccessDenied: lambda exc: SignatureDoesNotMatch(exc.detail),
    s3.AuthorizationHeaderMalformed: lambda exc: IncompleteSignature(exc.detail),
    s3.AuthorizationQueryParametersError: lambda exc: IncompleteSignature(exc.detail),
    s3.MaxMessageLengthExceeded: lambda exc: MalformedInput("The request is larger than any that STS takes."),
    s3.SlowDown: lambda exc: ServiceUnavailable(),
    s3.ServiceUnavailable: lambda exc: ServiceUnavailable(),
    s3.InsufficientStorage: lambda exc: ServiceUnavailable(exc.detail),
}


def from_s3(error: s3.S3Error) -> StsError:
    """What STS says for an error that the way of an S3 request has raised."""
    row = _TABLE.get(type(error))
    if row is not None:
        return row(error)
    return MalformedInput(error.detail) if error.status < 500 else InternalFailure()
