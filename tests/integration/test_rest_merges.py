"""Merges, cherry-picks and reverts through the REST API, seen through S3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.client.connection import Connection, Refusal

from .refusals import refusal


def put(s3: Any, bucket: str, key: str, body: bytes = b"v") -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"])


def tree(s3: Any, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed}


def head_of(api: Connection, repo: str, branch: str = "main") -> str:
    return str(api.call("get_branch", repo=repo, branch=branch).head.id)


@pytest.fixture
def parted(api: Connection, s3: Any, repo: str) -> str:
    """A repo whose branches `main` and `dev` both went on from one commit, and disagree about `both`."""
    put(s3, repo, "base", b"0")
    api.call("create_branch", repo=repo, name="dev")
    put(s3, repo, "ours", b"m")
    put(s3, repo, "both", b"m")
    put(s3, f"dev.{repo}", "theirs", b"d")
    put(s3, f"dev.{repo}", "both", b"d")
    return repo


def test_a_merge_takes_what_the_other_side_changed(api: Connection, s3: Any, repo: str) -> None:
    base = put(s3, repo, "base", b"0")
    api.call("create_branch", repo=repo, name="dev")
    ours, theirs = put(s3, repo, "ours", b"m"), put(s3, f"dev.{repo}", "theirs", b"d")
    done = api.call("merge", repo=repo, branch="main", rev="dev", message="why", metadata={"run": "7"})
    assert (done.kind, done.base, done.head.parents, done.dry_run) == ("commit", base, [ours, theirs], False)
    assert (done.head.message, done.head.metadata, done.head.author) == ("why", {"run": "7"}, "root")
    assert [(change.key, change.kind) for change in done.changes] == [("theirs", "added")]
    assert tree(s3, repo) == {"base": b"0", "ours": b"m", "theirs": b"d"}
    assert head_of(api, repo) == done.head.id
    again = api.call("merge", repo=repo, branch="main", rev="dev")
    assert (again.kind, again.head) == ("nothing", done.head)


def test_a_branch_that_has_not_moved_is_forwarded_unless_asked_not_to(api: Connection, s3: Any, repo: str) -> None:
    api.call("create_branch", repo=repo, name="dev")
    theirs = put(s3, f"dev.{repo}", "k")
    done = api.call("merge", repo=repo, branch="main", rev="dev", dry_run=True)
    assert (done.kind, done.head.id == theirs, done.dry_run) == ("fast-forward", False, True)
    api.call("create_branch", repo=repo, name="copy")
    assert api.call("merge", repo=repo, branch="main", rev="dev").head.id == theirs
    kept = api.call("merge", repo=repo, branch="copy", rev="dev", fast_forward=False)
    assert (kept.kind, kept.head.parents[1:]) == ("commit", [theirs])


def test_a_squash_leaves_no_second_parent(api: Connection, s3: Any, repo: str) -> None:
    api.call("create_branch", repo=repo, name="dev")
    put(s3, f"dev.{repo}", "k")
    head = head_of(api, repo)
    assert api.call("merge", repo=repo, branch="main", rev="dev", squash=True).head.parents == [head]


def test_conflicts_are_listed_and_nothing_is_changed(api: Connection, s3: Any, parted: str) -> None:
    head, before = head_of(api, parted), tree(s3, parted)
    with refusal("MergeConflict") as details:
        api.call("merge", repo=parted, branch="main", rev="dev")
    (conflict,) = details["conflicts"]
    assert (conflict["key"], conflict["base"]) == ("both", None)
    assert conflict["ours"]["version_id"] == head
    assert conflict["theirs"]["version_id"] == head_of(api, parted, "dev")
    with refusal("MergeConflict"):
        api.call("merge", repo=parted, branch="main", rev="dev", strategy={"another": "ours"})
    assert (head_of(api, parted), tree(s3, parted)) == (head, before)


def test_a_dry_run_says_what_a_merge_would_do_and_does_nothing(api: Connection, s3: Any, parted: str) -> None:
    before = api.call("list_branches", repo=parted)
    planned = api.call("merge", repo=parted, branch="main", rev="dev", dry_run=True)
    assert (planned.kind, planned.head.id, planned.dry_run) == ("commit", head_of(api, parted), True)
    assert [conflict.key for conflict in planned.conflicts] == ["both"]
    assert [change.key for change in planned.changes] == ["theirs"]
    decided = api.call("merge", repo=parted, branch="main", rev="dev", dry_run=True, strategy="theirs")
    assert decided.conflicts == []
    with refusal("HeadMoved") as details:
        api.call("merge", repo=parted, branch="main", rev="dev", dry_run=True, expected_head="0" * 64)
    assert details == {"head": head_of(api, parted)}
    assert api.call("list_branches", repo=parted) == before


@pytest.mark.parametrize(
    ("strategy", "both"), [("ours", b"m"), ("theirs", b"d"), ({"both": "ours"}, b"m"), ({"both": "theirs"}, b"d")]
)
def test_a_strategy_decides_conflicts(
    api: Connection, s3: Any, parted: str, strategy: str | dict[str, str], both: bytes
) -> None:
    api.call("merge", repo=parted, branch="main", rev="dev", strategy=strategy)
    assert tree(s3, parted) == {"base": b"0", "ours": b"m", "theirs": b"d", "both": both}


def test_a_moved_head_stops_it_and_is_told(api: Connection, s3: Any, parted: str) -> None:
    old, head = api.call("log", repo=parted, rev="HEAD^", limit=1).commits[0].id, head_of(api, parted)
    for endpoint, rev in (("merge", "dev"), ("revert", "HEAD"), ("cherry_pick", "dev^")):
        with refusal("HeadMoved") as details:
            api.call(endpoint, repo=parted, branch="main", rev=rev, expected_head=old)
        assert details == {"head": head}
    assert head_of(api, parted) == head
    assert api.call("revert", repo=parted, branch="main", rev="HEAD", expected_head=head).kind == "commit"


def test_of_two_merges_that_expect_the_same_head_one_is_made(api: Connection, s3: Any, repo: str) -> None:
    for name in ("one", "two"):
        api.call("create_branch", repo=repo, name=name)
        put(s3, f"{name}.{repo}", name)
    put(s3, repo, "ours")
    head = head_of(api, repo)

    def attempt(rev: str) -> str:
        try:
            return str(api.call("merge", repo=repo, branch="main", rev=rev, expected_head=head).head.id)
        except Refusal as exc:
            return f"{exc.code} {exc.details['head']}"

    with ThreadPoolExecutor(2) as threads:
        outcomes = dict(zip(("one", "two"), threads.map(attempt, ("one", "two")), strict=True))
    (winner,) = (name for name, outcome in outcomes.items() if not outcome.startswith("HeadMoved"))
    assert head_of(api, repo) == outcomes[winner]
    assert f"HeadMoved {outcomes[winner]}" in outcomes.values()
    assert set(tree(s3, repo)) == {"ours", winner}


def test_a_revert_undoes_a_commit_by_a_new_one(api: Connection, s3: Any, repo: str) -> None:
    put(s3, repo, "k", b"1")
    second = put(s3, repo, "k", b"2")
    other = put(s3, repo, "other")
    done = api.call("revert", repo=repo, branch="main", rev="HEAD^")
    assert (done.kind, done.head.parents, done.head.message) == ("commit", [other], f"Revert {second}")
    assert tree(s3, repo) == {"k": b"1", "other": b"v"}
    assert api.call("revert", repo=repo, branch="main", rev=second).kind == "nothing"


def test_a_cherry_pick_makes_a_commit_once_more(api: Connection, s3: Any, parted: str) -> None:
    head = head_of(api, parted)
    done = api.call("cherry_pick", repo=parted, branch="main", rev="dev^", message="picked", metadata={"from": "dev"})
    assert (done.head.parents, done.head.message, done.head.metadata) == ([head], "picked", {"from": "dev"})
    assert tree(s3, parted) == {"base": b"0", "ours": b"m", "theirs": b"d", "both": b"m"}


def test_a_commit_that_does_not_fit_is_a_conflict(api: Connection, s3: Any, parted: str) -> None:
    head = head_of(api, parted)
    put(s3, parted, "ours", b"changed since")
    head = head_of(api, parted)
    for endpoint, rev in (("cherry_pick", "dev"), ("revert", "HEAD~2")):
        with refusal("MergeConflict"):
            api.call(endpoint, repo=parted, branch="main", rev=rev)
    assert head_of(api, parted) == head
    assert api.call("revert", repo=parted, branch="main", rev="HEAD~2", strategy="theirs").kind == "commit"
    assert "ours" not in tree(s3, parted)


def test_the_root_commit_can_not_be_undone_or_picked(api: Connection, s3: Any, repo: str) -> None:
    put(s3, repo, "k")
    for endpoint in ("revert", "cherry_pick"):
        with refusal("NoSuchRevision"):
            api.call(endpoint, repo=repo, branch="main", rev="HEAD~1")


def test_a_nul_in_a_message_does_no_harm(api: Connection, s3: Any, repo: str) -> None:
    put(s3, repo, "k")
    done = api.call("revert", repo=repo, branch="main", rev="HEAD", message="a\0b", metadata={"n\0": "v\0"})
    assert (done.head.message, done.head.metadata) == ("a\N{REPLACEMENT CHARACTER}b", {"n\0": "v\0"})


def test_anothers_branch_is_not_merged_into(ann: Connection, ben: Connection, name: str) -> None:
    ann.call("create_repo", name=name)
    ann.call("create_branch", repo=name, name="dev")
    before = ann.call("list_branches", repo=name)
    for endpoint in ("merge", "revert", "cherry_pick"):
        with refusal("NoSuchRepo"):
            ben.call(endpoint, repo=name, branch="main", rev="dev")
    assert ann.call("list_branches", repo=name) == before
