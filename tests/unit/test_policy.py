"""The policy engine: owners, administrators, ACLs and policies held against one another."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.access.documents import Document, parse_document
from gateway.access.policy import (
    NEEDS,
    BucketFacts,
    ObjectFacts,
    Question,
    Reach,
    knows_names,
    may,
    may_ever,
    may_of_no_bucket,
    reach,
)
from gateway.access.principals import ANONYMOUS, ROOT, Principal
from gateway.access.rights import Right
from gateway.s3.acl import PRIVATE, Acl, canned_acl
from gateway.s3.route import OPERATIONS

OWNER, OTHER = Principal("owner", "Owner", "default"), Principal("other", "Other", "default")
READS = {"HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}
WRITES = {"PutObject", "PutObjectExtract", "PostObject", "CopyObject", "DeleteObject", "DeleteObjects"}
PARTS = {"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
UPLOADS = {"CreateMultipartUpload", *PARTS}
SHOWN = {"HeadBucket", "GetBucketLocation", "GetBucketVersioning"}
LISTINGS = {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}
EXPORTS = SHOWN | (LISTINGS - {"ListMultipartUploads"})
EXPORTS |= {"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectTagging"}
IMPORTS = SHOWN | LISTINGS | {"PutObject", "PutObjectExtract", "PostObject", "CopyObject", "CreateMultipartUpload"}
IMPORTS_OWN = {"HeadObject", "GetObjectAttributes", "AbortMultipartUpload", "ListParts", *PARTS}
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
        ("public-read-write", READS | WRITES, READS | WRITES | {"CreateMultipartUpload"}),
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


def test_who_began_an_upload_and_may_still_write_goes_on_with_it() -> None:
    his, ends = ObjectFacts("other", writer_id="other"), {"AbortMultipartUpload", "ListParts"}
    assert allowed(OTHER, canned("public-read-write"), thing=his) & (PARTS | ends) == PARTS | ends
    assert allowed(OTHER, thing=his) & (PARTS | ends) == ends
    assert not allowed(OTHER, canned("public-read-write"), thing=ObjectFacts("third")) & (PARTS | ends)
    document = policy("Allow", "s3:PutObject")
    assert allowed(OTHER, document=document, thing=ObjectFacts("third")) & (PARTS | ends) == PARTS


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
    assert allowed(ANONYMOUS, document=policy("Allow", "s3:PutObject")) == {
        "PutObject",
        "PutObjectExtract",
        "PostObject",
        "CopyObject",
    }
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


# ---------------------------------------------------------------- rights


def person(*rights: Right, exports: tuple[str, ...] | None = None) -> Principal:
    is_admin = Right.ADMIN in rights
    return Principal("other", "Other", "p11", is_admin=is_admin, rights=frozenset(rights), export_buckets=exports)


IMPORTER, EXPORTER = person(Right.IMPORT), person(Right.EXPORT)
OPEN_WIDE = (canned("public-read-write"), policy("Allow", "s3:*"))


def test_importing_is_writing_and_seeing_what_is_ones_own() -> None:
    assert allowed(IMPORTER) == IMPORTS
    assert allowed(IMPORTER, thing=ObjectFacts("owner", writer_id="owner")) == IMPORTS
    assert allowed(IMPORTER, thing=ObjectFacts("other", writer_id="other")) == IMPORTS | IMPORTS_OWN


def test_what_is_ones_own_by_the_buckets_owner_alone_was_not_imported() -> None:
    assert allowed(IMPORTER, thing=ObjectFacts("other")) == IMPORTS


def test_listings_reach_what_an_importer_wrote() -> None:
    bucket = BucketFacts("owner", ("b", "main.b"))
    for listing in LISTINGS:
        assert reach(Question(IMPORTER, listing, bucket)) is Reach.OWN
        assert reach(Question(IMPORTER, listing, bucket, is_version=True)) is Reach.NOTHING
        assert reach(Question(person(Right.ADMIN), listing, bucket)) is Reach.ALL
    assert reach(Question(person(Right.IMPORT, Right.EXPORT), "ListObjects", bucket)) is Reach.ALL


def test_exporting_is_reading_and_listing() -> None:
    assert allowed(EXPORTER) == EXPORTS
    assert allowed(person(Right.EXPORT, exports=("bucket",))) == EXPORTS
    assert allowed(person(Right.EXPORT, exports=("main.bucket",))) == EXPORTS
    for others in ((), ("other",), ("ucket",), ("dev.bucket",)):
        assert allowed(person(Right.EXPORT, exports=others)) == set()


def test_rights_add_up() -> None:
    assert allowed(person(Right.IMPORT, Right.EXPORT)) == IMPORTS | EXPORTS
    assert allowed(person(Right.IMPORT, Right.EXPORT, exports=())) == IMPORTS


@pytest.mark.parametrize("caller", [IMPORTER, person(Right.EXPORT, exports=()), person()], ids=["in", "out", "none"])
def test_neither_ownership_nor_acl_nor_policy_widens_a_right(caller: Principal) -> None:
    own = BucketFacts("other", ("bucket", "main.bucket"), *OPEN_WIDE)
    thing = ObjectFacts("other", canned("public-read"))
    found = {name for name in OF_BUCKETS if may(Question(caller, name, own, "key", object=thing))}
    assert found == (IMPORTS if caller is IMPORTER else set())


def test_a_denial_binds_rights_too() -> None:
    assert allowed(person(Right.IMPORT, Right.EXPORT), document=policy("Deny", "s3:*")) == set()


def test_where_a_project_is_confined_nothing_is_open_to_all() -> None:
    confined = replace(ANONYMOUS, is_confined=True)
    assert allowed(confined, *OPEN_WIDE, thing=ObjectFacts("owner", canned("public-read"))) == set()


def test_an_allowed_put_covers_neither_an_acl_nor_tags() -> None:
    def puts(caller: Principal, *also: str, document: Document | None = None, acl: Acl = PRIVATE) -> bool:
        return may(Question(caller, "PutObject", BucketFacts("owner", ("b",), acl, document), "k", also=also))

    allows_put, allows_all = policy("Allow", "s3:PutObject"), policy("Allow", "s3:PutObject*")
    for action in ("s3:PutObjectAcl", "s3:PutObjectTagging"):
        assert puts(OTHER, document=allows_put)
        assert not puts(OTHER, action, document=allows_put)
        assert puts(OTHER, action, document=allows_all)
        assert puts(OTHER, action, acl=canned("public-read-write"))
        assert puts(OWNER, action, document=allows_put)
        assert not puts(OWNER, action, document=policy("Deny", action))
    assert puts(IMPORTER, "s3:PutObjectTagging")
    assert not puts(IMPORTER, "s3:PutObjectAcl")


def test_what_can_never_be_allowed_is_known_beforehand() -> None:
    def ever(caller: Principal, operation: str, document: Document | None = None) -> bool:
        return may_ever(Question(caller, operation, BucketFacts("owner", ("b",), document=document), "k"))

    assert [ever(caller, "PutObjectAcl") for caller in (OTHER, ANONYMOUS, IMPORTER)] == [True, False, False]
    assert [ever(caller, "UploadPart") for caller in (IMPORTER, EXPORTER)] == [True, False]
    assert not ever(OTHER, "DeleteObjects", policy("Allow", "s3:GetObject"))
    assert ever(OTHER, "DeleteObjects", policy("Allow", "s3:DeleteObject"))
    assert not ever(IMPORTER, "DeleteObjects", policy("Allow", "s3:DeleteObject"))


@pytest.mark.parametrize(
    ("caller", "creates", "lists", "knows"),
    [
        (person(Right.MEMBER), True, True, True),
        (person(Right.ADMIN), True, True, True),
        (IMPORTER, True, True, True),
        (EXPORTER, False, True, True),
        (person(Right.EXPORT, exports=("b",)), False, True, False),
        (person(), False, False, False),
        (ANONYMOUS, False, False, True),
        (replace(ANONYMOUS, is_confined=True), False, False, False),
    ],
)
def test_what_concerns_no_bucket(caller: Principal, creates: bool, lists: bool, knows: bool) -> None:
    assert may_of_no_bucket(caller, "CreateBucket") is creates
    assert may_of_no_bucket(caller, "ListBuckets") is lists
    assert knows_names(caller) is knows


def test_the_table_names_operations_that_are_offered() -> None:
    assert NEEDS.keys() <= OPERATIONS.keys()
