"""Syncs in every direction against real gateways: what arrives, what is compared, and what is not sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client, Credentials
from gateway.client.connection import Connection
from gateway.sync import Action, ActionKind, Bucket, Comparison, Filter, Folder, Memory, Plan, Side, State, SyncError
from gateway.sync.ends import PIECE_BYTES

from .server import Server
from .syncing import MIB, Seen, commits, contents, done, grow, keys, side_of, sync, tree

MTIME_NS = 1_434_567_890_123_456_789


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "cache" / "sync.db") as opened:
        yield opened


@pytest.fixture
def ours(gateway: Server, name: str) -> Bucket:
    return side_of(gateway, name)


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    folder = grow(
        tmp_path / "source",
        a=b"one",
        empty=b"",
        deep__down__b=b"two",
        ünï__c=b"three",
    )
    (folder.path / "with space+plus%25'(1)").write_bytes(b"four")
    os.utime(folder.path / "a", ns=(MTIME_NS, MTIME_NS))
    return folder


@pytest.fixture
def large(source: Folder) -> Folder:
    """With a file that is transferred in pieces."""
    grow(source.path, large=PIECE_BYTES + MIB)
    os.utime(source.path / "large", ns=(MTIME_NS, MTIME_NS))
    return source


# ---------------------------------------------------------------- directions


def test_what_goes_up_comes_down_again(ours: Bucket, large: Folder, memory: Memory, tmp_path: Path) -> None:
    up = done(large, ours, memory, message="All of it")
    assert (up.transferred, up.unchanged, up.bytes_sent) == (6, 0, sum(map(len, tree(large).values())))
    down = done(ours, Folder(tmp_path / "copy"), memory)
    assert (down.transferred, down.bytes_sent, down.commit_id) == (6, up.bytes_sent, None)
    assert tree(tmp_path / "copy") == tree(large)
    for file in ("a", "large", "deep/down/b"):
        assert (tmp_path / "copy" / file).stat().st_mtime_ns == (large.path / file).stat().st_mtime_ns
    copy = Folder(tmp_path / "copy")
    ways: list[tuple[Side, Side]] = [(large, ours), (ours, copy), (large, copy)]
    for one, other in ways:
        again = done(one, other, memory)
        assert (again.transferred, again.unchanged, again.bytes_sent, again.commit_id) == (0, 6, 0, None)


def test_a_sync_is_one_commit(gateway: Server, ours: Bucket, source: Folder, memory: Memory) -> None:
    first = done(source, ours, memory, message="All of it")
    done(source, ours, memory)
    grow(source.path, a=b"other", d=b"new")
    (source.path / "empty").unlink()
    second = done(source, ours, memory, delete=True)
    assert commits(gateway, ours.bucket) == ["sync", "All of it"]
    assert (second.transferred, second.deleted, second.unchanged) == (2, 1, 3)
    client = gateway.client()
    assert contents(client, ours.bucket) == tree(source)
    head = client.head_object(Bucket=ours.bucket, Key="deep/down/b")
    assert head["VersionId"] == first.commit_id
    assert client.head_object(Bucket=ours.bucket, Key="d")["VersionId"] == second.commit_id


def test_readers_see_the_old_tree_or_the_new(gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", **{f"f{number}": 1000 for number in range(60)})
    done(source, ours, memory)
    client, is_over = gateway.client(), threading.Event()
    seen: list[frozenset[str]] = []

    def read() -> None:
        while not is_over.is_set():
            seen.append(frozenset(keys(client, ours.bucket).values()))

    reader = threading.Thread(target=read)
    reader.start()
    before = frozenset(keys(client, ours.bucket).values())
    grow(source.path, **{f"f{number}": 1000 for number in range(30, 90)})
    for number in range(10):
        (source.path / f"f{number}").unlink()
    done(source, ours, memory, delete=True)
    after = frozenset(keys(client, ours.bucket).values())
    is_over.set()
    reader.join()
    assert len(after) == 80
    assert set(seen) <= {before, after}
    assert len(seen) > 3


def test_between_buckets_of_one_gateway_no_content_passes_through(
    gateway: Server, ours: Bucket, large: Folder, memory: Memory, name: str
) -> None:
    done(large, ours, memory)
    other = side_of(gateway, f"{name}-copy", "below/")
    copied = done(ours, other, memory)
    assert (copied.transferred, copied.bytes_sent) == (6, 0)
    assert copied.commit_id is not None
    expected = {f"below/{path}": data for path, data in tree(large).items()}
    assert contents(gateway.client(), other.bucket) == expected
    assert done(ours, other, memory, comparison=Comparison.CHECKSUM).unchanged == 6
    metadata = gateway.client().head_object(Bucket=other.bucket, Key="below/a")["Metadata"]
    assert metadata == {"mtime": "1434567890.123456789"}


def test_between_endpoints_content_and_headers_pass_through(
    gateway: Server, tls_gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path
) -> None:
    source = grow(tmp_path / "source", large=PIECE_BYTES + MIB)
    done(source, ours, memory)
    headers = {"ContentType": "text/x", "ContentEncoding": "gzip", "CacheControl": "no-store"}
    gateway.client().put_object(Bucket=ours.bucket, Key="small", Body=b"no gzip at all", Metadata={"a": "b"}, **headers)
    Client(ours.reach).write(ours.bucket, "tiny", b"x", metadata={"a": "grün"})
    assert tls_gateway.certificate is not None
    there = side_of(tls_gateway, ours.bucket)
    there = replace(there, reach=replace(there.reach, ca_bundle=str(tls_gateway.certificate.path)))
    done(ours, there, memory)
    client = tls_gateway.client()
    assert contents(client, there.bucket) == {**tree(source), "small": b"no gzip at all", "tiny": b"x"}
    head = client.head_object(Bucket=there.bucket, Key="small")
    assert {name: head[name] for name in headers} == headers
    assert head["Metadata"] == {"a": "b"}
    assert Client(there.reach).stat(there.bucket, "tiny").metadata == {"a": "grün"}
    assert keys(client, there.bucket) == keys(gateway.client(), ours.bucket)
    assert done(ours, there, memory, comparison=Comparison.CHECKSUM).unchanged == 3


def test_an_endpoint_that_is_not_ours_is_written_file_by_file(
    gateway: Server, large: Folder, memory: Memory, name: str, tmp_path: Path
) -> None:
    theirs = side_of(gateway, name, is_ours=False)
    up = done(large, theirs, memory)
    assert (up.transferred, up.commit_id) == (6, None)
    assert len(commits(gateway, name)) == 6
    (large.path / "empty").unlink()
    second = done(large, theirs, memory, delete=True)
    assert (second.transferred, second.deleted, second.unchanged) == (0, 1, 5)
    assert done(theirs, Folder(tmp_path / "copy"), memory).transferred == 5
    assert tree(tmp_path / "copy") == tree(large)


def test_between_folders(large: Folder, memory: Memory, tmp_path: Path) -> None:
    assert done(large, Folder(tmp_path / "copy"), memory).transferred == 6
    assert tree(tmp_path / "copy") == tree(large)
    assert (tmp_path / "copy" / "a").stat().st_mtime_ns == MTIME_NS
    assert done(large, Folder(tmp_path / "copy"), memory, comparison=Comparison.CHECKSUM).unchanged == 6


def test_a_prefix_is_a_side_of_its_own(gateway: Server, bucket: str, memory: Memory, tmp_path: Path) -> None:
    client = gateway.client()
    for key in ("a/1", "a/2", "ab/1", "b"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    side = side_of(gateway, bucket, "a/")
    done(side, Folder(tmp_path / "down"), memory)
    assert tree(tmp_path / "down") == {"1": b"a/1", "2": b"a/2"}
    done(grow(tmp_path / "up", x=b"x"), side, memory, delete=True)
    assert set(keys(client, bucket)) == {"a/x", "ab/1", "b"}


def test_the_past_is_brought_back_from_a_snapshot(
    gateway: Server, ours: Bucket, source: Folder, memory: Memory
) -> None:
    first = done(source, ours, memory)
    before = keys(gateway.client(), ours.bucket)
    done(grow(source.path.parent / "other", a=b"?"), ours, memory, delete=True)
    assert first.commit_id is not None
    snapshot = replace(ours, bucket=f"{first.commit_id[:16]}.main.{ours.bucket}")
    back = done(snapshot, ours, memory, delete=True)
    assert (back.transferred, back.bytes_sent) == (5, 0)
    assert keys(gateway.client(), ours.bucket) == before
    with pytest.raises(SyncError, match="only be read"):
        sync(source, snapshot, memory)


def test_keys_that_stand_for_folders_stay_out_of_folders(
    gateway: Server, bucket: str, memory: Memory, tmp_path: Path
) -> None:
    client = gateway.client()
    client.put_object(Bucket=bucket, Key="dir/", Body=b"")
    client.put_object(Bucket=bucket, Key="dir/a", Body=b"a")
    side = side_of(gateway, bucket)
    assert done(side, Folder(tmp_path / "down"), memory).transferred == 1
    assert done(Folder(tmp_path / "down"), side, memory, delete=True).commit_id is None
    assert done(side, replace(side, bucket=f"{bucket}-copy"), memory).transferred == 2


def test_types_are_told_by_names(gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path) -> None:
    folder = grow(tmp_path / "source", **{"page.html": b"<p>", "data.tar.gz": b"x", "unknown": b"x"})
    done(folder, ours, memory)
    client = gateway.client()
    types = [client.head_object(Bucket=ours.bucket, Key=key)["ContentType"] for key in keys(client, ours.bucket)]
    assert types == ["binary/octet-stream", "text/html", "binary/octet-stream"]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of gateways from here on."""
    asked: list[str] = []
    send = Connection.send

    def note(connection: Connection, method: str, path: str, *arguments: Any, **named: Any) -> Any:
        asked.append(f"{method} {path}")
        return send(connection, method, path, *arguments, **named)

    monkeypatch.setattr(Connection, "send", note)
    return asked


def test_many_small_files_take_few_requests(
    gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path, requests: list[str]
) -> None:
    source = grow(tmp_path / "source", **{f"d{number % 7}__ü{number}": 10 for number in range(700)})
    up = done(source, ours, memory)
    assert (up.transferred, up.bytes_sent) == (700, 7000)
    assert len(requests) < 15, requests
    requests.clear()
    assert done(source, ours, memory).unchanged == 700
    assert len(requests) < 5, requests
    assert contents(gateway.client(), ours.bucket) == tree(source)
    mtime = gateway.client().head_object(Bucket=ours.bucket, Key="d0/ü0")["Metadata"]["mtime"]
    assert mtime.replace(".", "") == str((source.path / "d0" / "ü0").stat().st_mtime_ns)


def test_a_gateway_that_takes_no_batches_gets_file_by_file(
    gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sync.batches._EXTRACT", {})
    monkeypatch.setattr("gateway.sync.transfer._BATCH_FILES", 20)
    source = grow(tmp_path / "source", **{f"f{number}": 10 for number in range(50)})
    assert done(source, ours, memory).transferred == 50
    assert len([request for request in requests if request.startswith("PUT")]) == 50 + 1 + 1, "a bucket and an archive"
    assert contents(gateway.client(), ours.bucket) == tree(source)


# ---------------------------------------------------------------- what is compared


def test_content_decides_where_nothing_is_remembered(ours: Bucket, source: Folder, tmp_path: Path) -> None:
    done(source, ours, tmp_path / "one.db")
    for path in source.path.rglob("*"):
        os.utime(path)
    assert done(source, ours, tmp_path / "two.db").unchanged == 5
    (source.path / "a").write_bytes(b"ONE")
    assert done(source, ours, tmp_path / "two.db").transferred == 1


def test_a_file_that_only_looks_unchanged_is_found_by_checksum(ours: Bucket, source: Folder, memory: Memory) -> None:
    done(source, ours, memory)
    path = source.path / "a"
    with path.open("r+b") as file:
        file.write(b"ONE")
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    assert done(source, ours, memory).transferred == 0
    assert done(source, ours, memory, comparison=Comparison.SIZE).transferred == 0
    assert done(source, ours, memory, comparison=Comparison.CHECKSUM).transferred == 1


def test_a_change_of_the_same_size_in_the_same_instant_is_found(ours: Bucket, memory: Memory, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", a=b"0")
    for content in (b"1", b"2", b"3", b"4"):
        (source.path / "a").write_bytes(content)
        assert done(source, ours, memory).transferred == 1


@pytest.mark.parametrize("part_size", [5 * MIB, 6 * MIB, 11 * MIB, 40 * MIB])
def test_objects_that_others_put_in_parts_are_recognised(
    gateway: Server, bucket: str, memory: Memory, tmp_path: Path, part_size: int
) -> None:
    source = grow(tmp_path / "source", large=12 * MIB + 1)
    client, data = gateway.client(), (source.path / "large").read_bytes()
    upload = client.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    parts = []
    for number, at in enumerate(range(0, len(data), part_size), start=1):
        body = data[at : at + part_size]
        part = client.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    client.complete_multipart_upload(Bucket=bucket, Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    side = side_of(gateway, bucket)
    assert done(source, side, memory).unchanged == 1
    assert done(side, Folder(tmp_path / "copy"), memory).transferred == 1
    assert tree(tmp_path / "copy") == tree(source)
    with (tmp_path / "copy" / "large").open("r+b") as file:
        file.write(b"changed")
    assert done(side, Folder(tmp_path / "copy"), memory).transferred == 1


# ---------------------------------------------------------------- what takes part


def test_a_dry_run_only_tells(gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", a=b"a", b=b"bb")
    seen = Seen()
    outcome = sync(source, ours, memory, seen, dry_run=True)
    assert (outcome.state, outcome.transferred) == (State.DONE, 0)
    assert seen.plans == [Plan([Action(ActionKind.ADD, "a", 1), Action(ActionKind.ADD, "b", 2)])]
    assert ours.bucket not in {found["Name"] for found in gateway.client().list_buckets()["Buckets"]}
    sync(source, Folder(tmp_path / "nowhere"), memory, dry_run=True)
    assert not (tmp_path / "nowhere").exists()


def test_what_filters_exclude_is_neither_sent_nor_deleted(
    gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path
) -> None:
    source = grow(tmp_path / "source", keep__a=b"a", keep__b_tmp=b"b", drop__c=b"c")
    client = gateway.client()
    client.create_bucket(Bucket=ours.bucket)
    for key in ("drop/old", "keep/old", "x_tmp"):
        client.put_object(Bucket=ours.bucket, Key=key, Body=b"")
    filters = [Filter("drop/*", False), Filter("*_tmp", False), Filter("keep/b*", True)]
    outcome = done(source, ours, memory, delete=True, filters=filters)
    assert (outcome.transferred, outcome.deleted) == (2, 1)
    assert set(keys(client, ours.bucket)) == {"keep/a", "keep/b_tmp", "drop/old", "x_tmp"}


def test_more_deletions_than_allowed_are_refused_before_anything_is_done(
    gateway: Server, ours: Bucket, source: Folder, memory: Memory
) -> None:
    done(source, ours, memory)
    for name in ("a", "empty"):
        (source.path / name).unlink()
    grow(source.path, new=b"new")
    refused = sync(source, ours, memory, delete=True, max_delete=1)
    assert refused.state is State.REFUSED
    assert "2 files would be deleted" in refused.reason
    assert len(commits(gateway, ours.bucket)) == 1
    assert done(source, ours, memory, delete=True, max_delete=2).deleted == 2


def test_many_deletions_take_few_requests(gateway: Server, ours: Bucket, memory: Memory, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", a=b"a")
    client = gateway.client()
    client.create_bucket(Bucket=ours.bucket)
    for number in range(1, 31):
        client.put_object(Bucket=ours.bucket, Key=f"k{number}\x01&<", Body=b"")
    assert done(source, ours, memory, delete=True).deleted == 30
    assert set(keys(client, ours.bucket)) == {"a"}


# ---------------------------------------------------------------- what cannot begin


def test_what_cannot_begin_says_why(
    gateway: Server, ours: Bucket, source: Folder, memory: Memory, tmp_path: Path
) -> None:
    def why(one: Any, other: Any) -> str:
        with pytest.raises(SyncError) as caught:
            sync(one, other, memory)
        return str(caught.value)

    nobody = replace(ours, reach=replace(ours.reach, credentials=Credentials("nobody", "x")))
    assert "No such file" in why(Folder(tmp_path / "absent"), ours)
    assert "Not a directory" in why(Folder(source.path / "a"), ours)
    assert "NoSuchBucket" in why(ours, Folder(tmp_path / "down"))
    assert "InvalidAccessKeyId" in why(source, nobody)
    assert "InvalidAccessKeyId" in why(nobody, source)
    assert "InvalidAccessKeyId" in why(replace(nobody, is_ours=False), source)
    assert "can be no bucket's name" in why(source, replace(ours, bucket="A B"))
    assert "same" in why(source, source)
    assert "same" in why(source, Folder(source.path / "deep"))
    assert "same" in why(ours, ours)
    done(source, ours, memory)
    assert "same" in why(ours, replace(ours, bucket=f"main.{ours.bucket}", prefix="deep/"))


def test_an_endpoint_that_was_never_there_is_soon_told(
    ours: Bucket, source: Folder, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sync.control._FIRST_PATIENCE_S", 0.5)
    nowhere = replace(ours, reach=replace(ours.reach, endpoint="http://127.0.0.1:1"))
    with pytest.raises(SyncError, match="no gateway answers at"):
        sync(source, nowhere, memory)


def test_a_protected_branch_refuses(gateway: Server, ours: Bucket, source: Folder, memory: Memory) -> None:
    gateway.client().create_bucket(Bucket=ours.bucket)
    api = gateway.api()
    api.call("protect", repo=ours.bucket, pattern="main")
    refused = sync(source, ours, memory)
    assert refused.state is State.REFUSED
    assert "protected" in refused.reason


def test_somebody_elses_bucket_refuses(
    shared_gateway: Server, ann: Any, memory: Memory, source: Folder, name: str
) -> None:
    ann.call("create_repo", name=name)
    side = side_of(shared_gateway, name)
    as_ben = replace(side, reach=replace(side.reach, credentials=Credentials("ben-key", "ben-secret")))
    refused = sync(source, as_ben, memory)
    assert refused.state is State.REFUSED
    assert "BucketAlreadyExists" in refused.reason


def test_who_may_only_read_objects_can_sync_them(
    shared_gateway: Server, ann: Any, memory: Memory, tmp_path: Path, name: str
) -> None:
    ann.call("create_repo", name=name)
    client = shared_gateway.client(access_key="ann-key", secret_key="ann-secret")
    client.put_bucket_acl(Bucket=name, ACL="authenticated-read")
    client.put_object(Bucket=name, Key="a", Body=b"a", ACL="authenticated-read")
    client.put_object(Bucket=name, Key="b", Body=b"b")
    side = side_of(shared_gateway, name)
    as_ben = replace(side, reach=replace(side.reach, credentials=Credentials("ben-key", "ben-secret")))
    outcome = sync(as_ben, Folder(tmp_path / "down"), memory)
    assert outcome.state is State.FAILED
    assert [(failure.path, failure.reason.split(":")[0]) for failure in outcome.failures] == [("b", "AccessDenied")]
    assert tree(tmp_path / "down") == {"a": b"a"}


def test_connections_go_to_the_address_that_was_chosen(
    tls_gateway: Server, source: Folder, memory: Memory, name: str
) -> None:
    """Whatever the name means; certificate and signature are still the name's."""
    assert tls_gateway.certificate is not None
    side = side_of(tls_gateway, name, url=f"https://localhost:{tls_gateway.port}")
    side = replace(side, reach=replace(side.reach, ca_bundle=str(tls_gateway.certificate.path)), address="127.0.0.1")
    done(source, side, memory)
    other = replace(side, reach=replace(side.reach, endpoint=f"https://example.org:{tls_gateway.port}"))
    with pytest.raises(SyncError, match="doesn't match either of 'localhost'"):
        sync(source, other, memory)
