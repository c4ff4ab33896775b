"""Transactions over REST, written to by an S3 client."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.client.connection import Connection, Refusal

from .refusals import refused
from .server import Server


def begin(api: Connection, bucket: str, **fields: Any) -> Any:
    return api.call("begin_transaction", repo=bucket, branch="main", **fields)


def commit(api: Connection, begun: Any, **fields: Any) -> Any:
    return api.call("commit_transaction", repo=begun.repo, id=begun.id, **fields)


def keys(s3: Any, bucket: str) -> Sequence[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def body(s3: Any, bucket: str, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def commits(api: Connection, repo: str) -> int:
    count: int = api.call("get_repo", repo=repo).commits
    return count


# ---------------------------------------------------------------- one commit


def test_all_writes_become_visible_at_once_in_one_commit(api: Connection, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")
    s3.put_object(Bucket=bucket, Key="gone", Body=b"1")
    begun = begin(api, bucket, message="load", metadata={"from": "here"})
    assert (begun.state, begun.branch, begun.bucket) == ("open", "main", f"{begun.id}.{bucket}")
    work = begun.bucket
    assert keys(s3, work) == ["gone", "old"]
    s3.put_object(Bucket=work, Key="old", Body=b"2")
    s3.put_object(Bucket=work, Key="new", Body=b"n", Tagging="a=b", Metadata={"m": "1"}, ContentType="text/x")
    s3.delete_object(Bucket=work, Key="gone")
    s3.copy_object(Bucket=work, Key="copy", CopySource=f"{bucket}/old")
    which = {"Bucket": work, "Key": "big"}
    which["UploadId"] = s3.create_multipart_upload(**which)["UploadId"]
    pieces = [os.urandom(5 << 20), b"end"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**which, PartNumber=number, Body=piece)["ETag"]}
        for number, piece in enumerate(pieces, 1)
    ]
    s3.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})
    assert (keys(s3, work), body(s3, work, "old")) == (["big", "copy", "new", "old"], b"2")
    assert len(s3.list_object_versions(Bucket=work, Prefix="old")["Versions"]) == 2
    assert (keys(s3, bucket), body(s3, bucket, "old")) == (["gone", "old"], b"1")

    ended = commit(api, begun)
    assert (ended.state, ended.message, ended.metadata) == ("committed", "load", {"from": "here"})
    assert keys(s3, bucket) == ["big", "copy", "new", "old"]
    assert (body(s3, bucket, "old"), body(s3, bucket, "big"), body(s3, bucket, "copy")) == (
        b"2",
        b"".join(pieces),
        b"1",
    )
    versions = {key: s3.head_object(Bucket=bucket, Key=key)["VersionId"] for key in ("big", "copy", "new", "old")}
    assert set(versions.values()) == {ended.commit_id}
    new = s3.get_object(Bucket=bucket, Key="new")
    assert (new["Metadata"], new["ContentType"], new["TagCount"]) == ({"m": "1"}, "text/x", 1)
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket=work, Key="late", Body=b"")
    with refused("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket=work)


def test_the_commit_may_say_otherwise(api: Connection, s3: Any, bucket: str) -> None:
    begun = begin(api, bucket, message="one", metadata={"a": "1"})
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"")
    before = commits(api, bucket)
    commit(api, begun, message="two", metadata={})
    assert commits(api, bucket) == before + 1


def test_nothing_written_is_no_commit(api: Connection, bucket: str) -> None:
    before = commits(api, bucket)
    ended = commit(api, begin(api, bucket))
    assert (ended.state, ended.commit_id) == ("committed", None)
    assert commits(api, bucket) == before


# ---------------------------------------------------------------- conflicts and ends


def test_a_conflict_names_the_keys_and_leaves_it_open(api: Connection, s3: Any, bucket: str) -> None:
    begun = begin(api, bucket)
    for key in ("b", "a", "c"):
        s3.put_object(Bucket=begun.bucket, Key=key, Body=b"mine")
    for key in ("b", "a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"theirs")
    with pytest.raises(Refusal) as refusal:
        commit(api, begun)
    assert (refusal.value.status, refusal.value.code) == (409, "TransactionConflict")
    assert refusal.value.details == {"keys": ["a", "b"]}
    assert api.call("get_transaction", repo=bucket, id=begun.id).state == "open"
    assert (keys(s3, bucket), body(s3, begun.bucket, "a")) == (["a", "b"], b"mine")


def test_a_client_that_lost_the_answer_is_told_what_it_became(api: Connection, s3: Any, bucket: str) -> None:
    begun = begin(api, bucket)
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"")
    ended = commit(api, begun)
    for call in ("commit_transaction", "abandon_transaction"):
        with pytest.raises(Refusal) as refusal:
            api.call(call, repo=bucket, id=begun.id)
        assert (refusal.value.status, refusal.value.code) == (409, "TransactionEnded")
        assert refusal.value.details == {"state": "committed", "commit_id": ended.commit_id}
    assert api.call("get_transaction", repo=bucket, id=begun.id) == ended


@pytest.mark.parametrize("by", ["api", "DeleteBucket"])
def test_what_is_abandoned_is_gone(api: Connection, s3: Any, bucket: str, by: str) -> None:
    begun = begin(api, bucket)
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"")
    if by == "api":
        api.call("abandon_transaction", repo=bucket, id=begun.id)
    else:
        s3.delete_bucket(Bucket=begun.bucket)
    assert api.call("get_transaction", repo=bucket, id=begun.id).state == "abandoned"
    assert keys(s3, bucket) == []
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket=begun.bucket, Key="k")


def test_a_forgotten_one_expires(api: Connection, s3: Any, bucket: str) -> None:
    begun = begin(api, bucket, expires_in_s=1)
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"")
    time.sleep(1.1)
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket=begun.bucket, Key="late", Body=b"")
    with pytest.raises(Refusal) as refusal:
        commit(api, begun)
    assert (refusal.value.code, refusal.value.details["state"]) == ("TransactionEnded", "expired")
    assert api.call("get_transaction", repo=bucket, id=begun.id).state == "expired"
    assert begun.id not in [one.id for one in api.call("list_transactions", repo=bucket).transactions]
    assert keys(s3, bucket) == []


# ---------------------------------------------------------------- races


def test_of_many_that_commit_at_once_one_wins(gateway: Server, api: Connection, s3: Any, bucket: str) -> None:
    begun = begin(api, bucket)
    s3.put_object(Bucket=begun.bucket, Key="k", Body=b"")
    before = commits(api, bucket)

    def attempt(_: int) -> str:
        try:
            return str(commit(api, begun).state)
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as threads:
        outcomes = sorted(threads.map(attempt, range(8)))
    assert outcomes == ["TransactionEnded"] * 7 + ["committed"]
    assert commits(api, bucket) == before + 1


def test_a_put_beside_the_commit_is_in_it_or_refused(gateway: Server, api: Connection, bucket: str) -> None:
    begun = begin(api, bucket)
    taken: list[str] = []
    refusals: list[str] = []
    under_way = threading.Event()

    def write(writer: int) -> None:
        client = gateway.client()
        for number in range(100_000):
            key = f"{writer}/{number:06}"
            try:
                client.put_object(Bucket=begun.bucket, Key=key, Body=b"")
            except ClientError as exc:
                refusals.append(exc.response["Error"]["Code"])
                return
            taken.append(key)
            if number == 10:
                under_way.set()

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(write, writer) for writer in range(4)]
        assert under_way.wait(30)
        commit(api, begun)
        for writer in writers:
            writer.result()
    assert refusals == ["NoSuchBucket"] * 4
    pages = gateway.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == sorted(taken)


# ---------------------------------------------------------------- where it shows


def test_it_is_in_no_list_of_buckets(api: Connection, s3: Any, bucket: str) -> None:
    begun = begin(api, bucket)
    assert begun.bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert api.call("get_repo", repo=bucket).branches == 1
    s3.head_bucket(Bucket=begun.bucket)
    s3.delete_bucket(Bucket=bucket)
    with refused("404", 404):
        s3.head_bucket(Bucket=begun.bucket)


def test_open_ones_are_listed_in_pages(api: Connection, bucket: str) -> None:
    begun = [begin(api, bucket) for _ in range(3)]
    api.call("abandon_transaction", repo=bucket, id=begun.pop(1).id)
    found, after = [], ""
    while after is not None:
        page = api.call("list_transactions", repo=bucket, after=after, limit=1)
        found += page.transactions
        after = page.next
    assert found == begun


def test_bad_questions_have_clear_answers(api: Connection, s3: Any, bucket: str, name: str) -> None:
    questions: list[tuple[str, dict[str, Any], int, str]] = [
        ("begin_transaction", {"repo": bucket, "branch": "dev"}, 404, "NoSuchBranch"),
        ("begin_transaction", {"repo": f"{name}x", "branch": "main"}, 404, "NoSuchRepo"),
        ("get_transaction", {"repo": bucket, "id": "tx-000000000000"}, 404, "NoSuchTransaction"),
        ("get_transaction", {"repo": bucket, "id": "\0"}, 404, "NoSuchTransaction"),
        ("commit_transaction", {"repo": bucket, "id": "main"}, 404, "NoSuchTransaction"),
        ("abandon_transaction", {"repo": bucket, "id": "x/y"}, 404, "NoSuchTransaction"),
        ("list_transactions", {"repo": f"{name}x"}, 404, "NoSuchRepo"),
    ]
    for call, fields, status, code in questions:
        with pytest.raises(Refusal) as refusal:
            api.call(call, **fields)
        assert (refusal.value.status, refusal.value.code) == (status, code), call
    with refused("InvalidBucketName", 400):
        s3.create_bucket(Bucket=f"tx-0123456789ab.{bucket}")


def test_a_repo_whose_name_leaves_no_room_has_no_transactions(api: Connection, s3: Any, name: str) -> None:
    fits, long = name.ljust(47, "x"), name.ljust(48, "x")
    for repo in (fits, long):
        s3.create_bucket(Bucket=repo)
    assert len(begin(api, fits).bucket) == 63
    with pytest.raises(Refusal) as refusal:
        begin(api, long)
    assert (refusal.value.status, refusal.value.code) == (400, "InvalidName")


# ---------------------------------------------------------------- owners


@pytest.fixture
def shared(serve: Callable[..., Server], tmp_path: Path) -> Server:
    """A gateway with two accounts, ann and bob, beside root."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(
        "".join(
            f'[[accounts]]\naccess_key = "{who}-key"\nsecret_key = "{who}-secret"\n'
            f'id = "{who}"\ndisplay_name = "{who}"\n'
            for who in ("ann", "bob")
        )
    )
    return serve(environment={"CARET_CONFIG": str(accounts)}, workers=1)


def who(server: Server, name: str) -> tuple[Connection, Any]:
    keys = {"access_key": f"{name}-key", "secret_key": f"{name}-secret"}
    return server.api(**keys), server.client(**keys)


def owner(s3: Any, bucket: str, key: str) -> str:
    name: str = s3.get_object_acl(Bucket=bucket, Key=key)["Owner"]["DisplayName"]
    return name


def test_what_is_written_belongs_to_whom_it_would_have_belonged_without(shared: Server) -> None:
    (ann_api, ann), root = who(shared, "ann"), shared.client()
    ann.create_bucket(Bucket="photos")
    ann.put_object(Bucket="photos", Key="before", Body=b"")
    for api, text in ((ann_api, "by-ann"), (shared.api(), "by-root")):
        begun = api.call("begin_transaction", repo="photos", branch="main")
        ann.put_object(Bucket=begun.bucket, Key=f"{text}/ann", Body=b"")
        root.put_object(Bucket=begun.bucket, Key=f"{text}/root", Body=b"")
        assert owner(ann, begun.bucket, "before") == "ann"
        api.call("commit_transaction", repo="photos", id=begun.id)
        assert owner(ann, "photos", f"{text}/ann") == "ann"
        assert owner(ann, "photos", f"{text}/root") == "root"


def test_what_is_somebody_elses_is_not_there(shared: Server) -> None:
    (ann_api, ann), (bob_api, bob) = who(shared, "ann"), who(shared, "bob")
    ann.create_bucket(Bucket="photos")
    begun = ann_api.call("begin_transaction", repo="photos", branch="main")
    for call, fields in [
        ("begin_transaction", {"branch": "main"}),
        ("get_transaction", {"id": begun.id}),
        ("list_transactions", {}),
        ("commit_transaction", {"id": begun.id}),
        ("abandon_transaction", {"id": begun.id}),
        ("protect", {"pattern": "*"}),
        ("list_protections", {}),
        ("unprotect", {"pattern": "*"}),
    ]:
        with pytest.raises(Refusal) as refusal:
            bob_api.call(call, repo="photos", **fields)
        assert (refusal.value.status, refusal.value.code) == (404, "NoSuchRepo"), call
    with refused("AccessDenied", 403):
        bob.put_object(Bucket=begun.bucket, Key="k", Body=b"")
    with refused("AccessDenied", 403):
        bob.delete_bucket(Bucket=begun.bucket)
    assert ann_api.call("get_transaction", repo="photos", id=begun.id).state == "open"


def test_a_branch_of_ones_own_gives_no_rights_over_others_transactions(shared: Server) -> None:
    """Ann governs the repo by her branch; that of root beside it is not hers."""
    ann_api, ann = who(shared, "ann")
    root_api, root = shared.api(), shared.client()
    ann.create_bucket(Bucket="photos")
    root.create_bucket(Bucket="dev.photos")
    begun = root_api.call("begin_transaction", repo="photos", branch="dev")
    assert ann_api.call("get_transaction", repo="photos", id=begun.id).branch == "dev"
    for call in ("commit_transaction", "abandon_transaction"):
        with pytest.raises(Refusal) as refusal:
            ann_api.call(call, repo="photos", id=begun.id)
        assert refusal.value.code == "NoSuchTransaction"
