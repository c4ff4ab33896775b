"""An Input and an Output per S3 operation, in the S3 API reference's own words.

Inputs are what `parse` makes of a request, outputs what `render` turns into an answer;
handlers stand between them. All are frozen values. Times are aware UTC. An `etag` is
without its quotes here; `render` adds them. Bodies travel beside the Input as streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

# ---------------------------------------------------------------- shared parts


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a bucket, an object, an upload."""

    id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """If-Match and its kin (RFC 9110 §13). Tags are without quotes and weak marks; `*` is ("*",).

    None: the header was not sent. A date that cannot be parsed counts as not sent (RFC 9110).
    """

    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None

    def __bool__(self) -> bool:
        return (
            self.if_match is not None
            or self.if_none_match is not None
            or self.if_modified_since is not None
            or self.if_unmodified_since is not None
        )


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One `bytes=` range as sent: `first-last`, `first-` (last None) or `-suffix` (first None)."""

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class ObjectHeaders:
    """What a PUT, Copy or CreateMultipartUpload says about an object, to be kept and given back.

    `standard`: lower-case names of content-type, cache-control, content-disposition,
    content-encoding (without `aws-chunked`), content-language, expires,
    x-amz-website-redirect-location; only those that were sent. `metadata`: the names behind
    `x-amz-meta-`, lower case. `tags`: from x-amz-tagging. `acl`: from x-amz-acl, as `acl.format_acl` has it.
    """

    standard: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None
    acl: str = ""


@dataclass(frozen=True, slots=True)
class Payload:
    """How a request's body is framed and what it must turn out to be.

    `sha256`: the hex digest that x-amz-content-sha256 announced, None when it is unsigned or
    streaming. `chunked`: the body is aws-chunked. `signed`: its chunks carry signatures.
    `trailer`: a trailer section follows the last chunk; `trailer_names` are those announced by
    x-amz-trailer. `length`: bytes of content after decoding, None when not announced.
    `checksums`: algorithm (`crc32`, `crc32c`, `crc64nvme`, `sha1`, `sha256`) → base64 value as
    announced in a header. `algorithm`: the one the client named (x-amz-sdk-checksum-algorithm,
    a checksum header or a trailer), None when it named none. `md5`: Content-MD5, 16 bytes.
    `sizes`: the least and the most bytes that are accepted, None where all are.
    """

    length: int | None = None
    sha256: str | None = None
    chunked: bool = False
    signed: bool = False
    trailer: bool = False
    trailer_names: tuple[str, ...] = ()
    md5: bytes | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    algorithm: str | None = None
    sizes: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Checksums:
    """An object's or part's stored checksums: algorithm → base64 (with `-N` when composite)."""

    values: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None  # "FULL_OBJECT" or "COMPOSITE"


@dataclass(frozen=True, slots=True)
class CopySource:
    """x-amz-copy-source, percent-decoded exactly once. `version_id` is a revision, unresolved."""

    bucket: str
    key: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Empty:
    """Output of operations that answer with a status and no body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------- service and buckets


@dataclass(frozen=True, slots=True)
class ListBucketsInput:
    prefix: str = ""
    max_buckets: int | None = None
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True)
class BucketSummary:
    name: str
    creation_date: datetime


@dataclass(frozen=True, slots=True)
class ListBucketsOutput:
    owner: Owner
    buckets: tuple[BucketSummary, ...]
    prefix: str = ""
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True)
class CreateBucketInput:
    """`acl`: from x-amz-acl, as `acl.format_acl` has it."""

    bucket: str
    location_constraint: str | None = None
    acl: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateBucketOutput:
    location: str


@dataclass(frozen=True, slots=True)
class BucketInput:
    """HeadBucket, DeleteBucket, GetBucketLocation, GetBucketVersioning: just the bucket."""

    bucket: str


@dataclass(frozen=True, slots=True)
class HeadBucketOutput:
    region: str


@dataclass(frozen=True, slots=True)
class GetBucketLocationOutput:
    location: str


@dataclass(frozen=True, slots=True)
class GetBucketVersioningOutput:
    status: str


@dataclass(frozen=True, slots=True)
class PutBucketVersioningInput:
    bucket: str
    status: str | None
    mfa_delete: str | None


# ---------------------------------------------------------------- who may see and do what


@dataclass(frozen=True, slots=True)
class GetAclOutput:
    """`acl`: as `acl.format_acl` has it. `bucket_owner`: of the bucket that an object is in."""

    owner: Owner
    acl: str
    bucket_owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class PutAclInput:
    """PutBucketAcl and, with a key, PutObjectAcl. `acl`: from x-amz-acl, as `acl.format_acl` has it; None
    where the `document` says it, which only makes sense together with who owns what it is for."""

    bucket: str
    key: str | None
    version_id: str | None
    acl: str | None
    document: bytes = b""


@dataclass(frozen=True, slots=True)
class PutBucketPolicyInput:
    """`document`: as it was sent, not checked yet."""

    bucket: str
    document: bytes


@dataclass(frozen=True, slots=True)
class GetBucketPolicyOutput:
    document: str


@dataclass(frozen=True, slots=True)
class GetBucketPolicyStatusOutput:
    is_public: bool


@dataclass(frozen=True, slots=True)
class PutBucketCorsInput:
    """`configuration`: XML that `cors.parse_cors` accepts."""

    bucket: str
    configuration: str


@dataclass(frozen=True, slots=True)
class GetBucketCorsOutput:
    configuration: str


@dataclass(frozen=True, slots=True)
class PreflightInput:
    """What a browser asks before it sends a request of another origin. `headers`: their lower-case names."""

    bucket: str
    key: str | None
    origin: str
    method: str
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreflightOutput:
    """`headers`: the Access-Control-* headers and Vary."""

    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AbsentInput:
    """GET or DELETE of a sub-resource that no bucket has. `answer`: a document, an error, or b"" for 204."""

    bucket: str
    answer: bytes | Exception


@dataclass(frozen=True, slots=True)
class AbsentOutput:
    document: bytes


# ---------------------------------------------------------------- listings


@dataclass(frozen=True, slots=True)
class ListObjectsInput:
    """ListObjects and ListObjectsV2: `version` is 1 or 2.

    A marker, start-after or continuation token of "" was sent empty, and is echoed so.
    """

    bucket: str
    version: int
    prefix: str | None = None
    delimiter: str | None = None
    max_keys: int = 1000
    encoding_type: str | None = None
    marker: str | None = None
    start_after: str | None = None
    continuation_token: str | None = None
    fetch_owner: bool = False


class ObjectSummary(NamedTuple):
    """One row of a listing; a tuple, since a page makes a thousand."""

    key: str
    last_modified: datetime
    etag: str
    size: int
    checksum_algorithms: tuple[str, ...] = ()
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True)
class ListObjectsOutput:
    request: ListObjectsInput
    name: str
    contents: tuple[ObjectSummary, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    next_marker: str | None = None
    next_continuation_token: str | None = None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class ListObjectVersionsInput:
    bucket: str
    prefix: str | None = None
    delimiter: str | None = None
    max_keys: int = 1000
    encoding_type: str | None = None
    key_marker: str | None = None
    version_id_marker: str | None = None


class VersionSummary(NamedTuple):
    """One row of ListObjectVersions; a delete marker has neither etag nor size."""

    key: str
    version_id: str
    is_latest: bool
    last_modified: datetime
    is_delete_marker: bool = False
    etag: str = ""
    size: int = 0
    checksum_algorithms: tuple[str, ...] = ()
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True)
class ListObjectVersionsOutput:
    request: ListObjectVersionsInput
    name: str
    versions: tuple[VersionSummary, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    owner: Owner
    next_key_marker: str | None = None
    next_version_id_marker: str | None = None


# ---------------------------------------------------------------- objects


@dataclass(frozen=True, slots=True)
class GetObjectInput:
    """GetObject and HeadObject (`head`). `overrides`: lower-case header name → value of the
    `response-*` parameters."""

    bucket: str
    key: str
    head: bool = False
    version_id: str | None = None
    conditions: Conditions = Conditions()
    range: ByteRange | None = None
    part_number: int | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    checksum_mode: bool = False


@dataclass(frozen=True, slots=True)
class GetObjectOutput:
    """`content_range` is (first, last, total) for a 206; `content_length` counts what is sent."""

    etag: str
    last_modified: datetime
    version_id: str
    content_length: int
    headers: ObjectHeaders
    content_range: tuple[int, int, int] | None = None
    checksums: Checksums | None = None
    parts_count: int | None = None
    tagging_count: int = 0
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PutObjectInput:
    bucket: str
    key: str
    headers: ObjectHeaders
    conditions: Conditions
    payload: Payload
    message: str | None = None


@dataclass(frozen=True, slots=True)
class PutObjectOutput:
    etag: str
    version_id: str
    checksums: Checksums = Checksums()
    size: int | None = None


@dataclass(frozen=True, slots=True)
class PutObjectExtractInput:
    """A PUT of an archive whose files are to be stored. `key` names the archive alone; `prefix` goes before the path of
    each file, "" or ending in a slash. `headers` are those of files that bring none of their own."""

    bucket: str
    key: str
    prefix: str
    ignore_dirs: bool
    headers: ObjectHeaders
    payload: Payload
    message: str | None = None


@dataclass(frozen=True, slots=True)
class PostObjectInput:
    """A form upload. `location`: the object's URL. `status`: 200, 201 or 204. `redirect`: where the
    browser is sent instead, an absolute URL."""

    put: PutObjectInput
    location: str
    status: int = 204
    redirect: str | None = None


@dataclass(frozen=True, slots=True)
class PostObjectOutput:
    request: PostObjectInput
    put: PutObjectOutput


@dataclass(frozen=True, slots=True)
class CopyObjectInput:
    """`replace_metadata` and `replace_tags`: the directives said REPLACE. `algorithm`: the
    checksum to store with the copy (x-amz-checksum-algorithm), None to keep the source's."""

    bucket: str
    key: str
    source: CopySource
    source_conditions: Conditions
    conditions: Conditions
    replace_metadata: bool
    replace_tags: bool
    headers: ObjectHeaders
    algorithm: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CopyObjectOutput:
    etag: str
    last_modified: datetime
    version_id: str
    source_version_id: str | None = None
    checksums: Checksums = Checksums()


@dataclass(frozen=True, slots=True)
class DeleteObjectInput:
    bucket: str
    key: str
    version_id: str | None = None
    conditions: Conditions = Conditions()
    message: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteObjectOutput:
    version_id: str | None
    delete_marker: bool


@dataclass(frozen=True, slots=True)
class ObjectIdentifier:
    """One key of a DeleteObjects request."""

    key: str
    version_id: str | None = None
    etag: str | None = None
    size: int | None = None
    last_modified_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeleteObjectsInput:
    bucket: str
    objects: tuple[ObjectIdentifier, ...]
    quiet: bool
    message: str | None = None


@dataclass(frozen=True, slots=True)
class DeletedObject:
    key: str
    version_id: str | None = None
    delete_marker: bool = False
    delete_marker_version_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteError:
    key: str
    code: str
    message: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteObjectsOutput:
    """`render` leaves `deleted` out when the request was quiet."""

    deleted: tuple[DeletedObject, ...]
    errors: tuple[DeleteError, ...]
    quiet: bool = False


# ---------------------------------------------------------------- attributes and tags


@dataclass(frozen=True, slots=True)
class ObjectVersionInput:
    """GetObjectTagging, DeleteObjectTagging: just the object, at a revision if there is one."""

    bucket: str
    key: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class GetObjectAttributesInput:
    """`attributes`: those asked for, of ETag, Checksum, ObjectParts, StorageClass, ObjectSize."""

    bucket: str
    key: str
    attributes: frozenset[str]
    version_id: str | None = None
    max_parts: int = 1000
    part_number_marker: int = 0


@dataclass(frozen=True, slots=True)
class ObjectPart:
    part_number: int
    size: int
    checksums: Checksums = Checksums()


@dataclass(frozen=True, slots=True)
class ObjectParts:
    """A page of an object's parts; `total` counts them all."""

    total: int
    parts: tuple[ObjectPart, ...]
    is_truncated: bool
    next_part_number_marker: int


@dataclass(frozen=True, slots=True)
class GetObjectAttributesOutput:
    """`object_parts` is None unless asked for, and for an object that was put whole; of the
    others `render` leaves out what was not asked for."""

    request: GetObjectAttributesInput
    last_modified: datetime
    version_id: str
    etag: str
    size: int
    checksums: Checksums = Checksums()
    object_parts: ObjectParts | None = None


@dataclass(frozen=True, slots=True)
class GetTaggingOutput:
    """GetObjectTagging and, without version id, GetBucketTagging. Tags are sorted by key."""

    tags: Mapping[str, str]
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class PutObjectTaggingInput:
    bucket: str
    key: str
    tags: Mapping[str, str]
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class PutBucketTaggingInput:
    bucket: str
    tags: Mapping[str, str]


# ---------------------------------------------------------------- multipart uploads


@dataclass(frozen=True, slots=True)
class CreateMultipartUploadInput:
    bucket: str
    key: str
    headers: ObjectHeaders
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True)
class CreateMultipartUploadOutput:
    bucket: str
    key: str
    upload_id: str
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True)
class UploadPartInput:
    bucket: str
    key: str
    upload_id: str
    part_number: int
    payload: Payload


@dataclass(frozen=True, slots=True)
class UploadPartOutput:
    etag: str
    checksums: Checksums = Checksums()


@dataclass(frozen=True, slots=True)
class UploadPartCopyInput:
    """`range`: x-amz-copy-source-range, both ends given; None for the whole source."""

    bucket: str
    key: str
    upload_id: str
    part_number: int
    source: CopySource
    source_conditions: Conditions
    range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class UploadPartCopyOutput:
    etag: str
    last_modified: datetime
    source_version_id: str | None = None
    checksums: Checksums = Checksums()


@dataclass(frozen=True, slots=True)
class ListPartsInput:
    bucket: str
    key: str
    upload_id: str
    max_parts: int = 1000
    part_number_marker: int = 0
    encoding_type: str | None = None


@dataclass(frozen=True, slots=True)
class PartSummary:
    part_number: int
    last_modified: datetime
    etag: str
    size: int
    checksums: Checksums = Checksums()


@dataclass(frozen=True, slots=True)
class ListPartsOutput:
    request: ListPartsInput
    owner: Owner
    parts: tuple[PartSummary, ...]
    is_truncated: bool
    next_part_number_marker: int
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True)
class ListMultipartUploadsInput:
    bucket: str
    prefix: str | None = None
    delimiter: str | None = None
    max_uploads: int = 1000
    encoding_type: str | None = None
    key_marker: str | None = None
    upload_id_marker: str | None = None


@dataclass(frozen=True, slots=True)
class UploadSummary:
    key: str
    upload_id: str
    initiated: datetime
    owner: Owner
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@dataclass(frozen=True, slots=True)
class ListMultipartUploadsOutput:
    request: ListMultipartUploadsInput
    uploads: tuple[UploadSummary, ...]
    common_prefixes: tuple[str, ...]
    is_truncated: bool
    next_key_marker: str | None = None
    next_upload_id_marker: str | None = None


@dataclass(frozen=True, slots=True)
class CompletedPart:
    """One <Part> of CompleteMultipartUpload; `etag` without quotes, None when left out."""

    part_number: int
    etag: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompleteMultipartUploadInput:
    """`checksums`: the object-level x-amz-checksum-* headers; `object_size`: x-amz-mp-object-size."""

    bucket: str
    key: str
    upload_id: str
    parts: tuple[CompletedPart, ...]
    conditions: Conditions
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str | None = None
    object_size: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CompleteMultipartUploadOutput:
    location: str
    bucket: str
    key: str
    etag: str
    version_id: str
    checksums: Checksums = Checksums()


@dataclass(frozen=True, slots=True)
class AbortMultipartUploadInput:
    bucket: str
    key: str
    upload_id: str


AnyInput = Any
AnyOutput = Any
