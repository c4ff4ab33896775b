"""A disk that is full while a sync writes to it: told at once, nothing half visible, and well again with room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sync import Folder, Memory, Options, State, synchronise
from tests.integration.server import Server
from tests.integration.syncing import commits, contents, done, grow, keys, side_of, sync, tree

from .disks import SIZE_MIB, fill

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [100_000, 30 * MIB], ids=["small files", "files in pieces"])
def test_a_folder_on_a_full_disk(disk: Path, tmp_path: Path, size: int) -> None:
    count = (SIZE_MIB + 40) * MIB // size
    files = {f"file{number:03}": os.urandom(1000) * (size // 1000) for number in range(count)}
    source = grow(tmp_path / "source", **files)
    memory, target = tmp_path / "sync.db", Folder(disk / "target")
    outcome = sync(source, target, memory, delete=True)
    assert outcome.state is State.FAILED
    assert outcome.reason == "No space left on device"
    assert {failure.reason for failure in outcome.failures} == {"No space left on device"}
    assert 0 < len(outcome.failures) <= 8, "it does not try them all"
    arrived = tree(target)
    assert arrived.items() <= tree(source).items(), "whole files only"
    for name in sorted(tree(source))[: count * 2 // 3]:
        (source.path / name).unlink()
        (target.path / name).unlink(missing_ok=True)
    done(source, target, memory, delete=True)
    assert tree(target) == tree(source)


@pytest.fixture
def server(disk: Path, tmp_path: Path) -> Iterator[Server]:
    (disk / "data").mkdir()
    (tmp_path / "data").symlink_to(disk / "data")  # the log stays outside the small disk
    server = Server(tmp_path / "data", workers=1)
    server.start()
    try:
        yield server
    finally:
        if server.is_running:
            server.kill()


def test_a_gateway_on_a_full_disk(server: Server, disk: Path, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", **{f"file{number:03}": 1_000_000 for number in range(10)})
    server.client().create_bucket(Bucket="full")
    ballast = fill(disk)
    with Memory.open(tmp_path / "sync.db") as memory:
        outcome = synchronise(source, side_of(server, "full"), Options(), memory)
        assert outcome.state is State.FAILED
        assert "InsufficientStorage" in outcome.reason
        ballast.unlink()
        assert keys(server.client(), "full") == {}
        done(source, side_of(server, "full"), memory)
    assert contents(server.client(), "full") == tree(source)
    assert commits(server, "full") == ["sync"]
