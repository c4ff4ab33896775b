"""A full disk: refused in S3's XML, the store intact, and well again once there is room."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.access.audit import AuditLog
from gateway.access.chain import Query
from gateway.access.directory import Directory, open_directory
from gateway.access.model import ProjectPolicy
from gateway.access.principals import DEFAULT_PROJECT
from gateway.access.vault import open_vault
from tests.archives import tar_of
from tests.browser.visitor import Visitor
from tests.integration.server import Certificate, Server, free_port, running, until

from .disks import SIZE_MIB, fill

BUCKET = "full"
INLINE, FILE = 16_384, 1_000_000


@pytest.fixture
def server(disk: Path, tmp_path: Path) -> Iterator[Server]:
    (disk / "data").mkdir()
    (tmp_path / "data").symlink_to(disk / "data")  # the log stays outside the small disk
    server = Server(tmp_path / "data")
    server.start()
    try:
        yield server
    finally:
        if server.is_running:
            server.kill()


def refusal(client: Any, key: str, size: int) -> ClientError | None:
    try:
        client.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(size))
    except ClientError as error:
        return error
    return None


@pytest.mark.parametrize("size", [INLINE, FILE], ids=["inside the database", "as a file"])
def test_puts_are_refused_and_nothing_is_lost(server: Server, disk: Path, size: int) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    body = os.urandom(size)
    client.put_object(Bucket=BUCKET, Key="before", Body=body)
    ballast = fill(disk)

    # SQLite's own files may have room left inside, so a few small puts can still succeed.
    attempts = [refusal(client, f"key-{number}", size) for number in range(40)]
    refused = [error for error in attempts if error is not None]
    assert refused, "a full disk took everything"
    for error in refused:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in {503, 507}
        assert error.response["Error"]["Code"] in {"InsufficientStorage", "ServiceUnavailable", "SlowDown"}
    assert client.get_object(Bucket=BUCKET, Key="before")["Body"].read() == body, "reads go on"
    assert not server.files("tmp")

    ballast.unlink()
    client.put_object(Bucket=BUCKET, Key="after", Body=body)
    assert client.get_object(Bucket=BUCKET, Key="after")["Body"].read() == body
    written = {entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET)["Contents"]}
    kept = {f"key-{number}" for number, error in enumerate(attempts) if error is None}
    assert written == {"before", "after"} | kept, "what was refused is not there, what was accepted is"
    assert server.stop() == 0
    checked = server.fsck()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_batch_that_has_no_room_is_refused_whole(server: Server, disk: Path) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    archive = tar_of({"small": b"v", "large": os.urandom(FILE), "last": b"v"})
    which: Any = {"Bucket": BUCKET, "Key": "batch.tar", "Body": archive, "Metadata": {"snowball-auto-extract": "true"}}
    ballast = fill(disk)
    with pytest.raises(ClientError) as caught:
        client.put_object(**which)
    assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
    assert not server.files("tmp")
    assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    ballast.unlink()
    client.put_object(**which)
    assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 3


def test_what_is_read_is_recorded_or_refused(server: Server, disk: Path) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"content")
    with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
        directory.set_policy(DEFAULT_PROJECT, ProjectPolicy(audits="everything"))
        until(lambda: read(client) and told(directory) > 0, 5, "reads to be recorded")
        ballast, before = fill(disk), told(directory)
        # SQLite's own files may have room left inside, so a few reads can still be recorded.
        allowed = sum(read(client) for _ in range(200))
        assert allowed < 200, "a full disk took everything"
        assert not read(client)
        ballast.unlink()
        until(lambda: read(client), 5, "reads to be recorded again")
        assert told(directory) == before + allowed + 1


def test_an_upload_in_the_console_is_told(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(disk)
    server = Server(tmp_path / "data", Certificate.make(tmp_path), workers=1, console_port=free_port())
    with running(server), contextlib.closing(Visitor(server)) as visitor:
        server.client().create_bucket(Bucket=BUCKET)
        sent = {"X-CSRF-Token": visitor.csrf}
        begun = visitor.ask("POST", f"/repos/{BUCKET}/uploads?branch=main", headers=sent).json()["id"]
        path = f"/repos/{BUCKET}/uploads/{begun}?key=k"
        refused = visitor.ask("PUT", path, bytes(2 * SIZE_MIB * 1024 * 1024), {**sent, "Accept": "application/json"})
        assert (refused.status, refused.json()["error"]["code"]) == (507, "InsufficientStorage")
        assert visitor.ask("PUT", path, b"small", sent).status == 201
        done = visitor.ask("POST", f"/repos/{BUCKET}/uploads/{begun}/commit", b'{"message": "m"}', sent)
        assert done.status == 200
        assert visitor.ask("GET", f"/repos/{BUCKET}/download?key=k").body == b"small"


def read(client: Any) -> bool:
    try:
        return bool(client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"content")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
            raise
        return False


def told(directory: Directory) -> int:
    """How many reads the audit log has."""
    with contextlib.closing(AuditLog(directory.database)) as log:
        assert log.verify().is_whole
        return sum(1 for _ in log.search(Query(operation="GetObject", outcome="allowed")))
