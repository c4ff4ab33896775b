"""ACLs: canned, as text, as XML; and what they allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3 import operations as op
from gateway.s3 import parse_access, render_access
from gateway.s3.acl import (
    PRIVATE,
    Acl,
    Grant,
    Grantees,
    Permission,
    canned_acl,
    format_acl,
    parse_acl,
    parse_acl_document,
    render_acl,
)
from gateway.s3.errors import (
    AccessDenied,
    InvalidArgument,
    MalformedACLError,
    MalformedXML,
    MissingSecurityHeader,
    NotImplemented,
    S3Error,
    UnexpectedContent,
)
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import as_client

OWNER = op.Owner("owner-id", "The Owner")
ALL_READ = Grant(Grantees.ALL_USERS, Permission.READ)
ALL_WRITE = Grant(Grantees.ALL_USERS, Permission.WRITE)
GROUPS = (Grantees.ALL_USERS, Grantees.AUTHENTICATED_USERS)
KNOWN_READ = Grant(Grantees.AUTHENTICATED_USERS, Permission.READ)

BUCKET_OWNER = op.Owner("bucket-owner-id", "The Bucket's Owner")
GRANTS = st.sampled_from(
    [Grant(to, permission) for to in GROUPS for permission in (Permission.READ, Permission.WRITE)]
    + [Grant(Grantees.BUCKET_OWNER, permission) for permission in (Permission.READ, Permission.FULL_CONTROL)]
)
ACLS = st.lists(GRANTS, unique=True, max_size=4).map(lambda grants: Acl(tuple(grants)))


@pytest.mark.parametrize(
    ("name", "grants"),
    [
        ("private", ()),
        ("public-read", (ALL_READ,)),
        ("public-read-write", (ALL_READ, ALL_WRITE)),
        ("authenticated-read", (KNOWN_READ,)),
        ("bucket-owner-read", (Grant(Grantees.BUCKET_OWNER, Permission.READ),)),
        ("bucket-owner-full-control", (Grant(Grantees.BUCKET_OWNER, Permission.FULL_CONTROL),)),
    ],
)
def test_canned_acls(name: str, grants: tuple[Grant, ...]) -> None:
    assert canned_acl(name) == Acl(grants)


def test_no_canned_acl() -> None:
    assert canned_acl(None) is None
    assert canned_acl("") is None
    with pytest.raises(InvalidArgument):
        canned_acl("public-readonly")
    with pytest.raises(NotImplemented):
        canned_acl("log-delivery-write")


def test_what_is_allowed() -> None:
    public, known = Acl((ALL_READ,)), Acl((KNOWN_READ,))
    assert public.allows(Permission.READ, authenticated=False)
    assert public.allows(Permission.READ, authenticated=True)
    assert not public.allows(Permission.WRITE, authenticated=True)
    assert known.allows(Permission.READ, authenticated=True)
    assert not known.allows(Permission.READ, authenticated=False)
    assert not PRIVATE.allows(Permission.READ, authenticated=True)


@given(ACLS)
def test_acls_survive_as_text(acl: Acl) -> None:
    assert parse_acl(format_acl(acl)) == acl


@given(ACLS)
def test_acls_survive_as_xml(acl: Acl) -> None:
    assert parse_acl_document(render_acl(acl, OWNER, BUCKET_OWNER), OWNER, BUCKET_OWNER) == acl


@pytest.mark.parametrize("text", ["ALL_USERS", "ALL_USERS:FLY", "NOBODY:READ", ",", "public-read"])
def test_text_that_is_no_acl(text: str) -> None:
    with pytest.raises(ValueError, match="not an ACL"):
        parse_acl(text)


def test_boto_reads_what_is_written() -> None:
    answer = render_access.get_acl(op.GetAclOutput(OWNER, format_acl(Acl((ALL_READ,)))))
    owner = {"ID": "owner-id", "DisplayName": "The Owner"}
    for operation in ("GetBucketAcl", "GetObjectAcl"):
        assert as_client(operation, answer) == {
            "Owner": owner,
            "Grants": [  # the owner's last, as in S3
                {"Grantee": {"Type": "Group", "URI": Grantees.ALL_USERS.value}, "Permission": "READ"},
                {"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"},
            ],
        }


# ---------------------------------------------------------------- documents


def grant_xml(grantee: str, permission: str) -> str:
    return f"<Grant><Grantee>{grantee}</Grantee><Permission>{permission}</Permission></Grant>"


OWNERS = grant_xml("<ID>owner-id</ID>", "FULL_CONTROL")
ALL = f"<URI>{Grantees.ALL_USERS.value}</URI>"


def document(*grants: str, owner: str = "<Owner><ID>owner-id</ID></Owner>") -> bytes:
    listed = f"<AccessControlList>{''.join(grants)}</AccessControlList>"
    return f"<AccessControlPolicy>{owner}{listed}</AccessControlPolicy>".encode()


def test_a_grant_to_a_group() -> None:
    body = document(OWNERS, grant_xml(ALL, "READ"), grant_xml(ALL, "READ"))
    assert parse_acl_document(body, OWNER) == Acl((ALL_READ,))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b" ", MissingSecurityHeader),
        (b"<Other/>", MalformedXML),
        (b"<AccessControlPolicy/>", MalformedACLError),
        (document(OWNERS, owner=""), MalformedACLError),
        (document(OWNERS, "<Grant/>"), MalformedACLError),
        (document(OWNERS, grant_xml(ALL, "EVERYTHING")), MalformedACLError),
        (document(OWNERS, owner="<Owner><ID>other</ID></Owner>"), AccessDenied),
        (document(OWNERS, grant_xml("<ID>other</ID>", "READ")), NotImplemented),
        (document(OWNERS, grant_xml("<EmailAddress>a@example.org</EmailAddress>", "READ")), NotImplemented),
        (document(OWNERS, grant_xml(ALL, "WRITE_ACP")), NotImplemented),
        (document(OWNERS, grant_xml(ALL, "FULL_CONTROL")), NotImplemented),
        (
            document(OWNERS, grant_xml("<URI>http://acs.amazonaws.com/groups/s3/LogDelivery</URI>", "READ")),
            NotImplemented,
        ),
        (document(), NotImplemented),
        (document(grant_xml("<ID>owner-id</ID>", "READ")), NotImplemented),
    ],
)
def test_documents_that_are_refused(body: bytes, error: type[S3Error]) -> None:
    with pytest.raises(error):
        parse_acl_document(body, OWNER)


# ---------------------------------------------------------------- requests


def test_put_acl() -> None:
    canned = ask("PUT", "/b/k?acl&versionId=HEAD^", x_amz_acl="public-read")
    assert parse_access.put_acl(canned, b"") == op.PutAclInput("b", "k", "HEAD^", "ALL_USERS:READ")
    assert parse_access.put_acl(ask("PUT", "/b?acl"), b"<x/>") == op.PutAclInput("b", None, None, None, b"<x/>")


def test_two_acls_at_once_are_refused() -> None:
    with pytest.raises(UnexpectedContent):
        parse_access.put_acl(ask("PUT", "/b?acl", x_amz_acl="private"), b"<AccessControlPolicy/>")


def test_grants_in_headers_are_not_offered() -> None:
    with pytest.raises(NotImplemented):
        parse_access.put_acl(ask("PUT", "/b?acl", {"x-amz-grant-read": f"uri={Grantees.ALL_USERS.value}"}), b"")
