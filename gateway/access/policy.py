"""The policy engine: may this caller do that? All such questions are answered here.

A member of the project that a bucket is in may do everything with it. Somebody who has not signed may do what
the ACLs grant to all users, and no more: an operation that is not in the table is none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.access.principals import Principal
from gateway.s3.acl import Acl, Permission


class Target(Enum):
    """Whose ACL decides: the bucket's, or the object's own."""

    BUCKET = "bucket"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Needs:
    target: Target
    permission: Permission


_LIST = Needs(Target.BUCKET, Permission.READ)
_CHANGE = Needs(Target.BUCKET, Permission.WRITE)
_READ = Needs(Target.OBJECT, Permission.READ)

# Source: S3 user guide, "ACL permissions and access policy permissions".
NEEDS: Mapping[str, Needs] = {
    "HeadBucket": _LIST,
    "ListObjects": _LIST,
    "ListObjectsV2": _LIST,
    "ListObjectVersions": _LIST,
    "PutObject": _CHANGE,
    "PostObject": _CHANGE,
    "DeleteObject": _CHANGE,
    "DeleteObjects": _CHANGE,
    "GetObject": _READ,
    "HeadObject": _READ,
}


def may(caller: Principal, permission: Permission, acl: Acl) -> bool:
    """Whether `caller` has `permission` on what `acl` is the ACL of."""
    return not caller.is_anonymous or acl.allows(permission, authenticated=False)
