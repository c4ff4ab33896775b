"""Where `caret sync` puts what it brings, beside the real s3cmd: the rule of the trailing slash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import Command
from tests.clients.s3cmd import S3CMD, s3cmd_for

from .carets import Caret
from .server import Server

TREE = ("d/e/deep", "d/f", "g")


@pytest.fixture
def s3cmd(gateway: Server, tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return s3cmd_for(S3CMD.installed(), gateway, home)


@pytest.fixture
def caret(gateway: Server, tmp_path: Path) -> Caret:
    return Caret(gateway, {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""}, cwd=tmp_path)


def planted(folder: Path) -> Path:
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def keys(s3: Any, bucket: str) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("source", "destination"),
    [("t", "p/"), ("t/", "p/"), ("t/d", ""), ("t/d/", ""), ("t/g", "p/"), ("t/g", "p/g"), ("t/d/f", "")],
)
def test_uploads_land_where_s3cmd_puts_them(
    caret: Caret, s3cmd: Command, s3: Any, name: str, source: str, destination: str, tmp_path: Path
) -> None:
    planted(tmp_path / "t")
    told = f"{tmp_path}/{source}"
    for bucket, sync in ((f"{name}-a", caret), (f"{name}-b", s3cmd)):
        s3.create_bucket(Bucket=bucket)
        sync("sync", told, f"s3://{bucket}/{destination}")
    assert keys(s3, f"{name}-a") == keys(s3, f"{name}-b") != []


@pytest.mark.parametrize("source", ["", "t", "t/", "t/d", "t/d/", "t/g"])
def test_downloads_land_where_s3cmd_puts_them(
    caret: Caret, s3cmd: Command, s3: Any, bucket: str, source: str, tmp_path: Path
) -> None:
    for key in TREE:
        s3.put_object(Bucket=bucket, Key=f"t/{key}", Body=b"v")
    for folder, sync in (("ours", caret), ("theirs", s3cmd)):
        (tmp_path / folder).mkdir()
        sync("sync", f"s3://{bucket}/{source}", f"{tmp_path / folder}/")
    assert files(tmp_path / "ours") == files(tmp_path / "theirs") != []
