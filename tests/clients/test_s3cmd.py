"""s3cmd, which takes an ETag without a hyphen for an MD5 and checks every transfer against it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.sts.operations import Issued
from tests.clients.client import Command
from tests.clients.s3cmd import S3CMD, s3cmd_for
from tests.integration.server import Server

CLIENT = S3CMD
MIB = 1024 * 1024
LARGE = os.urandom(12 * MIB + 5)

pytestmark = pytest.mark.quick


@pytest.fixture
def s3cmd(client: Path, server: Server, tmp_path: Path) -> Command:
    return s3cmd_for(client, server, tmp_path)


def test_put_get_and_what_it_tells(s3cmd: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    assert "ERROR" not in s3cmd("put", tmp_path / "f", f"s3://{bucket}/dir/a +ü")
    assert "s3cmd-attrs" in s3.head_object(Bucket=bucket, Key="dir/a +ü")["Metadata"]
    s3cmd("get", f"s3://{bucket}/dir/a +ü", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"content"
    assert f"s3://{bucket}/dir/a +ü" in s3cmd("ls", "--recursive", f"s3://{bucket}")
    told = s3cmd("info", f"s3://{bucket}/dir/a +ü")
    assert "File size: 7" in told
    assert "FULL_CONTROL" in told


def test_with_a_session(client: Path, server: Server, session: Issued, tmp_path: Path) -> None:
    s3cmd = s3cmd_for(
        *(client, server, tmp_path),
        access_key=session.access_key,
        secret_key=session.secret,
        access_token=session.token,
    )
    (tmp_path / "f").write_bytes(b"content")
    s3cmd("mb", "s3://by-session")
    s3cmd("put", tmp_path / "f", "s3://by-session/f")
    s3cmd("get", "s3://by-session/f", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"content"


def test_cp_mv_and_del(s3cmd: Command, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"v")
    s3cmd("cp", f"s3://{bucket}/a", f"s3://{bucket}/b")
    s3cmd("mv", f"s3://{bucket}/a", f"s3://{bucket}/c")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b", "c"]
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_multipart_put_and_its_get(s3cmd: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    s3cmd("put", tmp_path / "large", f"s3://{bucket}/large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    s3cmd("get", f"s3://{bucket}/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == LARGE


def test_an_upload_that_broke_off_is_resumed(s3cmd: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    upload = {"Bucket": bucket, "Key": "large"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    s3.upload_part(**upload, PartNumber=1, Body=LARGE[: 5 * MIB])
    assert upload["UploadId"] in s3cmd("multipart", f"s3://{bucket}")
    assert "\t1\t" in s3cmd("listmp", f"s3://{bucket}/large", upload["UploadId"])
    s3cmd("put", "--upload-id", upload["UploadId"], tmp_path / "large", f"s3://{bucket}/large")
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == LARGE
    assert upload["UploadId"] not in s3cmd("multipart", f"s3://{bucket}")


def test_sync_sees_a_change_by_its_md5_alone(s3cmd: Command, s3: Any, bucket: str, tmp_path: Path) -> None:
    local, back = tmp_path / "local", tmp_path / "back"
    local.mkdir()
    back.mkdir()
    for name in ("a", "b"):
        (local / name).write_bytes(b"one")
    s3cmd("sync", f"{local}/", f"s3://{bucket}/tree/")
    commits = len(s3.list_object_versions(Bucket=bucket)["Versions"])
    s3cmd("sync", f"{local}/", f"s3://{bucket}/tree/")
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == commits
    (local / "a").write_bytes(b"two")
    s3cmd("sync", f"{local}/", f"s3://{bucket}/tree/")
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == commits + 1
    (local / "b").unlink()
    s3cmd("sync", "--delete-removed", f"{local}/", f"s3://{bucket}/tree/")
    s3cmd("sync", f"s3://{bucket}/tree/", f"{back}/")
    assert {path.name: path.read_bytes() for path in back.iterdir()} == {"a": b"two"}
