"""The REST API's own manners: who is let in, what is refused and how."""

from __future__ import annotations

import json

import pytest

from gateway.client.connection import Connection, Refusal

from .server import Server


def test_a_repo_is_what_a_bucket_made(api: Connection, bucket: str) -> None:
    detail = api.call("get_repo", repo=bucket)
    assert (detail.name, detail.default_branch, detail.branches, detail.commits) == (bucket, "main", 1, 1)


def test_repos_are_listed_in_pages(api: Connection, bucket: str) -> None:
    found, after = [], ""
    while after is not None:
        page = api.call("list_repos", after=after, limit=1)
        found += [repo.name for repo in page.repos]
        after = page.next
    assert bucket in found
    assert found == sorted(found)


def test_an_unknown_repo_is_a_404_with_a_code(api: Connection, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        api.call("get_repo", repo=name)
    assert (refused.value.status, refused.value.code) == (404, "NoSuchRepo")


def test_a_wrong_secret_is_refused_as_by_s3(gateway: Server) -> None:
    with pytest.raises(Refusal) as refused:
        gateway.api(secret_key="wrong-secret").call("list_repos")
    assert (refused.value.status, refused.value.code) == (403, "SignatureDoesNotMatch")


def test_an_unsigned_call_is_refused(gateway: Server) -> None:
    status, headers, body = gateway.get("/-/api/v1/repos")
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (403, "AccessDenied")
    assert error["request_id"] == headers["x-amz-request-id"]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/-/api/v1/nothing", "", 404, "NoSuchEndpoint"),
        ("/-/api/v1/repos", "limit=0", 400, "InvalidArgument"),
        ("/-/api/v1/repos", "limit=x", 400, "InvalidArgument"),
        ("/-/api/v1/repos", "stranger=1", 400, "InvalidArgument"),
        ("/-/api/v1/repos", "limit=1&limit=2", 400, "InvalidArgument"),
    ],
)
def test_bad_questions_have_clear_answers(api: Connection, path: str, query: str, status: int, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        api.send("GET", path, query)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_path_that_is_no_uri_is_refused_as_json(gateway: Server) -> None:
    status, _, body = gateway.get("/-/api/v1/repos/%zz")
    assert (status, json.loads(body)["error"]["code"]) == (400, "InvalidURI")


def test_another_method_is_told_which_are_taken(api: Connection) -> None:
    with pytest.raises(Refusal) as refused:
        api.send("PUT", "/-/api/v1/repos")
    assert (refused.value.status, refused.value.details["allowed"]) == (405, ["GET", "POST"])


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"\xff", b'{"name": 1}', b"{}", b'{"name": "x", "stranger": 1}'], ids=repr
)
def test_bad_bodies_are_refused(api: Connection, body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        api.send("POST", "/-/api/v1/repos", body=body)
    assert (refused.value.status, refused.value.code) == (400, "InvalidBody")


def test_a_body_that_is_too_large_is_refused(api: Connection) -> None:
    with pytest.raises(Refusal) as refused:
        api.send("POST", "/-/api/v1/repos", body=b" " * (1024 * 1024 + 1))
    assert refused.value.status == 400
    assert refused.value.code == "MaxMessageLengthExceeded"
