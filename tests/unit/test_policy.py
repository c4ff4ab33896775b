"""The policy engine: owners, administrators, ACLs and policies held against one another."""

from __future__ import annotations

import json

import pytest

from gateway.access.documents import Document, parse_document
from gateway.access.policy import NEEDS, BucketFacts, ObjectFacts, Question, may
from gateway.access.principals import ANONYMOUS, ROOT, Principal
from gateway.s3.acl import PRIVATE, Acl, canned_acl
from gateway.s3.route import OPERATIONS

OWNER, OTHER = Principal("owner", "Owner", "default"), Principal("other", "Other", "default")
READS = {"HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}
WRITES = {"PutObject", "PostObject", "CopyObject", "DeleteObject", "DeleteObjects"}
UPLOADS = {"CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
OF_BUCKETS = sorted(set(OPERATIONS) - {"ListBuckets", "CreateBucket", "PreflightRequest"})


def canned(name: str) -> Acl:
    acl = canned_acl(name)
    assert acl is not None
    return acl


def policy(effect: str, action: str) -> Document:
    statement = {"Effect": effect, "Principal": "*", "Action": action, "Resource": "arn:aws:s3:::*"}
    return parse_document(json.dumps({"Statement": statement}))


def allowed(
    caller: Principal,
    acl: Acl = PRIVATE,
    document: Document | None = None,
    thing: ObjectFacts | None = None,
) -> set[str]:
    bucket = BucketFacts("owner", ("bucket", "main.bucket"), acl, document)
    return {name for name in OF_BUCKETS if may(Question(caller, name, bucket, "key", object=thing))}


@pytest.mark.parametrize("caller", [OWNER, ROOT], ids=["owner", "root"])
def test_masters_may_do_everything(caller: Principal) -> None:
    assert allowed(caller) == set(OF_BUCKETS)


@pytest.mark.parametrize(
    ("acl", "anonymous", "other"),
    [
        ("private", set(), set()),
        ("public-read", READS, READS),
        ("public-read-write", READS | WRITES, READS | WRITES | UPLOADS),
        ("authenticated-read", set(), READS),
        ("bucket-owner-full-control", set(), set()),
    ],
)
def test_what_a_buckets_acl_grants(acl: str, anonymous: set[str], other: set[str]) -> None:
    assert allowed(ANONYMOUS, canned(acl)) == anonymous
    assert allowed(OTHER, canned(acl)) == other


@pytest.mark.parametrize(
    ("acl", "anonymous", "other"),
    [("private", False, False), ("public-read", True, True), ("authenticated-read", False, True)],
)
def test_what_an_objects_acl_grants(acl: str, anonymous: bool, other: bool) -> None:
    thing, reads = ObjectFacts("owner", canned(acl)), {"GetObject", "HeadObject"}
    assert allowed(ANONYMOUS, thing=thing) == (reads if anonymous else set())
    assert allowed(OTHER, thing=thing) == (reads if other else set())


def test_an_objects_owner_reads_it_and_governs_its_acl() -> None:
    found = allowed(OTHER, thing=ObjectFacts("other"))
    assert {"GetObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging"} <= found
    assert not found & (READS | WRITES | UPLOADS)


def test_nobody_is_the_owner_of_what_was_not_signed() -> None:
    assert allowed(ANONYMOUS, thing=ObjectFacts(ANONYMOUS.id)) == set()


def test_a_denial_binds_all_but_the_owners_hold_on_the_policy() -> None:
    hold = {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"}
    document = policy("Deny", "*")
    assert allowed(OWNER, document=document) == hold
    assert allowed(ROOT, document=document) == hold
    assert allowed(OTHER, canned("public-read-write"), document) == set()


def test_what_a_policy_allows_needs_no_acl() -> None:
    assert allowed(OTHER, document=policy("Allow", "s3:GetObject")) == {"GetObject", "HeadObject"}
    assert allowed(ANONYMOUS, document=policy("Allow", "s3:PutObject")) == {"PutObject", "PostObject", "CopyObject"}
    everything = allowed(OTHER, document=policy("Allow", "s3:*"))
    assert not everything & {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"}


def test_a_version_is_read_under_an_action_of_its_own() -> None:
    def reads(document: Document) -> bool:
        return may(Question(OTHER, "GetObject", BucketFacts("owner", ("b",), document=document), "k", is_version=True))

    assert not reads(policy("Allow", "s3:GetObject"))
    assert reads(policy("Allow", "s3:GetObjectVersion"))


def test_a_grant_to_write_undoes_no_deletion() -> None:
    bucket = BucketFacts("owner", ("b",), canned("public-read-write"))
    assert may(Question(OTHER, "DeleteObject", bucket, "k"))
    assert not may(Question(OTHER, "DeleteObject", bucket, "k", is_version=True))


def test_the_table_names_operations_that_are_offered() -> None:
    assert NEEDS.keys() <= OPERATIONS.keys()
