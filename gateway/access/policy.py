"""The policy engine: may this caller do that? All such questions are answered here, from what they carry.

1. What the bucket's policy denies is denied; but its owner can always change that policy.
2. The bucket's owner, where he is a member of the project, and its administrator may do everything with it and what
   is in it.
3. The right to import allows to write into all of the project's buckets, and to see there what the caller wrote
   himself; the right to export allows to read and list all that is in export buckets.
4. All that follows opens something to members alone, and to those who do not sign where the project is not confined:
   no right is widened by it.
5. What the policy allows is allowed.
6. An object's owner, who wrote it, may read it, and read and change its ACL and tags.
7. What the ACL grants is allowed: the bucket's ACL, or the object's own. To work on an upload also takes having
   begun it.
8. Everything else is denied: also any operation that the table does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from gateway.access.documents import Asking, Document, Verdict, resource_arn
from gateway.access.principals import Principal
from gateway.access.rights import Right
from gateway.s3.acl import PRIVATE, PUBLIC, Acl, Permission


class Stage(Enum):
    """When enough is known for a decision: before the body is read, or not until the object is at hand, the
    upload, or each of the keys that the body names."""

    AT_ONCE = "at once"
    OBJECT = "object"
    UPLOAD = "upload"
    KEYS = "keys"


class Reach(Enum):
    """What a permission is for: nothing, what the caller wrote himself, or all there is."""

    NOTHING = "nothing"
    OWN = "own"
    ALL = "all"


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
_UPLOADS = Needs("s3:PutObject", _WRITE, Stage.UPLOAD, for_anonymous=False)  # as in S3: an upload has an initiator
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
    "PutObjectExtract": Needs("s3:PutObject", _WRITE, Stage.KEYS),
    "PostObject": Needs("s3:PutObject", _WRITE),
    "CopyObject": Needs("s3:PutObject", _WRITE),
    "DeleteObject": _DELETES,
    "DeleteObjects": Needs("s3:DeleteObject", _WRITE, Stage.KEYS),
    "CreateMultipartUpload": Needs("s3:PutObject", _WRITE, for_anonymous=False),
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

# One key of DeleteObjects, of PutObjectExtract.
DELETE_KEY, PUT_KEY = "DeleteObject", "PutObject"

# What the right to import allows: with every bucket of the project,
_LISTINGS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"})
_OF_ALL_BUCKETS = frozenset({"HeadBucket", "GetBucketLocation", "GetBucketVersioning"})
_IMPORTS = _OF_ALL_BUCKETS | {"PutObject", "PutObjectExtract", "PostObject", "CopyObject", "CreateMultipartUpload"}
# with what the caller wrote himself, or began,
_IMPORTS_OWN = frozenset(
    {
        *("HeadObject", "GetObjectAttributes"),
        *("UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts"),
    }
)
# and what one of those operations may do besides.
_IMPORTS_ALSO = frozenset({"s3:PutObjectTagging"})

# What the right to export allows with an export bucket and all that is in it.
_EXPORTS = (
    _OF_ALL_BUCKETS
    | (_LISTINGS - {"ListMultipartUploads"})
    | {"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectTagging"}
)


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
    """What decides about an object, or an upload, that exists. `writer_id`: whoever is recorded to have written or
    begun it, "" where nobody is; the owner is then the bucket's."""

    owner_id: str
    acl: Acl = PRIVATE
    writer_id: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `caller` may do `operation` in the bucket, to `key` where there is one. `is_version`: a revision is
    named. `values`: for the policy's conditions, empty where there is no policy. `also`: further actions of S3 that
    the operation comprises as it was asked for."""

    caller: Principal
    operation: str
    bucket: BucketFacts
    key: str | None = None
    is_version: bool = False
    object: ObjectFacts | None = None
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    also: tuple[str, ...] = ()


def is_master(caller: Principal, owner_id: str) -> bool:
    """Whether the bucket of this owner is the caller's to govern."""
    return caller.is_admin or (caller.id == owner_id and Right.MEMBER in caller.rights and not caller.is_anonymous)


def may(question: Question) -> bool:
    return reach(question) is not Reach.NOTHING


def reach(question: Question) -> Reach:
    """How much of what there is the caller may do it to; less than all only of listings."""
    caller, bucket, needs = question.caller, question.bucket, needs_of(question.operation)
    masters = is_master(caller, bucket.owner_id)
    if needs.for_owner_only:
        return Reach.ALL if masters else Reach.NOTHING
    verdict = _verdict(question, needs)
    if verdict is Verdict.DENY:
        return Reach.NOTHING
    if masters or _exports(question) or _is_open(question, needs, verdict):
        return Reach.ALL
    return _imports(question)


def may_of_no_bucket(caller: Principal, operation: str) -> bool:
    """ListBuckets is for whoever has any right, CreateBucket for those who may write."""
    if operation == "CreateBucket":
        return not caller.rights.isdisjoint((Right.ADMIN, Right.MEMBER, Right.IMPORT))
    return bool(caller.rights)


def may_be_told(caller: Principal, owner_id: str, names: Sequence[str]) -> bool:
    """Whether ListBuckets tells the caller of the bucket."""
    return is_master(caller, owner_id) or Right.IMPORT in caller.rights or _may_export_from(caller, names)


def knows_names(caller: Principal) -> bool:
    """Whether the caller may learn that the project has no bucket of some name."""
    if caller.rights:
        return caller.rights != {Right.EXPORT} or caller.export_buckets is None
    return _is_open_to(caller)


def may_ever(question: Question) -> bool:
    """Whether the answer is yes for any object, upload or key of the bucket: asked before it is known which one."""
    caller, bucket, needs = question.caller, question.bucket, needs_of(question.operation)
    if is_master(caller, bucket.owner_id):
        return True
    if bucket.document is not None and _is_open_to(caller):
        actions = [action for action in (needs.action, needs.version_action) if action]
        if bucket.document.ever_allows(caller, actions):
            return True
    best = ObjectFacts(caller.id, PUBLIC, caller.id)
    return may(replace(question, object=best, bucket=replace(bucket, document=None)))


def _verdict(question: Question, needs: Needs) -> Verdict:
    """Of the policy on the operation with all that it comprises: one denied is all denied."""
    document = question.bucket.document
    if document is None:
        return Verdict.SILENT
    by_version = question.is_version and bool(needs.version_action)
    asking = Asking(
        caller=question.caller,
        action=needs.version_action if by_version else needs.action,
        resources=[resource_arn(name, question.key) for name in question.bucket.names],
        values=question.values,
        denied_by=needs.action if by_version else "",
    )
    verdicts = {document.verdict(asking), *(document.verdict(replace(asking, action=also)) for also in question.also)}
    if Verdict.DENY in verdicts:
        return Verdict.DENY
    return Verdict.ALLOW if verdicts == {Verdict.ALLOW} else Verdict.SILENT


# ---------------------------------------------------------------- rights


def _may_export_from(caller: Principal, names: Sequence[str]) -> bool:
    if Right.EXPORT not in caller.rights:
        return False
    return caller.export_buckets is None or any(name in caller.export_buckets for name in names)


def _exports(question: Question) -> bool:
    return question.operation in _EXPORTS and _may_export_from(question.caller, question.bucket.names)


def _imports(question: Question) -> Reach:
    caller, operation = question.caller, question.operation
    if Right.IMPORT not in caller.rights or not _IMPORTS_ALSO.issuperset(question.also):
        return Reach.NOTHING
    if operation in _IMPORTS_OWN:
        is_own = question.object is not None and question.object.writer_id == caller.id
        return Reach.ALL if is_own else Reach.NOTHING
    if question.is_version:  # whether there is such a revision is not for him to learn
        return Reach.NOTHING
    if operation in _LISTINGS:
        return Reach.OWN
    return Reach.ALL if operation in _IMPORTS else Reach.NOTHING


# ---------------------------------------------------------------- policies, owners of objects, ACLs


def _is_open_to(caller: Principal) -> bool:
    """Whether policies and ACLs can open anything to the caller."""
    return not caller.is_confined if caller.is_anonymous else Right.MEMBER in caller.rights


def _is_open(question: Question, needs: Needs, verdict: Verdict) -> bool:
    caller = question.caller
    if not _is_open_to(caller) or (caller.is_anonymous and not needs.for_anonymous):
        return False
    if verdict is Verdict.ALLOW:
        return True
    owns, is_granted = _owns(question), _is_granted(question, needs)
    if needs.stage is Stage.UPLOAD:
        return owns and (is_granted or needs.permission is None)
    return (owns and needs.stage is Stage.OBJECT) or is_granted


def _owns(question: Question) -> bool:
    thing, caller = question.object, question.caller
    return thing is not None and caller.id == thing.owner_id and not caller.is_anonymous


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
