"""The typed client against a live gateway: content in both directions, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from gateway.client import Client, Credentials, Reach, Refusal, Unreachable

from .server import REPOSITORY, Server


def reach(server: Server) -> Reach:
    return Reach(server.url, Credentials(server.access_key, server.secret_key), server.region)


@pytest.fixture(scope="session")
def caret(gateway: Server) -> Iterator[Client]:
    with Client(reach(gateway)) as client:
        yield client


KEYS = ["a.txt", "a/../b", "./x//y/", "with space+plus%25", "ünï©ode/✓", "q?x=1&y=2#z", "~'()*!"]


@pytest.mark.parametrize("key", KEYS)
def test_what_is_written_is_read(caret: Client, bucket: str, key: str) -> None:
    commit_id = caret.write(bucket, key, b"content", content_type="text/x", metadata={"Colour": "green"})
    with caret.read(bucket, key) as content:
        assert content.read() == b"content"
        assert (content.version_id, content.content_type, content.size) == (commit_id, "text/x", 7)
        assert content.metadata == {"colour": "green"}


def test_no_key_is_no_bucket(caret: Client, bucket: str) -> None:
    with pytest.raises(Refusal, match="InvalidName"):
        caret.read(bucket, "")
    with pytest.raises(Refusal, match="InvalidName"):
        caret.write(bucket, "", b"content")


def test_a_past_revision_is_read(caret: Client, bucket: str) -> None:
    first = caret.write(bucket, "k", b"one")
    caret.write(bucket, "k", b"two")
    for rev, expected in [("HEAD", b"two"), ("HEAD^", b"one"), ("main~1", b"one"), (first[:12], b"one")]:
        with caret.read(bucket, "k", rev=rev) as content:
            assert content.read() == expected


def test_what_is_stored_encoded_is_read_as_it_is(caret: Client, s3: Any, bucket: str) -> None:
    packed = gzip.compress(b"content")
    s3.put_object(Bucket=bucket, Key="k.gz", Body=packed, ContentEncoding="gzip")
    with caret.read(bucket, "k.gz") as content:
        assert content.read() == packed


def test_nothing_is_content_too(caret: Client, bucket: str) -> None:
    caret.write(bucket, "empty", b"")
    with caret.read(bucket, "empty") as content:
        assert list(content) == []


def test_a_file_is_written_from_where_it_stands_and_stays_open(caret: Client, bucket: str) -> None:
    file = io.BytesIO(b"head and body")
    file.seek(9)
    caret.write(bucket, "k", file)
    assert not file.closed
    with caret.read(bucket, "k") as content:
        assert content.read() == b"body"


def test_a_pipe_is_written(caret: Client, bucket: str) -> None:
    source, sink = os.pipe()

    def feed() -> None:
        with open(sink, "wb") as file:
            file.write(b"x" * 200_000)

    thread = threading.Thread(target=feed)
    thread.start()
    with open(source, "rb") as pipe:
        caret.write(bucket, "k", pipe)
    thread.join()
    with caret.read(bucket, "k") as content:
        assert content.read() == b"x" * 200_000


def test_conditions_are_refused_with_the_code_of_s3(caret: Client, bucket: str) -> None:
    caret.write(bucket, "k", b"one", only_new=True)
    with caret.read(bucket, "k") as content:
        etag = content.etag
        content.read()
    with pytest.raises(Refusal) as refused:
        caret.write(bucket, "k", b"two", only_new=True)
    assert (refused.value.status, refused.value.code) == (412, "PreconditionFailed")
    caret.write(bucket, "k", b"two", if_match=etag)
    with pytest.raises(Refusal):
        caret.write(bucket, "k", b"three", if_match=etag)


def test_a_missing_key_is_a_refusal_with_its_facts(caret: Client, bucket: str) -> None:
    with pytest.raises(Refusal) as refused:
        caret.read(bucket, "nothing")
    assert (refused.value.status, refused.value.code) == (404, "NoSuchKey")
    assert refused.value.details["Key"] == "nothing"
    assert refused.value.request_id


def test_a_connection_serves_again_after_content_was_left_unread(caret: Client, bucket: str) -> None:
    caret.write(bucket, "k", b"x" * 5_000_000)
    for _ in range(12):
        with caret.read(bucket, "k") as content:
            assert content.read(10) == b"x" * 10
    assert caret.get_repo(bucket).name == bucket


def test_a_body_that_changes_between_its_two_readings_is_not_written(caret: Client, bucket: str) -> None:
    class Changing(io.BytesIO):
        def seek(self, position: int, whence: int = 0) -> int:
            super().seek(0)
            self.write(b"other")
            return super().seek(0)

    with pytest.raises(Refusal) as refused:
        caret.write(bucket, "k", Changing(b"bytes"))
    assert refused.value.code == "XAmzContentSHA256Mismatch"
    with pytest.raises(Refusal, match="NoSuchKey"):
        caret.read(bucket, "k")


def test_large_content_takes_little_memory(gateway: Server, bucket: str, tmp_path: Path) -> None:
    """In a process of its own, whose peak is measured: 192 MiB there and back, in less than 64 MiB more."""
    size = 192 * 1024 * 1024
    file = tmp_path / "large"
    with file.open("wb") as sink:
        for number in range(192):
            sink.write(bytes([number]) * (1024 * 1024))
    program = f"""
import hashlib, resource
from gateway.client import Client
with Client.from_environment() as caret:
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = peak()
    with open({str(file)!r}, "rb") as source:
        caret.write({bucket!r}, "large", source)
    digest = hashlib.sha256()
    with caret.read({bucket!r}, "large") as content:
        assert content.size == {size}
        for chunk in content:
            digest.update(chunk)
    print(digest.hexdigest(), peak() - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, **reach(gateway).environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    digest, more_kib = run.stdout.split()
    with file.open("rb") as source:
        assert digest == hashlib.file_digest(source, "sha256").hexdigest()
    assert int(more_kib) < 64 * 1024


def test_no_gateway_is_told_with_where() -> None:
    with Client(Reach("http://127.0.0.1:1", Credentials("KEY", "secret"))) as client:
        for call in (client.list_repos, lambda: client.read("photos", "k"), lambda: client.write("photos", "k", b"x")):
            with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
                cast("Any", call)()


class Cut:
    """A server that promises more than it sends: what a gateway looks like that is killed."""

    def __init__(self, answer: bytes) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(self._answer)
        self.socket.close()


def test_content_that_ends_before_its_time_is_an_error() -> None:
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: "x"\r\nx-amz-version-id: 1\r\n\r\n'
    server = Cut(head + b"too short")
    with Client(Reach(server.url, Credentials("KEY", "secret"))) as client:
        content = client.read("photos", "k")
        with pytest.raises(Unreachable, match="before its time"):
            content.read()


def test_a_refusal_that_is_no_document_keeps_its_status() -> None:
    server = Cut(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>")
    with Client(Reach(server.url, Credentials("KEY", "secret"))) as client, pytest.raises(Refusal) as refused:
        client.list_repos()
    assert (refused.value.status, refused.value.code, refused.value.message) == (502, "HTTP 502", "Bad Gateway")


def test_a_body_is_any_binary_file(caret: Client, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    with (tmp_path / "file").open("rb") as file:
        body: BinaryIO = file
        caret.write(bucket, "k", body)
    with caret.read(bucket, "k") as content:
        assert b"".join(content) == b"from a file"


def test_repos_are_walked_through_and_their_default_branch_is_known(caret: Client, bucket: str) -> None:
    assert bucket in [repo.name for repo in caret.repos()]
    assert caret.default_branch(bucket) == "main"
    with pytest.raises(Refusal, match="NoSuchRepo"):
        caret.default_branch(f"{bucket}-not")
