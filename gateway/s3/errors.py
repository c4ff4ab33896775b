"""One class per S3 error code, spelled as on the wire (S3 API reference, "Error responses").

`render.error` turns one into the XML answer. `fields` become further elements of <Error>
(`BucketName`, `Key`, `ArgumentName`, …), `headers` further response headers. Raising one
is the only way by which a request is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class S3Error(Exception):
    """Base of all; the class's name is the code on the wire."""

    status: ClassVar[int] = 400
    message: ClassVar[str] = "The request is not valid."

    def __init__(
        self,
        message: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = message or self.message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        return type(self).__name__


# ---------------------------------------------------------------- who is asking


class AccessDenied(S3Error):
    status = 403
    message = "Access Denied"


class InvalidAccessKeyId(S3Error):
    status = 403
    message = "The AWS access key ID you provided does not exist in our records."


class SignatureDoesNotMatch(S3Error):
    status = 403
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )


class RequestTimeTooSkewed(S3Error):
    status = 403
    message = "The difference between the request time and the server's time is too large."


class AccessForbidden(S3Error):
    status = 403
    message = "CORSResponse: This CORS request is not allowed."


class AuthorizationHeaderMalformed(S3Error):
    message = "The authorization header that you provided is not valid."


class AuthorizationQueryParametersError(S3Error):
    message = "The presigned URL's query parameters are not valid."


class InvalidSecurity(S3Error):
    status = 403
    message = "The provided security credentials are not valid."


class InvalidToken(S3Error):
    message = "The provided token is malformed or otherwise not valid."


class ExpiredToken(S3Error):
    message = "The provided token has expired."


# ---------------------------------------------------------------- what does not exist


class NoSuchBucket(S3Error):
    status = 404
    message = "The specified bucket does not exist."


class NoSuchKey(S3Error):
    status = 404
    message = "The specified key does not exist."


class NoSuchVersion(S3Error):
    status = 404
    message = "The specified version does not exist."


class NoSuchTagSet(S3Error):
    status = 404
    message = "There is no tag set associated with the bucket."


class NoSuchUpload(S3Error):
    status = 404
    message = (
        "The specified multipart upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed."
    )


# ---------------------------------------------------------------- settings that a bucket has not


class NoSuchCORSConfiguration(S3Error):
    status = 404
    message = "The CORS configuration does not exist"


class NoSuchBucketPolicy(S3Error):
    status = 404
    message = "The bucket policy does not exist"


class NoSuchLifecycleConfiguration(S3Error):
    status = 404
    message = "The lifecycle configuration does not exist"


class NoSuchWebsiteConfiguration(S3Error):
    status = 404
    message = "The specified bucket does not have a website configuration"


class NoSuchPublicAccessBlockConfiguration(S3Error):
    status = 404
    message = "The public access block configuration was not found"


class NoSuchConfiguration(S3Error):
    status = 404
    message = "The specified configuration does not exist."


class OwnershipControlsNotFoundError(S3Error):
    status = 404
    message = "The bucket ownership controls were not found"


class ReplicationConfigurationNotFoundError(S3Error):
    status = 404
    message = "The replication configuration was not found"


class ServerSideEncryptionConfigurationNotFoundError(S3Error):
    status = 404
    message = "The server side encryption configuration was not found"


class ObjectLockConfigurationNotFoundError(S3Error):
    status = 404
    message = "Object Lock configuration does not exist for this bucket"


# ---------------------------------------------------------------- conditions


class PreconditionFailed(S3Error):
    status = 412
    message = "At least one of the preconditions you specified did not hold."


class NotModified(S3Error):
    """Answered as a bare 304: status and headers, no XML (RFC 9110 §15.4.5)."""

    status = 304
    message = "Not Modified"


class InvalidRange(S3Error):
    status = 416
    message = "The requested range is not satisfiable."


class ConditionalRequestConflict(S3Error):
    status = 409
    message = "A conflicting operation occurred during the request. Try again."


# ---------------------------------------------------------------- buckets


class InvalidBucketName(S3Error):
    message = "The specified bucket is not valid."


class BucketAlreadyOwnedByYou(S3Error):
    status = 409
    message = "The bucket you tried to create already exists, and you own it."


class BucketAlreadyExists(S3Error):
    status = 409
    message = "The requested bucket name is not available."


class InvalidBucketState(S3Error):
    status = 409
    message = "The request is not valid with the current state of the bucket."


class IllegalLocationConstraintException(S3Error):
    message = "The specified location constraint is not valid for this endpoint."


class InvalidLocationConstraint(S3Error):
    message = "The specified location constraint is not valid."


# ---------------------------------------------------------------- the request itself


class InvalidRequest(S3Error):
    message = "The request is not valid."


class BadRequest(S3Error):
    message = "Bad Request"


class InvalidArgument(S3Error):
    message = "Invalid Argument"


class InvalidURI(S3Error):
    message = "Couldn't parse the specified URI."


class KeyTooLongError(S3Error):
    message = "Your key is too long: a key has at most 1024 bytes in UTF-8."


class MalformedXML(S3Error):
    message = "The XML you provided was not well-formed or did not validate against our schema."


class MalformedACLError(S3Error):
    message = "The ACL that you provided was not well formed or did not validate against our published schema."


class MalformedPolicy(S3Error):
    message = "Policies must be valid JSON and the first byte must be '{'"


class MissingSecurityHeader(S3Error):
    message = "Your request was missing a required header"


class UnexpectedContent(S3Error):
    message = "This request does not support content."


class MaxMessageLengthExceeded(S3Error):
    message = "Your request was too big."


class MetadataTooLarge(S3Error):
    message = "Your metadata headers exceed the maximum allowed metadata size."


class RequestHeaderSectionTooLarge(S3Error):
    message = "Your request header section exceeds the maximum allowed size."


class MethodNotAllowed(S3Error):
    status = 405
    message = "The specified method is not allowed against this resource."


class NotImplemented(S3Error):
    status = 501
    message = "This gateway does not offer the functionality that the request asks for."


class InvalidStorageClass(S3Error):
    message = "The storage class you specified is not valid."


class InvalidTag(S3Error):
    message = "The tag provided was not a valid tag."


# ---------------------------------------------------------------- bodies


class IncompleteBody(S3Error):
    message = "You did not provide the number of bytes specified by the Content-Length HTTP header."


class MissingContentLength(S3Error):
    status = 411
    message = "You must provide the Content-Length HTTP header."


class InvalidDigest(S3Error):
    message = "The Content-MD5 or checksum value that you specified is not valid."


class BadDigest(S3Error):
    message = "The Content-MD5 or checksum value that you specified did not match what we received."


class XAmzContentSHA256Mismatch(S3Error):
    message = "The provided 'x-amz-content-sha256' header does not match what was computed."


class RequestTimeout(S3Error):
    message = "Your socket connection to the server was not read from or written to within the timeout period."


class MalformedTrailerError(S3Error):
    message = "The request contained trailing data that was not well-formed or did not conform to our schema."


class InvalidChunkSizeError(S3Error):
    status = 403
    message = "Only the last chunk is allowed to have a size less than 8192 bytes."


# ---------------------------------------------------------------- forms


class MalformedPOSTRequest(S3Error):
    message = "The body of your POST request is not well-formed multipart/form-data."


class MaxPostPreDataLengthExceededError(S3Error):
    message = "Your POST request fields preceding the upload file were too large."


class InvalidPolicyDocument(S3Error):
    message = "Invalid Policy: the content of the form does not meet the conditions specified in the policy document."


# ---------------------------------------------------------------- multipart


class EntityTooSmall(S3Error):
    message = "Your proposed upload is smaller than the minimum allowed size: every part but the last needs 5 MiB."


class EntityTooLarge(S3Error):
    message = "Your proposed upload exceeds the maximum allowed object size."


class InvalidPart(S3Error):
    message = (
        "One or more of the specified parts could not be found. The part might not have been "
        "uploaded, or the specified entity tag might not have matched the part's entity tag."
    )


class InvalidPartOrder(S3Error):
    message = "The list of parts was not in ascending order. Parts must be ordered by part number."


# ---------------------------------------------------------------- the server's side


class InternalError(S3Error):
    status = 500
    message = "We encountered an internal error. Please try again."


class ServiceUnavailable(S3Error):
    status = 503
    message = "The service is shutting down or short of a resource. Please try again."


class SlowDown(S3Error):
    status = 503
    message = "Please reduce your request rate."


class InsufficientStorage(S3Error):
    status = 507
    message = "The store has no room left on its disk. Nothing was written."
