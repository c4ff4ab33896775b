"""Branches through the REST API: forked, shown with their heads, reset, deleted, restored."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from gateway.client.connection import Connection, Refusal

from .refusals import refusal
from .server import Server


@pytest.fixture
def three(s3: Any, repo: str) -> list[str]:
    """The commits of three writes to `main`, the oldest first."""
    return [s3.put_object(Bucket=repo, Key=key, Body=b"v")["VersionId"] for key in ("a", "b", "c")]


def keys(s3: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def head_of(api: Connection, repo: str, branch: str = "main") -> str:
    return str(api.call("get_branch", repo=repo, branch=branch).head.id)


def test_a_branch_is_shown_with_its_head(api: Connection, repo: str, three: list[str]) -> None:
    branch = api.call("get_branch", repo=repo, branch="main")
    assert (branch.repo, branch.name, branch.bucket, branch.protected) == (repo, "main", repo, False)
    assert (branch.head.id, branch.head.parents, branch.head.author) == (three[2], [three[1]], "root")


@pytest.mark.parametrize("rev", ["HEAD^", "main~1", "tagged", "the id", "a prefix"])
def test_a_branch_begins_at_any_revision(api: Connection, s3: Any, repo: str, three: list[str], rev: str) -> None:
    api.call("create_tag", repo=repo, name="tagged", rev="HEAD^")
    made = api.call(
        "create_branch", repo=repo, name="dev", rev={"the id": three[1], "a prefix": three[1][:12]}.get(rev, rev)
    )
    assert (made.name, made.bucket, made.head.id) == ("dev", f"dev.{repo}", three[1])
    assert keys(s3, f"dev.{repo}") == ["a", "b"]
    s3.put_object(Bucket=f"dev.{repo}", Key="d", Body=b"v")
    assert keys(s3, repo) == ["a", "b", "c"]


def test_a_branch_is_forked_from_another(api: Connection, s3: Any, repo: str, three: list[str]) -> None:
    api.call("create_branch", repo=repo, name="dev")
    version = s3.put_object(Bucket=f"dev.{repo}", Key="d", Body=b"v")["VersionId"]
    assert api.call("create_branch", repo=repo, name="fix", branch="dev").head.id == version
    assert api.call("create_branch", repo=repo, name="old", branch="dev", rev="HEAD~2").head.id == three[1]


def test_branches_are_listed_in_pages(api: Connection, repo: str, three: list[str]) -> None:
    for name in ("x", "b", "m"):
        api.call("create_branch", repo=repo, name=name, rev="HEAD^")
    found, after = [], ""
    while after is not None:
        page = api.call("list_branches", repo=repo, after=after, limit=2)
        found += [(branch.name, branch.head.id) for branch in page.branches]
        after = page.next
    assert found == [("b", three[1]), ("m", three[1]), ("main", three[2]), ("x", three[1])]


def test_a_branch_is_made_once_and_not_beside_a_tag_of_its_name(api: Connection, repo: str) -> None:
    api.call("create_tag", repo=repo, name="tagged")
    before = api.call("list_branches", repo=repo)
    for code, name in (("BranchExists", "main"), ("TagExists", "tagged"), ("InvalidName", "No")):
        with refusal(code):
            api.call("create_branch", repo=repo, name=name)
    with refusal("InvalidName") as details:
        api.call("create_branch", repo=repo, name="b" * 60)
    assert details["what"] == "bucket"
    assert api.call("list_branches", repo=repo) == before


@pytest.mark.parametrize(
    ("rev", "code"),
    [
        ("nowhere", "NoSuchRevision"),
        ("HEAD~99", "NoSuchRevision"),
        ("0" * 64, "NoSuchRevision"),
        ("not a revision", "InvalidRevision"),
        ("HEAD^{tree}", "InvalidRevision"),
        ("nul\0", "InvalidRevision"),
        ("x" * 10_000, "InvalidRevision"),
    ],
)
def test_a_revision_that_is_none_changes_nothing(
    api: Connection, repo: str, three: list[str], rev: str, code: str
) -> None:
    for endpoint, fields in (("create_branch", {"name": "dev"}), ("reset_branch", {"branch": "main"})):
        with refusal(code) as details:
            api.call(endpoint, repo=repo, rev=rev, **fields)
        assert details == {"rev": rev}
    assert [(branch.name, branch.head.id) for branch in api.call("list_branches", repo=repo).branches] == [
        ("main", three[2])
    ]


def test_what_is_not_there_is_told_apart(api: Connection, repo: str) -> None:
    for endpoint, fields in (("get_branch", {}), ("delete_branch", {}), ("reset_branch", {"rev": "HEAD"})):
        for branch in ("none", "NO", "nul\0"):
            with refusal("NoSuchBranch"):
                api.call(endpoint, repo=repo, branch=branch, **fields)
        with refusal("NoSuchRepo"):
            api.call(endpoint, repo=f"{repo}-not", branch="main", **fields)
    with refusal("NoSuchBranch"):
        api.call("restore_branch", repo=repo, branch="none")
    with refusal("NoSuchBranch"):
        api.call("create_branch", repo=repo, name="dev", branch="none")


# ---------------------------------------------------------------- reset


def test_a_reset_keeps_the_old_head_reachable(api: Connection, s3: Any, repo: str, three: list[str]) -> None:
    assert api.call("reset_branch", repo=repo, branch="main", rev="HEAD~2").head.id == three[0]
    assert keys(s3, repo) == ["a"]
    assert s3.get_object(Bucket=repo, Key="c", VersionId=three[2])["VersionId"] == three[2]
    assert api.call("reset_branch", repo=repo, branch="main", rev=three[2]).head.id == three[2]
    assert keys(s3, repo) == ["a", "b", "c"]


def test_a_moved_head_stops_what_expected_another(api: Connection, repo: str, three: list[str]) -> None:
    api.call("create_branch", repo=repo, name="dev")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_tag", {"name": "tagged"}),
        ("reset_branch", {"branch": "main", "rev": "HEAD^"}),
        ("delete_branch", {"branch": "main"}),
    ]
    for endpoint, fields in calls:
        for expected in (three[1], "nonsense"):
            with refusal("HeadMoved") as details:
                api.call(endpoint, repo=repo, expected_head=expected, **fields)
            assert details == {"head": three[2]}
    assert head_of(api, repo) == three[2]
    assert api.call("list_tags", repo=repo).tags == []
    for endpoint, fields in calls:
        api.call(endpoint, repo=repo, expected_head=head_of(api, repo), **fields)
    assert [branch.name for branch in api.call("list_branches", repo=repo).branches] == ["dev"]


def test_of_two_resets_that_expect_the_same_head_one_is_made(api: Connection, repo: str, three: list[str]) -> None:
    def attempt(rev: str) -> str:
        try:
            return str(api.call("reset_branch", repo=repo, branch="main", rev=rev, expected_head=three[2]).head.id)
        except Refusal as exc:
            return exc.code

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(attempt, three[:2]))
    assert outcomes.count("HeadMoved") == 1
    assert head_of(api, repo) in outcomes


# ---------------------------------------------------------------- delete and restore


def test_a_deleted_branch_comes_back_as_it_was(api: Connection, s3: Any, repo: str, three: list[str]) -> None:
    api.call("create_branch", repo=repo, name="dev", rev="HEAD^")
    before = api.call("get_branch", repo=repo, branch="dev")
    api.call("delete_branch", repo=repo, branch="dev")
    (deleted,) = api.call("list_deleted_branches", repo=repo).branches
    assert (deleted.repo, deleted.name) == (repo, "dev")
    assert deleted.restorable_until - deleted.deleted == timedelta(days=7)
    assert api.call("restore_branch", repo=repo, branch="dev") == before
    assert keys(s3, f"dev.{repo}") == ["a", "b"]
    assert api.call("list_deleted_branches", repo=repo).branches == []


def test_how_long_it_can_be_restored_is_a_setting(serve: Callable[..., Server]) -> None:
    with contextlib.closing(serve(workers=1, environment={"CARET_RETENTION_S": "60"}).api()) as api:
        api.call("create_repo", name="photos")
        api.call("delete_repo", repo="photos")
        (deleted,) = api.call("list_deleted_branches", repo="photos").branches
    assert deleted.restorable_until - deleted.deleted == timedelta(seconds=60)


def test_a_name_that_was_taken_meanwhile_is_in_the_way(api: Connection, repo: str, three: list[str]) -> None:
    api.call("create_branch", repo=repo, name="dev")
    api.call("delete_branch", repo=repo, branch="dev")
    api.call("create_branch", repo=repo, name="dev", rev="HEAD~2")
    with refusal("BranchExists"):
        api.call("restore_branch", repo=repo, branch="dev")
    api.call("delete_branch", repo=repo, branch="dev")
    api.call("create_tag", repo=repo, name="dev")
    with refusal("TagExists"):
        api.call("restore_branch", repo=repo, branch="dev")
    api.call("delete_tag", repo=repo, tag="dev")
    assert [deleted.name for deleted in api.call("list_deleted_branches", repo=repo).branches] == ["dev"]
    assert api.call("restore_branch", repo=repo, branch="dev").head.id == three[0]


def test_with_the_last_branch_goes_the_repo(api: Connection, repo: str) -> None:
    api.call("delete_branch", repo=repo, branch="main")
    with refusal("NoSuchRepo"):
        api.call("get_repo", repo=repo)
    api.call("restore_branch", repo=repo, branch="main")
    assert api.call("get_repo", repo=repo).branches == 1


def test_a_repo_that_never_was_has_no_deleted_branches(api: Connection, name: str) -> None:
    with refusal("NoSuchRepo"):
        api.call("list_deleted_branches", repo=name)
    with refusal("NoSuchBranch"):
        api.call("restore_branch", repo=name, branch="main")


# ---------------------------------------------------------------- of others


def test_the_owner_of_a_fork_is_who_made_it(
    ann: Connection, administrator: Connection, shared_gateway: Server, name: str
) -> None:
    ann.call("create_repo", name=name)
    ann.call("create_branch", repo=name, name="dev")
    administrator.call("create_branch", repo=name, name="roots")
    client = shared_gateway.client()
    owners = {bucket: client.get_bucket_acl(Bucket=f"{bucket}.{name}")["Owner"] for bucket in ("dev", "roots")}
    assert owners["dev"] == {"ID": "ann", "DisplayName": "Ann"}
    assert owners["roots"]["DisplayName"] == "root"


def test_anothers_branch_of_ones_own_repo_is_not_there(ann: Connection, administrator: Connection, name: str) -> None:
    ann.call("create_repo", name=name)
    head = administrator.call("create_branch", repo=name, name="roots").head
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_branch", {"branch": "roots"}),
        ("delete_branch", {"branch": "roots"}),
        ("reset_branch", {"branch": "roots", "rev": "HEAD"}),
        ("create_branch", {"branch": "roots", "name": "mine"}),
        ("log", {"branch": "roots"}),
        ("ls", {"branch": "roots"}),
        ("merge", {"branch": "roots", "rev": "main"}),
        ("create_tag", {"branch": "roots", "name": "mine"}),
    ]
    for endpoint, fields in calls:
        with refusal("NoSuchBranch"):
            ann.call(endpoint, repo=name, **fields)
    administrator.call("delete_branch", repo=name, branch="roots")
    with refusal("NoSuchBranch"):
        ann.call("restore_branch", repo=name, branch="roots")
    assert ann.call("list_deleted_branches", repo=name).branches == []
    assert administrator.call("restore_branch", repo=name, branch="roots").head == head
