"""Tags through the REST API: made once, usable wherever a revision is, forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.client.connection import Connection

from .refusals import refusal


@pytest.fixture
def two(s3: Any, repo: str) -> list[str]:
    """The commits of two writes of the key `k`, the older first."""
    return [s3.put_object(Bucket=repo, Key="k", Body=body)["VersionId"] for body in (b"1", b"2")]


def test_a_tag_names_a_commit(api: Connection, s3: Any, repo: str, two: list[str]) -> None:
    made = api.call("create_tag", repo=repo, name="v1", rev="HEAD^", message="the first")
    assert (made.name, made.commit_id, made.author, made.message) == ("v1", two[0], "root", "the first")
    assert api.call("get_tag", repo=repo, tag="v1") == made
    assert s3.get_object(Bucket=repo, Key="k", VersionId="v1")["Body"].read() == b"1"
    assert s3.get_object(Bucket=f"v1.main.{repo}", Key="k")["Body"].read() == b"1"
    assert api.call("show", repo=repo, rev="v1").commit.id == two[0]


def test_a_tag_stays_where_it_is(api: Connection, s3: Any, repo: str, two: list[str]) -> None:
    api.call("create_tag", repo=repo, name="v1")
    s3.put_object(Bucket=repo, Key="k", Body=b"3")
    for rev in ("HEAD", "HEAD^"):
        with refusal("TagExists"):
            api.call("create_tag", repo=repo, name="v1", rev=rev)
    assert api.call("get_tag", repo=repo, tag="v1").commit_id == two[1]


def test_tags_are_listed_in_pages(api: Connection, repo: str, two: list[str]) -> None:
    for name in ("b", "c", "a"):
        api.call("create_tag", repo=repo, name=name)
    found, after = [], ""
    while after is not None:
        page = api.call("list_tags", repo=repo, after=after, limit=2)
        found += [tag.name for tag in page.tags]
        after = page.next
    assert found == ["a", "b", "c"]
    assert [tag.name for tag in api.call("list_tags", repo=repo, after="a\0z").tags] == ["b", "c"]


def test_a_tag_is_forgotten_and_its_commit_stays(api: Connection, s3: Any, repo: str, two: list[str]) -> None:
    api.call("create_tag", repo=repo, name="v1", rev="HEAD^")
    assert api.call("delete_tag", repo=repo, tag="v1") is None
    for endpoint in ("get_tag", "delete_tag"):
        for tag in ("v1", "NO", "nul\0"):
            with refusal("NoSuchTag"):
                api.call(endpoint, repo=repo, tag=tag)
    with refusal("NoSuchRevision"):
        api.call("show", repo=repo, rev="v1")
    assert api.call("show", repo=repo, rev=two[0]).commit.id == two[0]


def test_a_tag_of_another_branch(api: Connection, s3: Any, repo: str, two: list[str]) -> None:
    api.call("create_branch", repo=repo, name="dev", rev="HEAD^")
    assert api.call("create_tag", repo=repo, name="v1", branch="dev").commit_id == two[0]


def test_a_tag_that_can_not_be_is_refused(api: Connection, repo: str, two: list[str]) -> None:
    for code, fields in (
        ("InvalidName", {"name": "No"}),
        ("InvalidName", {"name": "nul\0"}),
        ("BranchExists", {"name": "main"}),
        ("NoSuchRevision", {"name": "v1", "rev": "nowhere"}),
        ("NoSuchBranch", {"name": "v1", "branch": "none"}),
        ("HeadMoved", {"name": "v1", "expected_head": two[0]}),
    ):
        with refusal(code):
            api.call("create_tag", repo=repo, **fields)
    assert api.call("list_tags", repo=repo).tags == []


def test_a_nul_in_a_message_does_no_harm(api: Connection, repo: str) -> None:
    assert api.call("create_tag", repo=repo, name="v1", message="a\0b").message == "a\N{REPLACEMENT CHARACTER}b"


def test_anothers_tags_are_not_there(ann: Connection, ben: Connection, name: str) -> None:
    ann.call("create_repo", name=name)
    made = ann.call("create_tag", repo=name, name="v1")
    for endpoint in ("get_tag", "delete_tag"):
        with refusal("NoSuchRepo"):
            ben.call(endpoint, repo=name, tag="v1")
    with refusal("NoSuchRepo"):
        ben.call("create_tag", repo=name, name="v2")
    assert ann.call("list_tags", repo=name).tags == [made]
