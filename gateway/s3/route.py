"""Request → operation: one table of all that S3 has, offered or not.

A row is a method, a level (service, bucket, object), a sub-resource and, for PUT, whether its
content comes from a copy source or from an archive. A sub-resource is a query parameter that
selects an operation by being there (`?acl`, `?uploadId=…`); every one that S3 knows is in the
table, so that none can be mistaken for a plain GET or PUT. Other parameters (`x-id`, a
signature's, any) select nothing. To offer an operation, turn its name in `_NOT_OFFERED` into an
`Operation` in `_OFFERED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gateway.s3 import (
    acl,
    cors,
    errors,
    parse,
    parse_access,
    parse_batch,
    parse_multipart,
    parse_post,
    parse_tags,
    render,
    render_access,
    render_attributes,
    render_lists,
    render_multipart,
    sub_resources,
)
from gateway.s3.errors import MethodNotAllowed
from gateway.s3.operations import AnyInput, AnyOutput
from gateway.s3.parse_batch import AUTO_EXTRACT, is_batch
from gateway.s3.parse_params import invalid_argument
from gateway.s3.request import Request
from gateway.s3.response import Response
from gateway.s3.xml import MAX_BYTES


class Level(Enum):
    """What a request's address names."""

    SERVICE = "SERVICE"
    BUCKET = "BUCKET"
    OBJECT = "OBJECT"


class Body(Enum):
    """What becomes of a request's body: ignored; read whole (XML, but for a policy's JSON), at most `max_body`;
    streamed beside the Input; a form's fields read and its file streamed."""

    NONE = "none"
    XML = "xml"
    STREAM = "stream"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that is offered. `name` is S3's own, by which handlers are bound; only PutObjectExtract is to S3 a
    PutObject.

    `parse` is given the body that was read, b"" where none was; of a form a `parse_post.Form`.
    `is_public`: whoever asks is answered, signed or not.
    """

    name: str
    parse: Callable[[Request, Any], AnyInput]
    render: Callable[[AnyOutput], Response]
    body: Body = Body.NONE
    max_body: int = MAX_BYTES
    is_public: bool = False


class Source(Enum):
    """Where a PUT has its content from."""

    BODY = "body"
    COPY = "copy"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Row:
    """The key of the table. `resource` "" is the bucket or object itself."""

    method: str
    level: Level
    resource: str = ""
    source: Source = Source.BODY


COPY_SOURCE = "x-amz-copy-source"
MAX_POLICY_BYTES = 20 * 1024

_SERVICE, _BUCKET, _OBJECT = Level.SERVICE, Level.BUCKET, Level.OBJECT

_PREFLIGHT = Operation("PreflightRequest", parse_access.preflight, render_access.preflight, is_public=True)

_OFFERED: dict[Row, Operation] = {
    Row("GET", _SERVICE): Operation("ListBuckets", parse.list_buckets, render.list_buckets),
    # buckets
    Row("PUT", _BUCKET): Operation("CreateBucket", parse.create_bucket, render.create_bucket, Body.XML),
    Row("HEAD", _BUCKET): Operation("HeadBucket", parse.bucket_input, render.head_bucket),
    Row("DELETE", _BUCKET): Operation("DeleteBucket", parse.bucket_input, render.empty),
    Row("GET", _BUCKET, "location"): Operation("GetBucketLocation", parse.bucket_input, render.get_bucket_location),
    Row("GET", _BUCKET, "versioning"): Operation(
        "GetBucketVersioning", parse.bucket_input, render.get_bucket_versioning
    ),
    Row("PUT", _BUCKET, "versioning"): Operation(
        "PutBucketVersioning", parse.put_bucket_versioning, render.empty, Body.XML
    ),
    # listings
    Row("GET", _BUCKET): Operation("ListObjects", parse.list_objects, render_lists.list_objects),
    Row("GET", _BUCKET, "list-type"): Operation("ListObjectsV2", parse.list_objects_v2, render_lists.list_objects),
    Row("GET", _BUCKET, "versions"): Operation(
        "ListObjectVersions", parse.list_object_versions, render_lists.list_object_versions
    ),
    # objects
    Row("GET", _OBJECT): Operation("GetObject", parse.get_object, render.get_object),
    Row("HEAD", _OBJECT): Operation("HeadObject", parse.get_object, render.get_object),
    Row("PUT", _OBJECT): Operation("PutObject", parse.put_object, render.put_object, Body.STREAM),
    Row("PUT", _OBJECT, source=Source.COPY): Operation("CopyObject", parse.copy_object, render.copy_object),
    Row("PUT", _OBJECT, source=Source.ARCHIVE): Operation(
        "PutObjectExtract", parse_batch.put_object_extract, render.put_object, Body.STREAM
    ),
    Row("DELETE", _OBJECT): Operation("DeleteObject", parse.delete_object, render.delete_object),
    Row("POST", _BUCKET, "delete"): Operation(
        "DeleteObjects", parse.delete_objects, render.delete_objects, Body.XML, parse.MAX_DELETE_BYTES
    ),
    Row("POST", _BUCKET): Operation("PostObject", parse_post.post_object, render_access.post_object, Body.FORM),
    # ACLs, policies and CORS
    Row("GET", _BUCKET, "acl"): Operation("GetBucketAcl", parse.bucket_input, render_access.get_acl),
    Row("PUT", _BUCKET, "acl"): Operation("PutBucketAcl", parse_access.put_acl, render.empty, Body.XML, acl.MAX_BYTES),
    Row("GET", _OBJECT, "acl"): Operation("GetObjectAcl", parse.object_version, render_access.get_acl),
    Row("PUT", _OBJECT, "acl"): Operation("PutObjectAcl", parse_access.put_acl, render.empty, Body.XML, acl.MAX_BYTES),
    Row("GET", _BUCKET, "policy"): Operation("GetBucketPolicy", parse.bucket_input, render_access.get_bucket_policy),
    Row("PUT", _BUCKET, "policy"): Operation(
        "PutBucketPolicy", parse_access.put_bucket_policy, render.empty, Body.XML, MAX_POLICY_BYTES
    ),
    Row("DELETE", _BUCKET, "policy"): Operation("DeleteBucketPolicy", parse.bucket_input, render.empty),
    Row("GET", _BUCKET, "policyStatus"): Operation(
        "GetBucketPolicyStatus", parse.bucket_input, render_access.get_bucket_policy_status
    ),
    Row("GET", _BUCKET, "cors"): Operation("GetBucketCors", parse.bucket_input, render_access.get_bucket_cors),
    Row("PUT", _BUCKET, "cors"): Operation(
        "PutBucketCors", parse_access.put_bucket_cors, render.empty, Body.XML, cors.MAX_BYTES
    ),
    Row("DELETE", _BUCKET, "cors"): Operation("DeleteBucketCors", parse.bucket_input, render.empty),
    Row("OPTIONS", _BUCKET): _PREFLIGHT,
    Row("OPTIONS", _OBJECT): _PREFLIGHT,
    # attributes and tags
    Row("GET", _OBJECT, "attributes"): Operation(
        "GetObjectAttributes", parse.get_object_attributes, render_attributes.get_object_attributes
    ),
    Row("GET", _OBJECT, "tagging"): Operation("GetObjectTagging", parse.object_version, render_attributes.get_tagging),
    Row("PUT", _OBJECT, "tagging"): Operation(
        "PutObjectTagging", parse_tags.put_object_tagging, render.empty, Body.XML
    ),
    Row("DELETE", _OBJECT, "tagging"): Operation("DeleteObjectTagging", parse.object_version, render.empty),
    Row("GET", _BUCKET, "tagging"): Operation("GetBucketTagging", parse.bucket_input, render_attributes.get_tagging),
    Row("PUT", _BUCKET, "tagging"): Operation(
        "PutBucketTagging", parse_tags.put_bucket_tagging, render.empty, Body.XML
    ),
    Row("DELETE", _BUCKET, "tagging"): Operation("DeleteBucketTagging", parse.bucket_input, render.empty),
    # multipart uploads
    Row("POST", _OBJECT, "uploads"): Operation(
        "CreateMultipartUpload", parse_multipart.create_multipart_upload, render_multipart.create_multipart_upload
    ),
    Row("PUT", _OBJECT, "uploadId"): Operation(
        "UploadPart", parse_multipart.upload_part, render_multipart.upload_part, Body.STREAM
    ),
    Row("PUT", _OBJECT, "uploadId", source=Source.COPY): Operation(
        "UploadPartCopy", parse_multipart.upload_part_copy, render_multipart.upload_part_copy
    ),
    Row("GET", _OBJECT, "uploadId"): Operation("ListParts", parse_multipart.list_parts, render_lists.list_parts),
    Row("GET", _BUCKET, "uploads"): Operation(
        "ListMultipartUploads", parse_multipart.list_multipart_uploads, render_lists.list_multipart_uploads
    ),
    Row("POST", _OBJECT, "uploadId"): Operation(
        "CompleteMultipartUpload",
        parse_multipart.complete_multipart_upload,
        render_multipart.complete_multipart_upload,
        Body.XML,
        parse_multipart.MAX_COMPLETE_BYTES,
    ),
    Row("DELETE", _OBJECT, "uploadId"): Operation(
        "AbortMultipartUpload", parse_multipart.abort_multipart_upload, render.empty
    ),
}

# What can be asked for and deleted, though no bucket has it.
_ABSENT: dict[Row, Operation] = {
    Row(method, level, absent.resource): Operation(name, absent.parse, render_access.absent)
    for level, rows in ((_BUCKET, sub_resources.OF_BUCKETS), (_OBJECT, sub_resources.OF_OBJECTS))
    for absent in rows
    for method, name in (("GET", absent.get), ("DELETE", absent.delete))
    if name
}
_OFFERED |= _ABSENT

# S3's names of what is answered with NotImplemented.
_NOT_OFFERED: dict[Row, str] = {
    # who may do what
    Row("PUT", _BUCKET, "publicAccessBlock"): "PutPublicAccessBlock",
    Row("PUT", _BUCKET, "ownershipControls"): "PutBucketOwnershipControls",
    Row("GET", _BUCKET, "session"): "CreateSession",
    Row("GET", _BUCKET, "abac"): "GetBucketAbac",
    Row("PUT", _BUCKET, "abac"): "PutBucketAbac",
    Row("GET", _OBJECT, "annotation"): "GetObjectAnnotation",
    Row("PUT", _OBJECT, "annotation"): "PutObjectAnnotation",
    Row("DELETE", _OBJECT, "annotation"): "DeleteObjectAnnotation",
    # locks and encryption
    Row("PUT", _BUCKET, "object-lock"): "PutObjectLockConfiguration",
    Row("PUT", _OBJECT, "legal-hold"): "PutObjectLegalHold",
    Row("PUT", _OBJECT, "retention"): "PutObjectRetention",
    Row("PUT", _BUCKET, "encryption"): "PutBucketEncryption",
    Row("PUT", _OBJECT, "encryption"): "UpdateObjectEncryption",
    # what a bucket does by itself
    Row("PUT", _BUCKET, "lifecycle"): "PutBucketLifecycleConfiguration",
    Row("PUT", _BUCKET, "replication"): "PutBucketReplication",
    Row("PUT", _BUCKET, "notification"): "PutBucketNotificationConfiguration",
    Row("PUT", _BUCKET, "website"): "PutBucketWebsite",
    Row("PUT", _BUCKET, "logging"): "PutBucketLogging",
    Row("PUT", _BUCKET, "accelerate"): "PutBucketAccelerateConfiguration",
    Row("PUT", _BUCKET, "requestPayment"): "PutBucketRequestPayment",
    # reports; without `id`, GET lists them
    Row("PUT", _BUCKET, "analytics"): "PutBucketAnalyticsConfiguration",
    Row("PUT", _BUCKET, "intelligent-tiering"): "PutBucketIntelligentTieringConfiguration",
    Row("PUT", _BUCKET, "inventory"): "PutBucketInventoryConfiguration",
    Row("PUT", _BUCKET, "metrics"): "PutBucketMetricsConfiguration",
    Row("POST", _BUCKET, "metadataConfiguration"): "CreateBucketMetadataConfiguration",
    Row("GET", _BUCKET, "metadataConfiguration"): "GetBucketMetadataConfiguration",
    Row("DELETE", _BUCKET, "metadataConfiguration"): "DeleteBucketMetadataConfiguration",
    Row("POST", _BUCKET, "metadataTable"): "CreateBucketMetadataTableConfiguration",
    Row("GET", _BUCKET, "metadataTable"): "GetBucketMetadataTableConfiguration",
    Row("DELETE", _BUCKET, "metadataTable"): "DeleteBucketMetadataTableConfiguration",
    Row("PUT", _BUCKET, "metadataAnnotationTable"): "UpdateBucketMetadataAnnotationTableConfiguration",
    Row("PUT", _BUCKET, "metadataInventoryTable"): "UpdateBucketMetadataInventoryTableConfiguration",
    Row("PUT", _BUCKET, "metadataJournalTable"): "UpdateBucketMetadataJournalTableConfiguration",
    # objects in other ways
    Row("GET", _OBJECT, "torrent"): "GetObjectTorrent",
    Row("POST", _OBJECT, "restore"): "RestoreObject",
    Row("POST", _OBJECT, "select"): "SelectObjectContent",
    Row("PUT", _OBJECT, "renameObject"): "RenameObject",
}

_RESOURCES = frozenset(row.resource for row in (*_OFFERED, *_NOT_OFFERED)) - {""}

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _OFFERED.values()}
ABSENT = frozenset(operation.name for operation in _ABSENT.values())


def route(request: Request) -> Operation:
    """The operation asked for. Raises NotImplemented for what S3 has and we do not, MethodNotAllowed
    for what not even S3 has, InvalidArgument for two sub-resources at once."""
    row = _row(request)
    operation = _OFFERED.get(row)
    if operation is not None:
        return operation
    name = _NOT_OFFERED.get(row)
    if name is None:
        raise _method_not_allowed(row)
    raise errors.NotImplemented(f"This gateway does not offer {name}.", fields={"Operation": name})


def _method_not_allowed(row: Row) -> MethodNotAllowed:
    known = (*_OFFERED, *_NOT_OFFERED)
    allowed = {other.method for other in known if (other.level, other.resource) == (row.level, row.resource)}
    return MethodNotAllowed(
        fields={"Method": row.method, "ResourceType": row.resource or row.level.value},
        headers={"Allow": ", ".join(sorted(allowed))},
    )


def _row(request: Request) -> Row:
    if request.bucket is None:
        level = Level.SERVICE
    elif request.key is None:
        level = Level.BUCKET
    else:
        level = Level.OBJECT
    # A preflight is for whatever will be asked next, sub-resource and all.
    resource = _sub_resource(request) if request.params and request.method != "OPTIONS" else ""
    source = _source(request)
    if source is not Source.BODY:
        row = Row(request.method, level, resource, source)
        if row in _OFFERED:
            return row
    return Row(request.method, level, resource)


def _source(request: Request) -> Source:
    if request.method != "PUT":
        return Source.BODY
    if COPY_SOURCE in request.headers:
        return Source.COPY
    return Source.ARCHIVE if AUTO_EXTRACT in request.headers and is_batch(request) else Source.BODY


def _sub_resource(request: Request) -> str:
    named = [name for name in request.params if name in _RESOURCES]
    if len(named) > 1:
        message = f"Conflicting query string parameters: {', '.join(sorted(named))}"
        raise invalid_argument("ResourceType", named[0], message)
    return named[0] if named else ""
