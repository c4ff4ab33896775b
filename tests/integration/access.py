"""A world for the matrix of rights: a project with people of every right, and a request for every operation.

What becomes of a request is one character:

    +  done          o  done, for what the caller wrote himself alone
    -  AccessDenied  ?  NoSuchBucket, NoSuchUpload: nothing tells that there is one
    x  ExpiredToken
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.access.directory import Directory
from gateway.access.model import ProjectPolicy
from gateway.access.rights import Right, Rights
from gateway.s3.route import _OFFERED, ABSENT, OPERATIONS, Level, Row
from tests.archives import tar_of
from tests.forms import CONTENT_TYPE, form_body, policy_text

from .raw import Raw, Reply

EXPORTS, OTHERS = "export-bucket", "other-bucket"  # the project's: exported from, and not
MINE, THEIRS = "imported/mine", "theirs"  # an importer's object, and another's
_LISTINGS = {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}
_ROWS: Mapping[str, Row] = {operation.name: row for row, operation in _OFFERED.items()}
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_CORS = (
    f"<CORSConfiguration {_XMLNS}><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin>"
    "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
).encode()
_TAGS = f"<Tagging {_XMLNS}><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>".encode()
_numbers = count(1)


@dataclass(frozen=True)
class Caller:
    """Who signs; without an access key nobody does."""

    access_key: str = ""
    secret: str = ""
    token: str = ""

    @property
    def signs(self) -> bool:
        return bool(self.access_key)


NOBODY = Caller()


@dataclass(frozen=True)
class Column:
    """Somebody and what he works on: a bucket, an object there, and who begins the uploads that are worked on."""

    caller: Caller
    bucket: str
    key: str
    initiator: Caller


class World:
    """One project, the buckets `EXPORTS` and `OTHERS` of the member `owner`, and both objects in each. Requests are
    made with sessions, or where the project does not ask for them with plain keys."""

    def __init__(self, raw: Raw, directory: Directory, project: str, *, with_sessions: bool) -> None:
        self.raw, self._directory, self.project, self._with_sessions = raw, directory, project, with_sessions
        policy = ProjectPolicy(requires_session=with_sessions, export_buckets=(EXPORTS, f"dev.{OTHERS}"))
        directory.create_project(project, policy)
        self.admin = self.person("admin", Right.ADMIN)
        self.owner = self.person("owner", Right.MEMBER)
        self.importer = self.person("importer", Right.IMPORT)
        self.colleague = self.person("colleague", Right.IMPORT)
        for bucket in (EXPORTS, OTHERS):
            self.must(self.owner, "PUT", f"/{bucket}")
            self.must(self.owner, "PUT", f"/{bucket}?cors", _CORS)
            self.must(self.importer, "PUT", f"/{bucket}/{MINE}", b"imported")
            self.must(self.colleague, "PUT", f"/{bucket}/{THEIRS}", b"of somebody else")

    def columns(self) -> dict[str, Column]:
        """By the names that the table has."""
        other, exporter = self.person("other", Right.MEMBER), self.person("exporter", Right.EXPORT)
        both = self.person("both", Right.IMPORT, Right.EXPORT)
        return {
            "owner": Column(self.owner, OTHERS, MINE, self.colleague),
            "member": Column(other, OTHERS, MINE, self.colleague),
            "import": Column(self.importer, OTHERS, MINE, self.importer),
            "import-others": Column(self.importer, OTHERS, THEIRS, self.colleague),
            "export": Column(exporter, EXPORTS, THEIRS, self.colleague),
            "export-outside": Column(exporter, OTHERS, THEIRS, self.colleague),
            "both": Column(both, EXPORTS, THEIRS, both),
            "no-right": Column(self.person("none"), OTHERS, MINE, self.colleague),
            "admin": Column(self.admin, OTHERS, MINE, self.colleague),
            "unsigned": Column(NOBODY, OTHERS, MINE, self.colleague),
        }

    def strangers(self) -> dict[str, Column]:
        """Who has no business here, though all are administrators: of another project, and of this one with a session
        that has run out, and with a key where that is not enough."""
        admin, elsewhere = f"{self.project}-admin", f"{self.project}-elsewhere"
        self._directory.create_project(elsewhere, ProjectPolicy())
        self._directory.grant(elsewhere, admin, Right.ADMIN)
        foreign = self._directory.begin_session(elsewhere, admin, frozenset({Right.ADMIN}), 3600)
        callers = {
            "foreign": Caller(foreign.session.access_key, foreign.secret, foreign.token),
            "expired": self.session(admin, frozenset({Right.ADMIN}), 1),
        }
        if self._with_sessions:
            callers["key-alone"] = self.key(admin)
        time.sleep(1.1)
        return {name: Column(caller, EXPORTS, THEIRS, self.colleague) for name, caller in callers.items()}

    def person(self, name: str, *rights: Right) -> Caller:
        user = f"{self.project}-{name}"
        self._directory.create_user(user)
        for right in rights:
            self._directory.grant(self.project, user, right)
        if not rights:  # a session needs some right to begin with, and loses it with the user
            self._directory.grant(self.project, user, Right.IMPORT)
        made = self.session(user, frozenset(rights or {Right.IMPORT})) if self._with_sessions else self.key(user)
        if not rights:
            self._directory.revoke(self.project, user, Right.IMPORT)
        return made

    def session(self, user: str, rights: Rights, lasts_s: int = 3600) -> Caller:
        made = self._directory.begin_session(self.project, user, rights, lasts_s)
        return Caller(made.session.access_key, made.secret, made.token)

    def key(self, user: str) -> Caller:
        made = self._directory.create_key(self.project, user)
        return Caller(made.key.access_key, made.secret)

    # ------------------------------------------------------------ requests

    def send(
        self, caller: Caller, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        named = dict(headers or {})
        if caller.token:
            named["X-Amz-Security-Token"] = caller.token
        if not caller.signs:
            return self.raw.request(method, target, named, body, sign=False)
        return self.raw.request(method, target, named, body, access_key=caller.access_key, secret_key=caller.secret)

    def must(self, caller: Caller, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        reply = self.send(caller, method, target, body, headers)
        assert reply.status in (200, 204), (method, target, reply)
        return reply

    def outcome(self, operation: str, column: Column) -> str:
        """What becomes of the operation, as one character."""
        reply = self._ask(operation, column)
        if reply.status >= 400 and not reply.body:  # to a HEAD
            code = {403: "AccessDenied", 404: "NoSuchBucket", 400: "ExpiredToken"}[reply.status]
        else:
            code = reply.code if b"<Error>" in reply.body else ""
        if operation == "DeleteObjects" and b"<Code>AccessDenied</Code>" in reply.body:
            code = "AccessDenied"
        if code in _REFUSED:
            return _REFUSED[code]
        assert reply.status < 300 or operation in _NONE_SET or operation in ABSENT, (operation, column, reply)
        if operation in _LISTINGS and b"theirs" not in reply.body:
            return "o"
        return "+"

    def _ask(self, operation: str, column: Column) -> Reply:
        special = _SPECIAL.get(operation)
        if special is not None:
            return special(self, column)
        row = _ROWS[operation]
        return self.send(column.caller, row.method, _target(row, column), *_BODIES.get(operation, ()))

    def upload(self, column: Column, key: str) -> str:
        """A new upload with one part, begun by whoever begins them in this column."""
        begun = self.must(column.initiator, "POST", f"/{column.bucket}/{key}?uploads")
        upload_id = str(begun.xml["UploadId"])
        self.must(column.initiator, "PUT", f"/{column.bucket}/{key}?partNumber=1&uploadId={upload_id}", b"part")
        return upload_id

    def presigned(self, caller: Caller, target: str) -> Reply:
        """What a URL that the caller signed gives to somebody else."""
        request = AWSRequest("GET", f"{self.raw.server.url}{target}")
        credentials = Credentials(caller.access_key, caller.secret, caller.token or None)
        S3SigV4QueryAuth(credentials, "s3", self.raw.server.region, expires=60).add_auth(request)
        return self.raw.request("GET", str(request.url).removeprefix(self.raw.server.url), sign=False)

    def post(self, caller: Caller, bucket: str, **more: str) -> Reply:
        """A form, signed as browsers' forms are."""
        fields = {"key": f"formed/{next(_numbers)}", **more}
        if caller.signs:
            now = datetime.now(UTC)
            scope = f"{now:%Y%m%d}/{self.raw.server.region}/s3/aws4_request"
            fields |= {
                "x-amz-algorithm": "AWS4-HMAC-SHA256",
                "x-amz-credential": f"{caller.access_key}/{scope}",
                "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
            }
            if caller.token:
                fields["x-amz-security-token"] = caller.token
            policy = policy_text({"bucket": bucket}, *({name: value} for name, value in fields.items()))
            key = f"AWS4{caller.secret}".encode()
            for step in scope.split("/"):
                key = hmac.digest(key, step.encode(), "sha256")
            fields |= {"policy": policy, "x-amz-signature": hmac.new(key, policy.encode(), "sha256").hexdigest()}
        headers = {"Content-Type": CONTENT_TYPE}
        return self.raw.request("POST", f"/{bucket}", headers, form_body(fields, b"v"), sign=False)

    def new_bucket(self) -> str:
        name = f"new-{next(_numbers)}"
        self.must(self.owner, "PUT", f"/{name}")
        return name


_REFUSED = {"AccessDenied": "-", "AccessForbidden": "-", "NoSuchBucket": "?", "NoSuchUpload": "?", "ExpiredToken": "x"}
# Asked for what is not set: that it is not is an answer.
_NONE_SET = {"GetBucketTagging", "GetBucketPolicy", "GetBucketPolicyStatus", "GetBucketCors"}
_BODIES: Mapping[str, tuple[bytes] | tuple[bytes, Mapping[str, str]]] = {
    "PutBucketVersioning": (
        f"<VersioningConfiguration {_XMLNS}><Status>Enabled</Status></VersioningConfiguration>".encode(),
    ),
    "PutBucketAcl": (b"", {"x-amz-acl": "private"}),
    "PutObjectAcl": (b"", {"x-amz-acl": "private"}),
    "PutBucketTagging": (_TAGS,),
    "PutObjectTagging": (_TAGS,),
    "PutBucketCors": (_CORS,),
    "GetObjectAttributes": (b"", {"x-amz-object-attributes": "ETag,ObjectSize"}),
    "PreflightRequest": (b"", {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}),
}


def _target(row: Row, column: Column) -> str:
    if row.level is Level.SERVICE:
        return "/"
    resource = "list-type=2" if row.resource == "list-type" else row.resource
    path = f"/{column.bucket}" if row.level is Level.BUCKET else f"/{column.bucket}/{column.key}"
    return f"{path}?{resource}" if resource else path


def _put_policy(world: World, column: Column) -> Reply:
    document = json.dumps(
        {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": "nobody"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{column.bucket}/*",
            }
        }
    )
    reply = world.send(column.caller, "PUT", f"/{column.bucket}?policy", document.encode())
    if reply.status == 204:  # later requests are to find things as they were
        world.must(world.admin, "DELETE", f"/{column.bucket}?policy")
    return reply


def _delete_cors(world: World, column: Column) -> Reply:
    reply = world.send(column.caller, "DELETE", f"/{column.bucket}?cors")
    if reply.status == 204:
        world.must(world.admin, "PUT", f"/{column.bucket}?cors", _CORS)
    return reply


def _new_key(method: str, query: str = "", body: bytes = b"", **headers: str) -> Callable[[World, Column], Reply]:
    def ask(world: World, column: Column) -> Reply:
        named = {name.replace("_", "-"): value.format(column=column) for name, value in headers.items()}
        return world.send(column.caller, method, f"/{column.bucket}/new/{next(_numbers)}{query}", body, named)

    return ask


def _of_upload(method: str, query: str = "", body: bytes = b"", **headers: str) -> Callable[[World, Column], Reply]:
    def ask(world: World, column: Column) -> Reply:
        key = f"up/{next(_numbers)}"
        target = f"/{column.bucket}/{key}?{query}uploadId={world.upload(column, key)}"
        named = {name.replace("_", "-"): value.format(column=column) for name, value in headers.items()}
        return world.send(column.caller, method, target, body, named)

    return ask


def _list_uploads(world: World, column: Column) -> Reply:
    others = Column(world.colleague, column.bucket, "", world.colleague)
    world.upload(others, f"theirs/{next(_numbers)}")
    return world.send(column.caller, "GET", f"/{column.bucket}?uploads")


def _delete_objects(world: World, column: Column) -> Reply:
    body = f"<Delete {_XMLNS}><Object><Key>{escape('gone/1')}</Key></Object></Delete>".encode()
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return world.send(column.caller, "POST", f"/{column.bucket}?delete", body, {"Content-MD5": md5})


_COMPLETE = (
    f"<CompleteMultipartUpload {_XMLNS}><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
).encode()
_SOURCE = "/{column.bucket}/{column.key}"
_SPECIAL: Mapping[str, Callable[[World, Column], Reply]] = {
    "CreateBucket": lambda world, column: world.send(column.caller, "PUT", f"/made-{next(_numbers)}-bucket"),
    "DeleteBucket": lambda world, column: world.send(column.caller, "DELETE", f"/{world.new_bucket()}"),
    "PutBucketPolicy": _put_policy,
    "DeleteBucketCors": _delete_cors,
    "PutObject": _new_key("PUT", body=b"v", x_amz_tagging="a=b"),
    "PutObjectExtract": _new_key("PUT", body=tar_of({"f": b"v"}), x_amz_meta_snowball_auto_extract="true"),
    "DeleteObject": _new_key("DELETE"),
    "DeleteObjects": _delete_objects,
    "CopyObject": _new_key("PUT", x_amz_copy_source=_SOURCE),
    "CreateMultipartUpload": _new_key("POST", "?uploads"),
    "PostObject": lambda world, column: world.post(column.caller, column.bucket),
    "UploadPart": _of_upload("PUT", "partNumber=2&", b"v"),
    "UploadPartCopy": _of_upload("PUT", "partNumber=2&", x_amz_copy_source=_SOURCE),
    "CompleteMultipartUpload": _of_upload("POST", body=_COMPLETE),
    "AbortMultipartUpload": _of_upload("DELETE"),
    "ListParts": _of_upload("GET"),
    "ListMultipartUploads": _list_uploads,
}


def read_table(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each operation with its outcome by column."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = lines[0][1:]
    for operation, *cells in lines[1:]:
        yield operation, dict(zip(header, cells, strict=True))


def format_row(operation: str, cells: Mapping[str, str]) -> str:
    return operation.ljust(45) + "  ".join(cell.center(len(column)) for column, cell in cells.items())


assert _SPECIAL.keys() <= OPERATIONS.keys()
