"""Every past state can be read again: by version id, by any revision, and as a whole bucket."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from .awscli import Aws
from .raw import Raw
from .refusals import refused


@dataclass(frozen=True)
class History:
    """Commits of one bucket, oldest first: the key `k` is v0, v1, v2; `other` is written; `k` is v3, v4."""

    bucket: str
    v: list[str]
    other: str

    @property
    def k(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": "k"}


@pytest.fixture
def history(s3: Any, bucket: str) -> History:
    def put(key: str, body: bytes) -> str:
        version_id: str = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
        return version_id

    before = [put("k", b"v%d" % number) for number in range(3)]
    other = put("other", b"other")
    return History(bucket, before + [put("k", b"v%d" % number) for number in (3, 4)], other)


def read(s3: Any, which: dict[str, str], revision: str) -> bytes:
    body: bytes = s3.get_object(**which, VersionId=revision)["Body"].read()
    return body


# ---------------------------------------------------------------- versionId


def test_every_version_id_reads_what_its_put_wrote(s3: Any, history: History) -> None:
    for number, version_id in enumerate(history.v):
        assert read(s3, history.k, version_id) == b"v%d" % number
        assert s3.head_object(**history.k, VersionId=version_id)["VersionId"] == version_id


def test_a_unique_prefix_of_a_commit_id_will_do(s3: Any, history: History) -> None:
    for length in (8, 12, 40):
        got = s3.get_object(**history.k, VersionId=history.v[1][:length])
        assert (got["Body"].read(), got["VersionId"]) == (b"v1", history.v[1])


def test_a_commit_that_wrote_another_key_shows_the_state_it_left(s3: Any, history: History) -> None:
    got = s3.get_object(**history.k, VersionId=history.other)
    assert got["Body"].read() == b"v2"
    assert got["VersionId"] == history.v[2], "an entry's version is the commit that wrote it"


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        ("HEAD", b"v4"),
        ("@", b"v4"),
        ("main", b"v4"),
        ("HEAD~0", b"v4"),
        ("HEAD^0", b"v4"),
        ("HEAD^", b"v3"),
        ("HEAD~", b"v3"),
        ("HEAD^1", b"v3"),
        ("main^", b"v3"),
        ("main~2", b"v2"),  # the commit of `other`
        ("HEAD~3", b"v2"),
        ("HEAD^^^^", b"v1"),
        ("HEAD~2^~2", b"v0"),
        ("HEAD~5", b"v0"),
    ],
)
def test_revisions_follow_the_commits_of_the_branch(
    s3: Any, raw: Raw, history: History, revision: str, expected: bytes
) -> None:
    assert read(s3, history.k, revision) == expected, "percent-encoded, as boto3 sends it"
    assert raw.request("GET", f"/{history.bucket}/k?versionId={revision}").body == expected, "raw, as typed"
    head = raw.request("HEAD", f"/{history.bucket}/k?versionId={revision}")
    assert (head.status, head.headers["content-length"]) == (200, "2")


def test_steps_can_follow_a_commit_id(s3: Any, history: History) -> None:
    assert read(s3, history.k, f"{history.v[4]}~1") == b"v3"
    assert read(s3, history.k, f"{history.v[2][:8]}^^") == b"v0"


@pytest.mark.parametrize("form", ["@{time}", "@{{{time}}}", "HEAD@{{{time}}}", "main@{{{time}}}"])
def test_an_instant_names_the_state_at_that_time(s3: Any, raw: Raw, bucket: str, form: str) -> None:
    which = {"Bucket": bucket, "Key": "k"}
    instants = []
    for body in (b"v0", b"v1", b"v2"):
        s3.put_object(**which, Body=body)
        time.sleep(0.02)
        instants.append(datetime.now(UTC).isoformat().replace("+00:00", "Z"))
        time.sleep(0.02)
    for number, instant in enumerate(instants):
        revision = form.format(time=instant)
        assert read(s3, which, revision) == b"v%d" % number
        assert raw.request("GET", f"/{bucket}/k?versionId={revision}").body == b"v%d" % number
    with refused("NoSuchVersion", 404):
        read(s3, which, form.format(time="2001-01-01T00:00:00Z"))
    assert read(s3, which, form.format(time="2999-01-01T00:00:00Z")) == b"v2"


def test_another_branch_can_be_named(s3: Any, history: History) -> None:
    s3.create_bucket(Bucket=f"dev.{history.bucket}")
    s3.put_object(Bucket=f"dev.{history.bucket}", Key="k", Body=b"on dev")
    assert read(s3, history.k, "dev") == b"on dev"
    assert read(s3, history.k, "main") == b"v4"
    assert read(s3, {"Bucket": f"dev.{history.bucket}", "Key": "k"}, "HEAD") == b"on dev"


def test_ranges_and_conditions_hold_for_the_past_too(s3: Any, history: History) -> None:
    got = s3.get_object(**history.k, VersionId="HEAD^", Range="bytes=1-1")
    assert (got["Body"].read(), got["ContentRange"]) == (b"3", "bytes 1-1/2")
    with refused("304", 304):
        s3.get_object(**history.k, VersionId="HEAD^", IfNoneMatch=got["ETag"])


def test_last_modified_is_the_time_of_the_entry_not_of_the_branch(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    written = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    time.sleep(1.1)
    s3.put_object(Bucket=bucket, Key="another", Body=b"v")
    assert s3.head_object(Bucket=bucket, Key="k")["LastModified"] == written
    assert s3.head_object(Bucket=bucket, Key="k", VersionId="HEAD")["LastModified"] == written


# ---------------------------------------------------------------- what is no such state


@pytest.mark.parametrize(
    "text", ["not a revision!", "HEAD^x", "~1", "HEAD@{yesterday}", "3/L4kqtJlcpXroDTDmJ+rmSpXd3d"]
)
def test_text_that_is_no_revision_is_an_invalid_argument(s3: Any, history: History, text: str) -> None:
    with refused("InvalidArgument", 400):
        s3.get_object(**history.k, VersionId=text)
    with refused("400", 400):
        s3.head_object(**history.k, VersionId=text)


@pytest.mark.parametrize("revision", ["HEAD~99", "HEAD^2", "nosuchbranch", "0123456789abcdef", "f" * 64, "null"])
def test_an_unknown_revision_is_no_such_version(s3: Any, history: History, revision: str) -> None:
    with refused("NoSuchVersion", 404):
        s3.get_object(**history.k, VersionId=revision)
    with refused("404", 404):
        s3.head_object(**history.k, VersionId=revision)


def test_a_commit_of_another_repo_is_unknown(s3: Any, history: History, name: str) -> None:
    s3.create_bucket(Bucket=f"{name}-x")
    foreign = s3.put_object(Bucket=f"{name}-x", Key="k", Body=b"foreign")["VersionId"]
    with refused("NoSuchVersion", 404):
        s3.get_object(**history.k, VersionId=foreign)


def test_a_key_that_was_not_there_yet_is_no_such_key(s3: Any, history: History) -> None:
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=history.bucket, Key="other", VersionId=history.v[0])


def test_the_commit_that_deleted_a_key_does_not_allow_to_read_it(s3: Any, history: History) -> None:
    marker = s3.delete_object(**history.k)["VersionId"]
    with refused("MethodNotAllowed", 405) as answer:
        s3.get_object(**history.k, VersionId=marker)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with refused("405", 405) as answer:
        s3.head_object(**history.k, VersionId=marker)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert read(s3, history.k, "HEAD^") == b"v4"
    s3.put_object(Bucket=history.bucket, Key="other", Body=b"later")
    with refused("NoSuchKey", 404):
        s3.get_object(**history.k, VersionId="HEAD")


# ---------------------------------------------------------------- snapshot buckets


def test_a_snapshot_bucket_is_the_whole_tree_at_a_commit(s3: Any, history: History) -> None:
    snapshots = {
        f"head-0.main.{history.bucket}": {"k": b"v4", "other": b"other"},
        f"head-1.main.{history.bucket}": {"k": b"v3", "other": b"other"},
        f"head-3.main.{history.bucket}": {"k": b"v2"},
        f"{history.v[0][:12]}.main.{history.bucket}": {"k": b"v0"},
    }
    for bucket, tree in snapshots.items():
        s3.head_bucket(Bucket=bucket)
        for listing in (s3.list_objects_v2(Bucket=bucket), s3.list_objects(Bucket=bucket)):
            assert listing["Name"] == bucket
            assert [entry["Key"] for entry in listing["Contents"]] == list(tree)
        assert {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in tree} == tree
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=f"head-3.main.{history.bucket}", Key="other")


def test_a_snapshot_shows_what_was_deleted_since(s3: Any, history: History) -> None:
    s3.delete_objects(Bucket=history.bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "other"}]})
    assert s3.list_objects_v2(Bucket=history.bucket)["KeyCount"] == 0
    assert s3.list_objects_v2(Bucket=f"head-1.main.{history.bucket}")["KeyCount"] == 2
    assert s3.list_objects_v2(Bucket=f"head-0.main.{history.bucket}")["KeyCount"] == 0


def test_a_snapshot_is_listed_in_pages_with_prefixes(s3: Any, bucket: str) -> None:
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"dir/{number}", Body=b"v")
    s3.put_object(Bucket=bucket, Key="later", Body=b"v")
    snapshot = f"head-2.main.{bucket}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=snapshot, PaginationConfig={"PageSize": 3})
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == [f"dir/{n}" for n in range(4)]
    assert s3.list_objects_v2(Bucket=snapshot, Delimiter="/")["CommonPrefixes"] == [{"Prefix": "dir/"}]


def test_writes_to_a_snapshot_are_refused_and_told_where_to_go(s3: Any, history: History) -> None:
    snapshot = f"head-1.main.{history.bucket}"
    which = {"Bucket": snapshot, "Key": "k"}
    source = {"Bucket": history.bucket, "Key": "k"}
    attempts: list[Callable[[], Any]] = [
        lambda: s3.put_object(**which, Body=b"x"),
        lambda: s3.delete_object(**which),
        lambda: s3.delete_objects(Bucket=snapshot, Delete={"Objects": [{"Key": "k"}]}),
        lambda: s3.copy_object(**which, CopySource=source),
        lambda: s3.create_multipart_upload(**which),
        lambda: s3.delete_bucket(Bucket=snapshot),
    ]
    for attempt in attempts:
        with refused("AccessDenied", 403) as answer:
            attempt()
        assert history.bucket in answer["Error"]["Message"].split(), "the name it is listed under"
    assert s3.get_object(**which)["Body"].read() == b"v3"
    assert len(s3.list_object_versions(Bucket=history.bucket)["Versions"]) == 6


@pytest.mark.parametrize("revision", ["head-99", "0123456789ab", "nosuchtag"])
def test_an_unknown_snapshot_is_not_found(s3: Any, history: History, revision: str) -> None:
    with refused("404", 404):
        s3.head_bucket(Bucket=f"{revision}.main.{history.bucket}")


def test_snapshots_are_not_listed(s3: Any, history: History) -> None:
    s3.list_objects_v2(Bucket=f"head-1.main.{history.bucket}")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert [name for name in names if history.bucket in name.split(".")] == [history.bucket]


# ---------------------------------------------------------------- aws-cli


def test_aws_cli_reads_the_past(aws: Aws, history: History, tmp_path: Path) -> None:
    target = tmp_path / "got"
    which = ["--bucket", history.bucket, "--key", "k"]
    for revision, expected in (("HEAD^", b"v3"), ("main~3", b"v2"), (history.v[0][:10], b"v0")):
        aws.api("get-object", *which, "--version-id", revision, target)
        assert target.read_bytes() == expected
    assert aws.api("head-object", *which, "--version-id", "HEAD^")["VersionId"] == history.v[3]
    assert "NoSuchVersion" in aws.refused("s3api", "get-object", *which, "--version-id", "HEAD~99", target)


def test_aws_cli_syncs_a_snapshot(aws: Aws, history: History, tmp_path: Path) -> None:
    snapshot = f"s3://head-1.main.{history.bucket}"
    assert [line.split()[3] for line in aws("s3", "ls", snapshot).splitlines()] == ["k", "other"]
    aws("s3", "sync", snapshot, tmp_path / "tree")
    assert {path.name: path.read_bytes() for path in (tmp_path / "tree").iterdir()} == {"k": b"v3", "other": b"other"}
    (tmp_path / "new").write_text("x")
    assert "AccessDenied" in aws.refused("s3", "cp", tmp_path / "new", f"{snapshot}/new")
