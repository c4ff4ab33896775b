"""What no bucket has here: the answers are AWS's, and botocore knows them."""

from __future__ import annotations

import pytest

from gateway.s3 import operations as op
from gateway.s3 import render_access
from gateway.s3.errors import S3Error
from gateway.s3.route import ABSENT, OPERATIONS, route
from gateway.s3.sub_resources import OF_BUCKETS, OF_OBJECTS, Absent
from tests.unit.s3.asking import ask
from tests.unit.s3.reading import as_client

ROWS = [(absent, "/b") for absent in OF_BUCKETS] + [(absent, "/b/k") for absent in OF_OBJECTS]
REPORTS = [absent for absent in OF_BUCKETS if absent.is_report]

each_row = pytest.mark.parametrize(("absent", "path"), ROWS, ids=lambda value: getattr(value, "resource", None))


def answer(method: str, target: str) -> bytes | Exception:
    request = ask(method, target)
    parsed = route(request).parse(request, b"")
    assert isinstance(parsed, op.AbsentInput)
    assert parsed.bucket == "b"
    return parsed.answer


@each_row
def test_each_row_is_offered_under_s3s_names(absent: Absent, path: str) -> None:
    assert route(ask("GET", f"{path}?{absent.resource}")).name == absent.get
    if absent.delete:
        assert route(ask("DELETE", f"{path}?{absent.resource}")).name == absent.delete
    assert {absent.get, absent.delete} - {""} <= ABSENT <= OPERATIONS.keys()


@each_row
def test_get_answers_with_an_error_or_an_empty_configuration(absent: Absent, path: str) -> None:
    got = answer("GET", f"{path}?{absent.resource}")
    if absent.body:
        assert isinstance(got, bytes)
        name = f"List{absent.get.removeprefix('Get')}s" if absent.is_report else absent.get
        settings = as_client(name, render_access.absent(op.AbsentOutput(got)))
        assert settings in ({}, {"IsTruncated": False}, {"Payer": "BucketOwner"})
    else:
        assert isinstance(got, S3Error)
        assert got.status in (400, 404)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/b?lifecycle", 404, "NoSuchLifecycleConfiguration"),
        ("/b?website", 404, "NoSuchWebsiteConfiguration"),
        ("/b?encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"),
        ("/b?replication", 404, "ReplicationConfigurationNotFoundError"),
        ("/b?object-lock", 404, "ObjectLockConfigurationNotFoundError"),
        ("/b?publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"),
        ("/b?ownershipControls", 404, "OwnershipControlsNotFoundError"),
        ("/b?metrics&id=x", 404, "NoSuchConfiguration"),
        ("/b/k?legal-hold", 400, "InvalidRequest"),
        ("/b/k?retention&versionId=x", 400, "InvalidRequest"),
    ],
)
def test_errors_are_those_of_s3(path: str, status: int, code: str) -> None:
    got = answer("GET", path)
    assert isinstance(got, S3Error)
    assert (got.status, got.code) == (status, code)


@each_row
def test_deleting_what_is_not_there_is_done_already(absent: Absent, path: str) -> None:
    if absent.delete and not absent.is_report:
        assert answer("DELETE", f"{path}?{absent.resource}") == b""


@pytest.mark.parametrize("absent", REPORTS, ids=lambda absent: absent.resource)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_report_that_is_named_cannot_be_found(absent: Absent, method: str) -> None:
    got = answer(method, f"/b?{absent.resource}&id=daily")
    assert isinstance(got, S3Error)
    assert got.code == "NoSuchConfiguration"


def test_done_is_answered_without_content() -> None:
    response = render_access.absent(op.AbsentOutput(b""))
    assert (response.status, response.body) == (204, b"")
