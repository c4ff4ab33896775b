"""kill -9 in the middle of writes: what was acknowledged is there afterwards, and the store is sound."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from gateway.client.connection import Unreachable
from tests.archives import tar_of
from tests.integration.server import Server, until

BUCKET = "crashed"
SIZES = (100, 4096, 70_000, 300_000)  # inside the database and as files
WRITERS = 4
ROUNDS = 3


@dataclass
class Acknowledged:
    """What the server said it has: (key, version id) → digest of the content."""

    objects: dict[tuple[str, str], str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, key: str, version_id: str, body: bytes) -> None:
        with self.lock:
            self.objects[key, version_id] = hashlib.sha256(body).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.start()
    try:
        yield server
    finally:
        if server.is_running:
            server.kill()


def write_until_cut_off(client: Any, writer: int, acknowledged: Acknowledged) -> None:
    """Puts objects, two versions a key, until the server is gone."""
    number = 0
    while True:
        body = os.urandom(SIZES[number % len(SIZES)])
        key = f"{writer}/{number // 2}"
        try:
            version_id = client.put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"]
        except (BotoCoreError, ClientError):
            return
        acknowledged.add(key, version_id, body)
        number += 1


def kill_while_writing(server: Server, acknowledged: Acknowledged) -> None:
    writers = [
        threading.Thread(target=write_until_cut_off, args=(server.client(), writer, acknowledged), daemon=True)
        for writer in range(WRITERS)
    ]
    known = len(acknowledged.objects)
    for thread in writers:
        thread.start()
    until(lambda: len(acknowledged.objects) > known + 50, 30, "writes to be under way")
    server.kill()
    for thread in writers:
        thread.join(30)
        assert not thread.is_alive()


def test_every_acknowledged_put_outlives_a_kill(server: Server) -> None:
    server.client().create_bucket(Bucket=BUCKET)
    acknowledged = Acknowledged()
    for _ in range(ROUNDS):
        kill_while_writing(server, acknowledged)
        server.start()
        client = server.client()
        for (key, version_id), digest in acknowledged.objects.items():
            body = client.get_object(Bucket=BUCKET, Key=key, VersionId=version_id)["Body"].read()
            assert hashlib.sha256(body).hexdigest() == digest, (key, version_id)
    assert server.stop() == 0
    checked = server.fsck()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_was_not_acknowledged_is_there_whole_or_not_at_all(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    kill_while_writing(server, Acknowledged())
    server.start()
    versions = [
        version
        for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        for version in page["Versions"]
    ]
    assert len(versions) > 50
    for version in versions:
        which = {"Bucket": BUCKET, "Key": version["Key"], "VersionId": version["VersionId"]}
        assert len(client.get_object(**which)["Body"].read()) == version["Size"]
        assert version["Size"] in SIZES


def test_nothing_half_written_stays_on_disk(server: Server) -> None:
    server.client().create_bucket(Bucket=BUCKET)
    kill_while_writing(server, Acknowledged())
    server.start()
    until(lambda: not server.files("tmp"), 10, "what the dead workers staged to be removed")


def test_acknowledged_parts_outlive_a_kill(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    which = {"Bucket": BUCKET, "Key": "k"}
    which["UploadId"] = client.create_multipart_upload(**which)["UploadId"]
    bodies = [os.urandom(5 << 20), os.urandom(5 << 20), b"small"]
    etags = [client.upload_part(**which, PartNumber=number, Body=body)["ETag"] for number, body in enumerate(bodies, 1)]
    server.kill()
    server.start()
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    client.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})
    assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"".join(bodies)


def test_a_transaction_outlives_a_kill_and_is_one_commit_or_none(server: Server) -> None:
    """Killed at some moment around the commit: its bucket is open still, or the branch has all of it."""
    server.client().create_bucket(Bucket=BUCKET)
    for delay_s in (0.0, 0.002, 0.01):
        client = server.client()
        with contextlib.closing(server.api()) as api:
            begun = api.call("begin_transaction", repo=BUCKET, branch="main")
        wrote = [f"{begun.id}/{number}" for number in range(20)]
        for key in wrote:
            client.put_object(Bucket=begun.bucket, Key=key, Body=key.encode())
        committing = threading.Thread(target=commit_until_cut_off, args=(server, begun.id), daemon=True)
        committing.start()
        time.sleep(delay_s)
        server.kill()
        committing.join(30)
        server.start()
        client = server.client()
        with contextlib.closing(server.api()) as api:
            found = api.call("get_transaction", repo=BUCKET, id=begun.id)
            if found.state == "open":
                assert "Contents" not in client.list_objects_v2(Bucket=BUCKET, Prefix=begun.id)
                api.call("commit_transaction", repo=BUCKET, id=begun.id)
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix=begun.id)["Contents"]
        assert sorted(entry["Key"] for entry in listed) == sorted(wrote)
        assert len({client.head_object(Bucket=BUCKET, Key=key)["VersionId"] for key in wrote}) == 1
    assert server.stop() == 0
    checked = server.fsck()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_batch_outlives_a_kill_whole_or_leaves_nothing(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    acknowledged: set[str] = set()

    def put_batches(writer: int) -> None:
        for number in itertools.count():
            files = {f"{writer}/{number}/{index}": os.urandom(SIZES[index % len(SIZES)]) for index in range(20)}
            metadata = {"snowball-auto-extract": "true"}
            try:
                done = client.put_object(Bucket=BUCKET, Key="batch.tar", Body=tar_of(files), Metadata=metadata)
            except (BotoCoreError, ClientError):
                return
            acknowledged.add(done["VersionId"])

    writers = [threading.Thread(target=put_batches, args=(writer,), daemon=True) for writer in range(WRITERS)]
    for thread in writers:
        thread.start()
    until(lambda: len(acknowledged) > 10, 30, "batches to be under way")
    server.kill()
    for thread in writers:
        thread.join(30)
    server.start()
    pages = server.client().get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    found = Counter(version["VersionId"] for page in pages for version in page["Versions"])
    assert set(found.values()) == {20}
    assert acknowledged <= found.keys()
    until(lambda: not server.files("tmp"), 10, "what the dead workers staged to be removed")
    assert server.stop() == 0
    checked = server.fsck()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def commit_until_cut_off(server: Server, transaction_id: str) -> None:
    with contextlib.closing(server.api()) as api, contextlib.suppress(Unreachable):
        api.call("commit_transaction", repo=BUCKET, id=transaction_id)


def test_a_start_while_the_old_workers_die_is_clean(server: Server) -> None:
    client = server.client()
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"v")
    assert server.process is not None
    server.process.kill()  # the supervisor only; its workers notice a moment later
    server.process.wait(10)
    time.sleep(0.1)
    server.port = Server(server.data).port
    server.start()
    assert server.client().get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"v"
