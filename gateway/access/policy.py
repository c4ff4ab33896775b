"""The policy engine: may this caller do that? All such questions are answered here, from what they carry.

1. What the bucket's policy denies is denied; but its owner can always change that policy.
2. The bucket's owner and the project's administrator may do everything with it and what is in it.
3. What the policy allows is allowed.
4. An object's owner, who wrote it, may read it, and read and change its ACL and tags.
5. What the ACL grants is allowed: the bucket's ACL, or the object's own.
6. Everything else is denied: also any operation that the table does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from gateway.access.documents import Asking, Document, Verdict, resource_arn
from gateway.access.principals import Principal
from gateway.s3.acl import PRIVATE, Acl, Permission


class Stage(Enum):
    """When enough is known for a decision: before the body is read, or not until the object is at hand, the
    upload, or each of the keys that the body names."""

    AT_ONCE = "at once"
    OBJECT = "object"
    UPLOAD = "upload"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Needs:
    """A row of the table. `action`: S3's, as policies name it; `version_action` where a version is named.
    `permission`: the grant that does as well, of the object's ACL with Stage.OBJECT, else of the bucket's."""

    action: str
    permission: Permission | None = None
    stage: Stage = Stage.AT_ONCE
    version_action: str = ""
    for_owner_only: bool = False  # of the bucket: nobody else, whatever the policy says
    for_anonymous: bool = True


_READ, _WRITE = Permission.READ, Permission.WRITE
_UPLOADS = Needs("s3:PutObject", _WRITE, for_anonymous=False)  # as in S3: an upload has an initiator
_DELETES = Needs("s3:DeleteObject", _WRITE, version_action="s3:DeleteObjectVersion")


def _of_object(action: str, version_action: str, permission: Permission | None = None) -> Needs:
    return Needs(f"s3:{action}", permission, Stage.OBJECT, f"s3:{version_action}")


# Sources: S3 user guide, "ACL permissions and access policy permissions", "Required permissions for S3 API operations".
NEEDS: Mapping[str, Needs] = {
    "HeadBucket": Needs("s3:ListBucket", _READ, version_action="s3:ListBucketVersions"),
    "ListObjects": Needs("s3:ListBucket", _READ, version_action="s3:ListBucketVersions"),
    "ListObjectsV2": Needs("s3:ListBucket", _READ, version_action="s3:ListBucketVersions"),
    "ListObjectVersions": Needs("s3:ListBucketVersions", _READ),
    "ListMultipartUploads": Needs("s3:ListBucketMultipartUploads", _READ),
    "PutObject": Needs("s3:PutObject", _WRITE),
    "PostObject": Needs("s3:PutObject", _WRITE),
    "CopyObject": Needs("s3:PutObject", _WRITE),
    "DeleteObject": _DELETES,
    "DeleteObjects": Needs("s3:DeleteObject", _WRITE, Stage.KEYS),
    "CreateMultipartUpload": _UPLOADS,
    "UploadPart": _UPLOADS,
    "UploadPartCopy": _UPLOADS,
    "CompleteMultipartUpload": _UPLOADS,
    "AbortMultipartUpload": Needs("s3:AbortMultipartUpload", None, Stage.UPLOAD, for_anonymous=False),
    "ListParts": Needs("s3:ListMultipartUploadParts", None, Stage.UPLOAD, for_anonymous=False),
    "GetObject": _of_object("GetObject", "GetObjectVersion", _READ),
    "HeadObject": _of_object("GetObject", "GetObjectVersion", _READ),
    "GetObjectAttributes": _of_object("GetObjectAttributes", "GetObjectVersionAttributes"),
    "GetObjectAcl": _of_object("GetObjectAcl", "GetObjectVersionAcl"),
    "PutObjectAcl": _of_object("PutObjectAcl", "PutObjectVersionAcl"),
    "GetObjectTagging": _of_object("GetObjectTagging", "GetObjectVersionTagging"),
    "PutObjectTagging": _of_object("PutObjectTagging", "PutObjectVersionTagging"),
    "DeleteObjectTagging": _of_object("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetBucketCors": Needs("s3:GetBucketCORS"),
    "PutBucketCors": Needs("s3:PutBucketCORS"),
    "DeleteBucketCors": Needs("s3:PutBucketCORS"),
    "DeleteBucketTagging": Needs("s3:PutBucketTagging"),
    "GetBucketPolicy": Needs("s3:GetBucketPolicy", for_owner_only=True),
    "PutBucketPolicy": Needs("s3:PutBucketPolicy", for_owner_only=True),
    "DeleteBucketPolicy": Needs("s3:DeleteBucketPolicy", for_owner_only=True),
}

# One key of DeleteObjects.
DELETE_KEY = "DeleteObject"


def needs_of(operation: str) -> Needs:
    """The row; of an operation without one, that S3's action has the same name and no ACL grants it."""
    return NEEDS.get(operation) or Needs(f"s3:{operation}")


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """What decides about a bucket. `names`: all that it is known by."""

    owner_id: str
    names: tuple[str, ...]
    acl: Acl = PRIVATE
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What decides about an object, or an upload, that exists."""

    owner_id: str
    acl: Acl = PRIVATE


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `caller` may do `operation` in the bucket, to `key` where there is one. `is_version`: a revision is
    named. `values`: for the policy's conditions, empty where there is no policy."""

    caller: Principal
    operation: str
    bucket: BucketFacts
    key: str | None = None
    is_version: bool = False
    object: ObjectFacts | None = None
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)


def is_master(caller: Principal, owner_id: str) -> bool:
    """Whether the bucket of this owner is the caller's to govern."""
    return caller.is_admin or (caller.id == owner_id and not caller.is_anonymous)


def may(question: Question) -> bool:
    caller, bucket, needs = question.caller, question.bucket, needs_of(question.operation)
    masters = is_master(caller, bucket.owner_id)
    if needs.for_owner_only:
        return masters
    verdict = _verdict(question, needs)
    if verdict is Verdict.DENY:
        return False
    if masters:
        return True
    if caller.is_anonymous and not needs.for_anonymous:
        return False
    return verdict is Verdict.ALLOW or _owns(question, needs) or _is_granted(question, needs)


def _verdict(question: Question, needs: Needs) -> Verdict:
    document = question.bucket.document
    if document is None:
        return Verdict.SILENT
    by_version = question.is_version and bool(needs.version_action)
    return document.verdict(
        Asking(
            caller=question.caller,
            action=needs.version_action if by_version else needs.action,
            resources=[resource_arn(name, question.key) for name in question.bucket.names],
            values=question.values,
            denied_by=needs.action if by_version else "",
        )
    )


def _owns(question: Question, needs: Needs) -> bool:
    if question.object is None or needs.stage not in (Stage.OBJECT, Stage.UPLOAD):
        return False
    return question.caller.id == question.object.owner_id and not question.caller.is_anonymous


def _is_granted(question: Question, needs: Needs) -> bool:
    if needs.permission is None or (question.is_version and needs is _DELETES):
        return False
    if needs.stage is not Stage.OBJECT:
        acl = question.bucket.acl
    elif question.object is not None:
        acl = question.object.acl
    else:
        return False
    return acl.allows(needs.permission, authenticated=not question.caller.is_anonymous)
