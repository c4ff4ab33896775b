"""Commits and trees through the REST API; what it says is what S3 says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.client.connection import Connection
from pfs import Delete, StoreConfig, open_store
from tests.stores import PROJECT, Checkout

from .refusals import refusal, refused
from .server import Server

REVISION_CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("log", "rev", {}),
    ("show", "rev", {}),
    ("diff", "before_rev", {}),
    ("diff", "after_rev", {"before_rev": "HEAD"}),
    ("ls", "rev", {}),
    ("stat", "rev", {"key": "k"}),
    ("merge", "rev", {"branch": "main"}),
    ("merge", "rev", {"branch": "main", "dry_run": True}),
    ("revert", "rev", {"branch": "main"}),
    ("cherry_pick", "rev", {"branch": "main"}),
    ("reset_branch", "rev", {"branch": "main"}),
    ("create_branch", "rev", {"name": "new"}),
    ("create_tag", "rev", {"name": "new"}),
]
OF_REVISIONS = pytest.mark.parametrize(
    ("endpoint", "field", "fields"), REVISION_CALLS, ids=[f"{name}-{field}" for name, field, _ in REVISION_CALLS]
)


def put(s3: Any, bucket: str, key: str, body: bytes = b"v", **options: Any) -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=body, **options)["VersionId"])


# ---------------------------------------------------------------- log


def test_the_log_is_what_s3_wrote(api: Connection, s3: Any, bucket: str) -> None:
    written = [put(s3, bucket, "a"), put(s3, bucket, "b")]
    written.append(s3.delete_object(Bucket=bucket, Key="a")["VersionId"])
    commits = api.call("log", repo=bucket).commits
    assert [commit.id for commit in commits[:-1]] == written[::-1]
    for commit, parent in pairwise(commits):
        assert commit.parents == [parent.id]
    assert (commits[-1].parents, commits[-1].changes) == ([], 0)
    assert {(commit.author, commit.changes) for commit in commits[:-1]} == {("root", 1)}
    head = s3.head_object(Bucket=bucket, Key="b")
    assert commits[1].time.replace(microsecond=0) == head["LastModified"]


def test_the_log_comes_in_pages(api: Connection, s3: Any, bucket: str) -> None:
    written = [put(s3, bucket, f"{number}") for number in range(5)]
    found, after = [], ""
    while after is not None:
        page = api.call("log", repo=bucket, after=after, limit=2)
        assert len(page.commits) == 2
        found += [commit.id for commit in page.commits]
        after = page.next
    assert found[:-1] == written[::-1]


def test_the_log_of_a_key_and_of_a_revision(api: Connection, s3: Any, bucket: str) -> None:
    first, other, last = put(s3, bucket, "k"), put(s3, bucket, "other"), put(s3, bucket, "k")
    assert [commit.id for commit in api.call("log", repo=bucket, key="k").commits] == [last, first]
    assert [commit.id for commit in api.call("log", repo=bucket, key="k", rev="HEAD^").commits] == [first]
    assert [commit.id for commit in api.call("log", repo=bucket, rev=other, limit=1).commits] == [other]
    assert api.call("log", repo=bucket, key="never").commits == []


def test_the_log_through_all_parents_has_what_was_merged(api: Connection, s3: Any, bucket: str) -> None:
    api.call("create_branch", repo=bucket, name="dev")
    theirs, ours = put(s3, f"dev.{bucket}", "d"), put(s3, bucket, "m")
    merged = api.call("merge", repo=bucket, branch="main", rev="dev").head
    assert merged.parents == [ours, theirs]
    first = [commit.id for commit in api.call("log", repo=bucket, limit=2).commits]
    every = [commit.id for commit in api.call("log", repo=bucket, all_parents=True, limit=3).commits]
    assert first == [merged.id, ours]
    assert every == [merged.id, ours, theirs]


def test_a_page_behind_what_is_no_commit_is_refused(api: Connection, s3: Any, bucket: str) -> None:
    for code, after in (("NoSuchRevision", "0" * 64), ("NoSuchRevision", "HEAD"), ("InvalidRevision", "no id")):
        with refusal(code) as details:
            api.call("log", repo=bucket, after=after)
        assert details == {"rev": after}


@pytest.mark.parametrize("key", ["", "x" * 1025])
def test_what_can_be_no_key_is_refused(api: Connection, bucket: str, key: str) -> None:
    for endpoint in ("log", "stat"):
        with refusal("InvalidName") as details:
            api.call(endpoint, repo=bucket, key=key)
        assert details == {"what": "key", "name": key}


# ---------------------------------------------------------------- show and diff


def test_a_commit_is_shown_with_what_it_changed(api: Connection, s3: Any, bucket: str) -> None:
    first = put(s3, bucket, "k", b"1")
    second = put(s3, bucket, "k", b"22")
    shown = api.call("show", repo=bucket, rev="HEAD")
    (change,) = shown.changes
    assert (shown.commit.id, shown.commit.parents, shown.next) == (second, [first], None)
    assert (change.key, change.kind, change.before.version_id, change.after.version_id) == (
        "k",
        "changed",
        first,
        second,
    )
    assert (change.before.size, change.after.size) == (1, 2)
    assert api.call("show", repo=bucket, rev=first[:10]).changes[0].kind == "added"
    root = api.call("show", repo=bucket, rev="HEAD~2")
    assert (root.commit.parents, root.changes) == ([], [])


def test_a_diff_has_what_was_added_changed_and_removed(api: Connection, s3: Any, bucket: str) -> None:
    for key in ("same", "changed", "removed", "dir/x"):
        put(s3, bucket, key, b"1")
    before = api.call("get_branch", repo=bucket, branch="main").head.id
    put(s3, bucket, "changed", b"2")
    put(s3, bucket, "added", b"1")
    put(s3, bucket, "same", b"1")
    put(s3, bucket, "dir/x", b"2")
    s3.delete_object(Bucket=bucket, Key="removed")
    changes = api.call("diff", repo=bucket, before_rev=before).changes
    assert [(change.key, change.kind) for change in changes] == [
        ("added", "added"),
        ("changed", "changed"),
        ("dir/x", "changed"),
        ("removed", "removed"),
    ]
    assert changes[0].before is None
    assert changes[3].after is None
    back = api.call("diff", repo=bucket, before_rev="HEAD", after_rev=before).changes
    assert [(change.after, change.before) for change in back] == [(change.before, change.after) for change in changes]
    assert [change.key for change in api.call("diff", repo=bucket, before_rev=before, prefix="dir/").changes] == [
        "dir/x"
    ]
    assert api.call("diff", repo=bucket, before_rev="HEAD").changes == []
    paged, after = [], ""
    while after is not None:
        page = api.call("diff", repo=bucket, before_rev=before, after=after, limit=1)
        paged += page.changes
        after = page.next
    assert paged == changes


# ---------------------------------------------------------------- trees


def test_a_tree_is_listed_as_s3_lists_it(api: Connection, s3: Any, bucket: str) -> None:
    for key in ("a", "dir/x", "dir/y", "nul\0", "z/é"):
        put(s3, bucket, key)
    put(s3, bucket, "later")
    tree = api.call("ls", repo=bucket, rev="HEAD^")
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry.key for entry in tree.entries] == ["a", "dir/x", "dir/y", "nul\0", "z/é"]
    assert tree.commit_id == api.call("log", repo=bucket, rev="HEAD^", limit=1).commits[0].id
    known = {entry["Key"]: (entry["Size"], entry["ETag"].strip('"')) for entry in listed}
    assert all(known[entry.key] == (entry.size, entry.etag) for entry in tree.entries)
    folded = api.call("ls", repo=bucket, delimiter="/")
    assert ([entry.key for entry in folded.entries], folded.prefixes) == (["a", "later", "nul\0"], ["dir/", "z/"])
    below = api.call("ls", repo=bucket, prefix="dir/", delimiter="/")
    assert ([entry.key for entry in below.entries], below.prefixes) == (["dir/x", "dir/y"], [])
    paged: list[str] = []
    after = ""
    while after is not None:
        page = api.call("ls", repo=bucket, delimiter="/", after=after, limit=2)
        paged += [entry.key for entry in page.entries] + page.prefixes
        after = page.next
    assert sorted(paged) == ["a", "dir/", "later", "nul\0", "z/"]


def test_an_object_is_told_about_as_s3_serves_it(api: Connection, s3: Any, bucket: str) -> None:
    version = put(
        s3,
        bucket,
        "k",
        b"body",
        ContentType="text/plain",
        CacheControl="no-store",
        Metadata={"from": "test"},
        Tagging="a=1&b=2",
        ChecksumAlgorithm="SHA256",
    )
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    found = api.call("stat", repo=bucket, key="k")
    assert (found.key, found.size, found.version_id, found.parts) == ("k", 4, version, 1)
    assert f'"{found.etag}"' == head["ETag"]
    assert found.modified.replace(microsecond=0) == head["LastModified"]
    assert found.headers == {"content-type": "text/plain", "cache-control": "no-store"}
    assert (found.metadata, found.tags) == ({"from": "test"}, {"a": "1", "b": "2"})
    assert found.checksums["sha256"] == head["ChecksumSHA256"]
    s3.delete_object(Bucket=bucket, Key="k")
    assert api.call("stat", repo=bucket, key="k", rev="HEAD^") == found
    with refusal("NoSuchKey") as details:
        api.call("stat", repo=bucket, key="k")
    assert details == {"key": "k"}


def test_an_object_of_parts_tells_how_many(api: Connection, s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    bodies = [b"x" * 5 * 1024 * 1024, b"y"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in enumerate(bodies, start=1)
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    found = api.call("stat", repo=bucket, key="k")
    assert (found.parts, found.size) == (2, 5 * 1024 * 1024 + 1)


# ---------------------------------------------------------------- revisions that are none


def commits_and_refs(api: Connection, repo: str) -> Any:
    return api.call("list_branches", repo=repo), api.call("list_tags", repo=repo), api.call("log", repo=repo)


@OF_REVISIONS
def test_an_unknown_revision_changes_nothing(
    api: Connection, s3: Any, bucket: str, endpoint: str, field: str, fields: dict[str, Any]
) -> None:
    put(s3, bucket, "k")
    before = commits_and_refs(api, bucket)
    for code, rev in (("NoSuchRevision", "nowhere"), ("NoSuchRevision", "f" * 64), ("InvalidRevision", "a b")):
        with refusal(code) as details:
            api.call(endpoint, repo=bucket, **{**fields, field: rev})
        assert details == {"rev": rev}
    assert commits_and_refs(api, bucket) == before


@OF_REVISIONS
def test_a_commit_of_another_repo_is_told_to_be_one(
    api: Connection, s3: Any, bucket: str, endpoint: str, field: str, fields: dict[str, Any]
) -> None:
    put(s3, bucket, "k")
    other = f"{bucket}-other"
    s3.create_bucket(Bucket=other)
    version = put(s3, other, "k")
    before = commits_and_refs(api, bucket)
    for rev in (version, version[:12], f"{version}^"):
        with refusal("UnrelatedRepo") as details:
            api.call(endpoint, repo=bucket, **{**fields, field: rev})
        assert details == {"rev": rev, "repo": other}
    with refusal("NoSuchRevision"):  # so short a prefix says nothing
        api.call(endpoint, repo=bucket, **{**fields, field: version[:7]})
    assert commits_and_refs(api, bucket) == before


def test_s3_keeps_its_answer_for_a_commit_of_another_repo(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    s3.create_bucket(Bucket=f"{bucket}-other")
    version = put(s3, f"{bucket}-other", "k")
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="k", VersionId=version)


def test_a_step_too_far_is_not_taken_for_another_repos(api: Connection, s3: Any, bucket: str) -> None:
    rev = f"{put(s3, bucket, 'k')}~2"
    with refusal("NoSuchRevision") as details:
        api.call("show", repo=bucket, rev=rev)
    assert details == {"rev": rev}


def test_commits_of_anothers_repo_are_not_told_of(
    ann: Connection, ben: Connection, administrator: Connection, name: str
) -> None:
    ann.call("create_repo", name=name)
    head = ann.call("get_branch", repo=name, branch="main").head.id
    ben.call("create_repo", name=f"{name}-b")
    with refusal("NoSuchRevision"):
        ben.call("show", repo=f"{name}-b", rev=head)
    with refusal("NoSuchRepo"):
        ben.call("show", repo=name, rev=head)
    with refusal("UnrelatedRepo"):
        administrator.call("show", repo=f"{name}-b", rev=head)


def test_an_ambiguous_prefix_has_its_candidates_listed(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Among 2,000 ids two share their first 4 digits: the chance that none do is less than one in 10^13."""
    store = open_store(StoreConfig(tmp_path / "data"))
    checkout = Checkout.create(store, "many")
    ids: dict[str, list[str]] = {}
    writes = [store.commit(checkout.branch, [Delete("k")], author="ann") for _ in range(2000)]
    for write in writes:
        commit = write.result().commit
        assert commit is not None
        ids.setdefault(commit.id[:4], []).append(commit.id)
    head = store.resolve(store.branch(PROJECT, "many"), "HEAD").id
    store.close()
    prefix, candidates = next((prefix, found) for prefix, found in ids.items() if len(found) > 1)
    api = serve(workers=1).api()
    for endpoint, field, fields in REVISION_CALLS:
        with refusal("AmbiguousRevision") as details:
            api.call(endpoint, repo="many", **{**fields, field: prefix})
        assert details == {"rev": prefix, "candidates": sorted(candidates)}
    assert [branch.head.id for branch in api.call("list_branches", repo="many").branches] == [head]
    assert api.call("list_tags", repo="many").tags == []
