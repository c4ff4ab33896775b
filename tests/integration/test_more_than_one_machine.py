"""Gateways that share nothing but PostgreSQL and an object store: each sees at once what another wrote."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.stores import PostgreSQL

from .refusals import refusal
from .server import Server, running

LARGE = bytes(range(256)) * 4096  # above the inline threshold


@pytest.fixture
def pair(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two gateways with folders of their own, as on two machines."""
    objects = tmp_path / "objects"
    objects.mkdir()
    options = ("--database-url", postgresql.new_database(), "--blob-url", objects.as_uri())
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(running(Server(tmp_path / name, options=options, workers=1))) for name in "ab"
        )
        yield first, second


def test_what_one_wrote_the_other_reads(pair: tuple[Server, Server]) -> None:
    one, other = (server.client() for server in pair)
    one.create_bucket(Bucket="shared")
    one.put_object(Bucket="shared", Key="k", Body=b"small")
    other.put_object(Bucket="shared", Key="k", Body=LARGE)
    assert one.get_object(Bucket="shared", Key="k")["Body"].read() == LARGE
    assert one.get_object(Bucket="shared", Key="k", Range="bytes=1000-300000")["Body"].read() == LARGE[1000:300001]
    assert other.get_object(Bucket="shared", Key="k", VersionId="HEAD^")["Body"].read() == b"small"
    assert [found["Key"] for found in one.list_objects_v2(Bucket="shared")["Contents"]] == ["k"]
    assert len(other.list_object_versions(Bucket="shared")["Versions"]) == 2


def test_names_that_postgresql_could_not_hold_are_not_there(pair: tuple[Server, Server]) -> None:
    api = pair[0].api()
    api.call("create_repo", name="photos")
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("NoSuchRepo", "get_repo", {"repo": "a\0"}),
        ("NoSuchRepo", "list_deleted_branches", {"repo": "a\0"}),
        ("NoSuchRepo", "restore_branch", {"repo": "a\0", "branch": "main"}),
        ("InvalidName", "create_repo", {"name": "a\0b"}),
        ("InvalidName", "rename_repo", {"repo": "photos", "name": "a\0b"}),
        ("NoSuchBranch", "get_branch", {"repo": "photos", "branch": "a\0"}),
        ("NoSuchBranch", "restore_branch", {"repo": "photos", "branch": "a\0"}),
        ("NoSuchBranch", "log", {"repo": "photos", "branch": "a\0"}),
        ("InvalidRevision", "show", {"repo": "photos", "rev": "a\0"}),
        ("NoSuchTag", "get_tag", {"repo": "photos", "tag": "a\0"}),
        ("NoSuchTag", "delete_tag", {"repo": "photos", "tag": "a\0"}),
        ("NoSuchKey", "stat", {"repo": "photos", "key": "a\0"}),
    ]
    for code, endpoint, fields in calls:
        with refusal(code):
            api.call(endpoint, **fields)
    for endpoint, fields in (
        ("list_repos", {}),
        ("list_tags", {"repo": "photos"}),
        ("list_branches", {"repo": "photos"}),
    ):
        assert api.call(endpoint, after="z\0", **fields).next is None
    assert api.call("create_tag", repo="photos", name="v1", message="a\0b").message == "a\N{REPLACEMENT CHARACTER}b"


def test_an_upload_begun_at_one_is_completed_at_the_other(pair: tuple[Server, Server]) -> None:
    one, other = (server.client() for server in pair)
    one.create_bucket(Bucket="shared")
    which = {"Bucket": "shared", "Key": "k"}
    which["UploadId"] = one.create_multipart_upload(**which)["UploadId"]
    body = LARGE * 6
    etags = [
        client.upload_part(**which, PartNumber=number, Body=body)["ETag"]
        for number, client in enumerate((one, other), start=1)
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
    other.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})
    assert one.get_object(Bucket="shared", Key="k")["Body"].read() == body * 2


def test_of_racing_creators_one_wins(pair: tuple[Server, Server]) -> None:
    clients = [server.client() for server in pair]
    clients[0].create_bucket(Bucket="shared")

    def race(key: str) -> list[str]:
        def put(client: Any) -> str:
            try:
                client.put_object(Bucket="shared", Key=key, Body=b"mine", IfNoneMatch="*")
                return "won"
            except ClientError as exc:
                return str(exc.response["Error"]["Code"])

        with ThreadPoolExecutor(len(clients)) as threads:
            return sorted(threads.map(put, clients))

    assert [race(f"k{number}") for number in range(10)] == [["PreconditionFailed", "won"]] * 10
