"""Access control lists: who may do what to a bucket or an object beyond its owner; canned ones and XML.

Sources: S3 user guide, "Access control list (ACL) overview"; S3 API reference, PutBucketAcl. What is
offered: READ and WRITE for the two predefined groups, and READ or FULL_CONTROL of an object for the owner of the
bucket that it is in, by a canned ACL or as a document. The owner always has FULL_CONTROL. Other grants, to other
single users for one, are not offered, and refused.

An Acl is a value of its own text, `ALL_USERS:READ,ALL_USERS:WRITE`: "" is `private`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.s3 import errors
from gateway.s3.errors import AccessDenied, MalformedACLError, MissingSecurityHeader, S3Error
from gateway.s3.operations import Owner
from gateway.s3.parse_params import invalid_argument
from gateway.s3.xml import Element, document, element, group, parse_xml

MAX_BYTES = 64 * 1024
HEADER = "x-amz-acl"

_FULL_CONTROL = "FULL_CONTROL"
_PERMISSIONS = frozenset({"READ", "WRITE", "READ_ACP", "WRITE_ACP", _FULL_CONTROL})
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class Permission(Enum):
    """What can be granted: on a bucket to list, and to put and delete; on an object to get (WRITE says nothing)."""

    READ = "READ"
    WRITE = "WRITE"
    FULL_CONTROL = "FULL_CONTROL"


class Grantees(Enum):
    """Whom a grant may be to: the predefined groups, by their URI, and the owner of an object's bucket."""

    ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
    AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
    BUCKET_OWNER = ""


@dataclass(frozen=True, slots=True)
class Grant:
    to: Grantees
    permission: Permission


@dataclass(frozen=True, slots=True)
class Acl:
    """What is granted to others than the owner, in the order in which it is shown."""

    grants: tuple[Grant, ...] = ()

    def allows(self, permission: Permission, *, authenticated: bool) -> bool:
        """Whether somebody who is not the owner has `permission`; `authenticated`: it is known who."""
        groups = {Grantees.ALL_USERS, Grantees.AUTHENTICATED_USERS} if authenticated else {Grantees.ALL_USERS}
        return any(grant.to in groups and grant.permission is permission for grant in self.grants)


PRIVATE = Acl()

_ALL_READ = Grant(Grantees.ALL_USERS, Permission.READ)
PUBLIC = Acl((_ALL_READ, Grant(Grantees.ALL_USERS, Permission.WRITE)))
_CANNED: Mapping[str, Acl] = {
    "private": PRIVATE,
    "public-read": Acl((_ALL_READ,)),
    "public-read-write": PUBLIC,
    "authenticated-read": Acl((Grant(Grantees.AUTHENTICATED_USERS, Permission.READ),)),
    # To be told, no more: whoever owns the bucket may read and write all that is in it anyhow.
    "bucket-owner-read": Acl((Grant(Grantees.BUCKET_OWNER, Permission.READ),)),
    "bucket-owner-full-control": Acl((Grant(Grantees.BUCKET_OWNER, Permission.FULL_CONTROL),)),
}
# EC2's image service and S3's log delivery are grantees that do not exist here.
_NOT_OFFERED = frozenset({"aws-exec-read", "log-delivery-write"})


def canned_acl(name: str | None) -> Acl | None:
    """The ACL that x-amz-acl names; None where it was not sent. InvalidArgument for what is none."""
    if not name:
        return None
    if name in _NOT_OFFERED:
        raise errors.NotImplemented(fields={"Header": HEADER})
    acl = _CANNED.get(name)
    if acl is None:
        raise invalid_argument(HEADER, name)
    return acl


# ---------------------------------------------------------------- as text


def format_acl(acl: Acl) -> str:
    return ",".join(f"{grant.to.name}:{grant.permission.name}" for grant in acl.grants)


def parse_acl(text: str) -> Acl:
    """What `format_acl` wrote; ValueError for anything else."""
    pairs = (grant.partition(":") for grant in text.split(",") if text)
    try:
        return Acl(tuple(Grant(Grantees[to], Permission[permission]) for to, _, permission in pairs))
    except KeyError as error:
        raise ValueError(f"not an ACL: {text!r}") from error


# ---------------------------------------------------------------- as XML


def parse_acl_document(body: bytes, owner: Owner, bucket_owner: Owner | None = None) -> Acl:
    """An AccessControlPolicy by which `owner` keeps full control. `bucket_owner`: of an object's bucket.

    AccessDenied where another owner is named, MalformedACLError for what is no ACL, NotImplemented for grants
    that are not offered.
    """
    if not body.strip():
        raise MissingSecurityHeader
    root = parse_xml(body, "AccessControlPolicy", max_bytes=MAX_BYTES)
    named, listed = root.find("Owner"), root.find("AccessControlList")
    if named is None or listed is None:
        raise MalformedACLError
    if named.child_text("ID") not in (None, owner.id):
        raise AccessDenied("An ACL can not give a bucket or an object to another owner.")
    granted = [_grant(child, owner, bucket_owner or owner) for child in listed.find_all("Grant")]
    if None not in granted:
        raise errors.NotImplemented("An owner's FULL_CONTROL can not be taken away.")
    return Acl(tuple(dict.fromkeys(grant for grant in granted if grant is not None)))


def _grant(root: Element, owner: Owner, bucket_owner: Owner) -> Grant | None:
    """One grant; None for the owner's FULL_CONTROL."""
    grantee, permission = root.find("Grantee"), root.child_text("Permission")
    if grantee is None or permission not in _PERMISSIONS:
        raise MalformedACLError
    uri, user = grantee.child_text("URI"), grantee.child_text("ID")
    if user == owner.id and permission == _FULL_CONTROL:
        return None
    if user == bucket_owner.id != owner.id and permission in ("READ", _FULL_CONTROL):
        return Grant(Grantees.BUCKET_OWNER, Permission(permission))
    try:
        grant = Grant(Grantees(uri), Permission(permission))
    except ValueError as error:
        raise _not_offered() from error
    if grant.to is Grantees.BUCKET_OWNER or grant.permission is Permission.FULL_CONTROL:
        raise _not_offered()
    return grant


def _not_offered() -> S3Error:
    return errors.NotImplemented(
        "Of grants to others than the owner only READ and WRITE are offered, to the groups AllUsers and "
        "AuthenticatedUsers, and READ and FULL_CONTROL to the bucket's owner."
    )


def render_acl(acl: Acl, owner: Owner, bucket_owner: Owner | None = None) -> bytes:
    """The AccessControlPolicy, the owner's grant last. `bucket_owner`: of an object's bucket."""
    who, grants = _user_xml(owner), []
    for grant in acl.grants:
        if grant.to is not Grantees.BUCKET_OWNER:
            grants.append(_grant_xml("Group", element("URI", grant.to.value), grant.permission.value))
        elif bucket_owner is not None and bucket_owner.id != owner.id:
            grants.append(_grant_xml("CanonicalUser", _user_xml(bucket_owner), grant.permission.value))
    grants.append(_grant_xml("CanonicalUser", who, _FULL_CONTROL))
    return document("AccessControlPolicy", group("Owner", who), group("AccessControlList", *grants))


def _user_xml(owner: Owner) -> str:
    return f"{element('ID', owner.id)}{element('DisplayName', owner.display_name)}"


def _grant_xml(kind: str, who: str, permission: str) -> str:
    grantee = f'<Grantee xmlns:xsi="{_SCHEMA_INSTANCE}" xsi:type="{kind}">{who}</Grantee>'
    return group("Grant", grantee, element("Permission", permission))
