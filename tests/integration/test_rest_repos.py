"""Repos through the REST API: made, shown, renamed, deleted; as the buckets that S3 sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.client.connection import Connection, Refusal

from .refusals import refusal, refused
from .server import Server


def buckets(s3: Any) -> set[str]:
    return {found["Name"] for found in s3.list_buckets()["Buckets"]}


def test_a_repo_is_made_with_its_default_branch_and_is_a_bucket(api: Connection, s3: Any, name: str) -> None:
    made = api.call("create_repo", name=name)
    assert (made.name, made.default_branch, made.branches, made.commits, made.objects) == (name, "main", 1, 1, 0)
    s3.put_object(Bucket=name, Key="k", Body=b"four")
    assert name in buckets(s3)
    shown = api.call("get_repo", repo=name)
    assert (shown.commits, shown.objects, shown.size_bytes) == (2, 1, 4)
    assert shown.created == made.created


def test_the_default_branch_has_the_name_that_was_asked_for(api: Connection, s3: Any, name: str) -> None:
    assert api.call("create_repo", name=name, default_branch="trunk").default_branch == "trunk"
    assert api.call("get_branch", repo=name, branch="trunk").bucket == name
    s3.head_bucket(Bucket=f"trunk.{name}")


def test_a_repo_is_made_once(api: Connection, repo: str) -> None:
    head = api.call("get_branch", repo=repo, branch="main").head
    for default_branch in ("main", "other"):
        with refusal("RepoExists"):
            api.call("create_repo", name=repo, default_branch=default_branch)
    assert [branch.head for branch in api.call("list_branches", repo=repo).branches] == [head]


def test_of_two_who_make_a_repo_one_does(api: Connection, name: str) -> None:
    def attempt(branch: str) -> str:
        try:
            return str(api.call("create_repo", name=name, default_branch=branch).default_branch)
        except Refusal as exc:
            return exc.code

    with ThreadPoolExecutor(4) as threads:
        outcomes = sorted(threads.map(attempt, ["one", "two", "three", "four"]))
    assert outcomes[:3] == ["RepoExists"] * 3
    assert api.call("get_repo", repo=name).default_branch == outcomes[3]


@pytest.mark.parametrize(
    ("name", "branch", "what"),
    [
        ("UPPER", "main", "repo"),
        ("a.b", "main", "repo"),
        ("", "main", "repo"),
        ("nul\0", "main", "repo"),
        ("ab", "main", "bucket"),
        ("xn--photos", "main", "bucket"),
        ("x" * 62, "main", "bucket"),
        ("fine", "not fine", "branch"),
        ("fine", "-", "branch"),
    ],
)
def test_what_could_be_no_bucket_is_refused(api: Connection, name: str, branch: str, what: str) -> None:
    before = api.call("list_repos")
    with refusal("InvalidName") as details:
        api.call("create_repo", name=name, default_branch=branch)
    assert details["what"] == what
    assert api.call("list_repos") == before


def test_a_renamed_repos_buckets_have_new_names_and_the_same_content(api: Connection, s3: Any, repo: str) -> None:
    version = s3.put_object(Bucket=repo, Key="k", Body=b"v")["VersionId"]
    api.call("create_branch", repo=repo, name="dev")
    api.call("create_branch", repo=repo, name="gone")
    api.call("delete_branch", repo=repo, branch="gone")
    new = f"{repo}-new"
    assert api.call("rename_repo", repo=repo, name=new).branches == 2
    assert {new, f"dev.{new}"} <= buckets(s3)
    assert not {repo, f"dev.{repo}"} & buckets(s3)
    assert s3.get_object(Bucket=f"dev.{new}", Key="k")["VersionId"] == version
    assert api.call("restore_branch", repo=new, branch="gone").bucket == f"gone.{new}"
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket=repo, Key="k")
    with refusal("NoSuchRepo"):
        api.call("get_repo", repo=repo)


def test_a_repo_is_not_renamed_to_what_is_taken_or_illegal(api: Connection, repo: str) -> None:
    api.call("create_repo", name=f"{repo}-other")
    api.call("create_branch", repo=repo, name="a-rather-long-name-of-a-branch")
    before = api.call("list_branches", repo=repo)
    with refusal("RepoExists"):
        api.call("rename_repo", repo=repo, name=f"{repo}-other")
    with refusal("InvalidName"):
        api.call("rename_repo", repo=repo, name="No")
    with refusal("InvalidName") as details:
        api.call("rename_repo", repo=repo, name="n" * 40)  # legal by itself, but not with that branch
    assert details["what"] == "bucket"
    with refusal("NoSuchRepo"):
        api.call("rename_repo", repo=f"{repo}-not", name="whatever")
    assert api.call("list_branches", repo=repo) == before


def test_a_deleted_repo_is_gone_and_comes_back(api: Connection, s3: Any, repo: str) -> None:
    version = s3.put_object(Bucket=repo, Key="k", Body=b"v")["VersionId"]
    assert api.call("delete_repo", repo=repo) is None
    for code, endpoint in (("NoSuchRepo", "get_repo"), ("NoSuchRepo", "delete_repo"), ("NoSuchRepo", "list_branches")):
        with refusal(code):
            api.call(endpoint, repo=repo)
    assert [deleted.name for deleted in api.call("list_deleted_branches", repo=repo).branches] == ["main"]
    assert api.call("restore_branch", repo=repo, branch="main").head.id == version
    assert s3.get_object(Bucket=repo, Key="k")["VersionId"] == version


@pytest.mark.parametrize("name", ["a%00b", "%C3%A9", "A", "..", "x" * 300])
@pytest.mark.parametrize("rest", ["", "/branches", "/tags", "/commits", "/deleted-branches", "/tags/x", "/branches/x"])
def test_a_repo_that_could_never_be_is_not_there(api: Connection, name: str, rest: str) -> None:
    with refusal("NoSuchRepo"):
        api.send("GET", f"/-/api/v1/repos/{name}{rest}")


# ---------------------------------------------------------------- of others


def test_the_owner_of_a_new_repo_is_who_made_it(ann: Connection, shared_gateway: Server, name: str) -> None:
    ann.call("create_repo", name=name)
    owner = shared_gateway.client(access_key="ann-key", secret_key="ann-secret").get_bucket_acl(Bucket=name)["Owner"]
    assert owner == {"ID": "ann", "DisplayName": "Ann"}


def test_anothers_repo_is_not_there(ann: Connection, ben: Connection, administrator: Connection, name: str) -> None:
    made = ann.call("create_repo", name=name)
    for endpoint in ("get_repo", "delete_repo", "list_branches", "list_tags", "list_deleted_branches"):
        with refusal("NoSuchRepo"):
            ben.call(endpoint, repo=name)
    with refusal("NoSuchRepo"):
        ben.call("rename_repo", repo=name, name=f"{name}-mine")
    assert name not in [repo.name for repo in ben.call("list_repos").repos]
    with refusal("RepoExists"):
        ben.call("create_repo", name=name)
    assert ann.call("get_repo", repo=name) == administrator.call("get_repo", repo=name) == made


def test_a_repo_with_a_branch_of_another_is_not_deleted_or_renamed(
    ann: Connection, administrator: Connection, name: str
) -> None:
    ann.call("create_repo", name=name)
    administrator.call("create_branch", repo=name, name="roots")
    with refusal("AccessDenied"):
        ann.call("delete_repo", repo=name)
    with refusal("AccessDenied"):
        ann.call("rename_repo", repo=name, name=f"{name}-new")
    assert [branch.name for branch in administrator.call("list_branches", repo=name).branches] == ["main", "roots"]
    assert [branch.name for branch in ann.call("list_branches", repo=name).branches] == ["main"]
    administrator.call("delete_repo", repo=name)


def test_who_deleted_a_repo_may_bring_it_back_and_nobody_else(
    ann: Connection, ben: Connection, administrator: Connection, name: str
) -> None:
    ann.call("create_repo", name=name)
    ann.call("delete_repo", repo=name)
    with refusal("NoSuchBranch"):
        ben.call("restore_branch", repo=name, branch="main")
    with refusal("NoSuchRepo"):
        ben.call("list_deleted_branches", repo=name)
    ann.call("restore_branch", repo=name, branch="main")
    ann.call("delete_repo", repo=name)
    assert administrator.call("restore_branch", repo=name, branch="main").name == "main"
    assert ann.call("get_repo", repo=name).branches == 1


def test_a_name_that_another_left_free_brings_back_ones_own(ann: Connection, ben: Connection, name: str) -> None:
    ann.call("create_repo", name=name)
    head = ann.call("get_branch", repo=name, branch="main").head
    ann.call("delete_repo", repo=name)
    ben.call("create_repo", name=name)
    with refusal("NoSuchRepo"):
        ann.call("restore_branch", repo=name, branch="main")
    ben.call("delete_repo", repo=name)
    assert ann.call("restore_branch", repo=name, branch="main").head == head
