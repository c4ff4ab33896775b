"""The policy engine: members may do everything, others what the ACL grants to all."""

from __future__ import annotations

import pytest

from gateway.access.policy import NEEDS, may
from gateway.access.principals import ANONYMOUS, ROOT
from gateway.s3.acl import PRIVATE, Acl, Permission, canned_acl
from gateway.s3.route import OPERATIONS


def canned(name: str) -> Acl:
    acl = canned_acl(name)
    assert acl is not None
    return acl


@pytest.mark.parametrize("permission", Permission)
def test_a_member_may_do_everything(permission: Permission) -> None:
    assert may(ROOT, permission, PRIVATE)


@pytest.mark.parametrize(
    ("acl", "permissions"),
    [
        ("private", set()),
        ("public-read", {Permission.READ}),
        ("public-read-write", {Permission.READ, Permission.WRITE}),
        ("authenticated-read", set()),
    ],
)
def test_others_may_do_what_is_granted_to_all(acl: str, permissions: set[Permission]) -> None:
    assert {permission for permission in Permission if may(ANONYMOUS, permission, canned(acl))} == permissions


def test_the_table_names_operations_that_are_offered() -> None:
    assert NEEDS.keys() <= OPERATIONS.keys()


def test_what_changes_a_bucket_itself_is_for_members_alone() -> None:
    for name in ("CreateBucket", "DeleteBucket", "ListBuckets", "PutBucketAcl", "PutBucketCors", "CopyObject"):
        assert name in OPERATIONS
        assert name not in NEEDS
