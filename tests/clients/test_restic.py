"""restic, as Debian packages it: its repository in a bucket, its whole content read and verified."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import Client, Command, environment
from tests.clients.install import Debian
from tests.integration.server import Server

CLIENT = Client(
    "restic",
    "backup twice, check --read-data, restore; restore from the past after forget --prune",
    Debian("restic", "0.14.0", "-1+b5"),
)


@pytest.fixture
def restic(client: Path, server: Server, tmp_path: Path) -> Command:
    trusted = ("--cacert", server.certificate.path) if server.certificate else ()
    settings = environment(server, tmp_path, RESTIC_PASSWORD="correct horse", RESTIC_CACHE_DIR=str(tmp_path / "cache"))
    return Command([client / "root/usr/bin/restic", *trusted], settings)


def test_backup_check_and_restore(restic: Command, server: Server, s3: Any, bucket: str, tmp_path: Path) -> None:
    at = ["--repo", f"s3:{server.url}/{bucket}/restic"]
    source = tmp_path / "source"
    source.mkdir()
    large = os.urandom(8 << 20)
    (source / "large").write_bytes(large)
    (source / "small").write_text("one")
    restic(*at, "init")
    restic(*at, "backup", source)
    (source / "small").write_text("two")
    restic(*at, "backup", source)
    assert "no errors were found" in restic(*at, "check", "--read-data")
    first, second = (found["id"] for found in json.loads(restic(*at, "snapshots", "--json")))
    restic(*at, "restore", first, "--target", tmp_path / "first")
    assert _restored(tmp_path / "first", source) == {"large": large, "small": b"one"}

    # What restic forgets, the branch still has.
    before = s3.list_object_versions(Bucket=bucket, MaxKeys=1000)
    newest = max(before["Versions"], key=lambda version: version["LastModified"])["VersionId"]
    restic(*at, "forget", "--prune", first)
    assert [found["id"] for found in json.loads(restic(*at, "snapshots", "--json"))] == [second]
    past = ["--repo", f"s3:{server.url}/{newest[:16]}.main.{bucket}/restic", "--no-lock", "--no-cache"]
    restic(*past, "restore", first, "--target", tmp_path / "again")
    assert _restored(tmp_path / "again", source) == {"large": large, "small": b"one"}


def _restored(target: Path, source: Path) -> dict[str, bytes]:
    folder = target / source.relative_to("/")
    return {path.name: path.read_bytes() for path in folder.iterdir()}
