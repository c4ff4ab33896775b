"""What holds of blobs on a disk beyond the contract: temporary files, crashes, full disks."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3

from pfs import Digest, StoreFull
from pfs.blobs.base import BlobStore
from pfs.blobs.local import LocalBlobs
from pfs.blobs.remote import RemoteBlobs

DATA = b"data" * 1000
DIGEST = Digest(blake3(DATA).digest())


def temporary(root: Path) -> list[Path]:
    return sorted((root / "tmp").iterdir())


def test_the_layout_on_disk(tmp_path: Path) -> None:
    writer = LocalBlobs(tmp_path).create()
    writer.write(DATA)
    (path,) = temporary(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    writer.commit(DIGEST)
    name = DIGEST.hex()
    assert (tmp_path / "blobs" / name[:2] / name[2:4] / name).read_bytes() == DATA
    assert temporary(tmp_path) == []


def test_opening_sweeps_what_a_dead_writer_left_and_spares_a_live_ones(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    live = blobs.create()
    live.write(DATA[:100])
    abandon = (
        "import os, sys; from pathlib import Path; from pfs.blobs.local import LocalBlobs;"
        "writer = LocalBlobs(Path(sys.argv[1])).create(); writer.write(b'half'); os._exit(9)"
    )
    died = subprocess.run([sys.executable, "-c", abandon, str(tmp_path)], check=False)
    assert died.returncode == 9
    assert len(temporary(tmp_path)) == 2
    again = LocalBlobs(tmp_path)
    assert len(temporary(tmp_path)) == 1
    live.write(DATA[100:])
    live.commit(DIGEST)
    assert again.read(DIGEST, 0, len(DATA)) == DATA
    assert temporary(tmp_path) == []


def test_a_sweep_between_a_files_creation_and_its_lock_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = LocalBlobs(tmp_path)
    lock = fcntl.flock
    swept: list[bool] = []

    def sweep_first(fd: int, operation: int) -> None:
        if not swept:
            swept.append(True)
            LocalBlobs(tmp_path)
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    writer = blobs.create()
    writer.write(DATA)
    writer.commit(DIGEST)
    assert blobs.read(DIGEST, 0, len(DATA)) == DATA


def test_every_step_of_a_commit_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File before the rename; its folder, and each folder made for it, after."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def record_fsync(fd: int) -> None:
        steps.append(str(Path(os.readlink(f"/proc/self/fd/{fd}")).relative_to(tmp_path)))
        fsync(fd)

    def record_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    blobs = LocalBlobs(tmp_path)
    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "rename", record_rename)
    writer = blobs.create()
    writer.write(DATA)
    name = temporary(tmp_path)[0].name
    writer.commit(DIGEST)
    outer, inner = DIGEST.hex()[:2], DIGEST.hex()[2:4]
    assert steps == [f"tmp/{name}", "blobs", f"blobs/{outer}", "rename", f"blobs/{outer}/{inner}"]


def test_a_folder_that_another_process_just_made_is_synced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That process may not have come to it yet, and this commit must be durable now."""
    first, second = LocalBlobs(tmp_path), LocalBlobs(tmp_path)
    synced: list[str] = []

    def record(folder: Path) -> None:
        synced.append(str(folder.relative_to(tmp_path)))

    monkeypatch.setattr("pfs.blobs.local.sync_folder", record)
    outer, inner = DIGEST.hex()[:2], DIGEST.hex()[2:4]
    for blobs in (first, second, second):
        writer = blobs.create()
        writer.write(DATA)
        writer.commit(DIGEST)
    once = ["blobs", f"blobs/{outer}", f"blobs/{outer}/{inner}"]
    assert synced == [*once, *once, once[-1]]


def no_room(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    blobs = LocalBlobs(tmp_path)
    monkeypatch.setattr(os, call, no_room)
    with pytest.raises(StoreFull):
        write(blobs)
    monkeypatch.undo()
    assert temporary(tmp_path) == []
    assert list(blobs.digests()) == []
    write(blobs)


def write(blobs: BlobStore) -> None:
    writer = blobs.create()
    try:
        writer.write(DATA)
        writer.commit(DIGEST)
    finally:
        writer.abort()


def test_another_failure_of_the_disk_is_not_taken_for_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    blobs = LocalBlobs(tmp_path)
    monkeypatch.setattr(os, "write", broken)
    with pytest.raises(OSError, match="Input/output"):
        write(blobs)


def test_a_full_spool_of_a_remote_store_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bucket").mkdir()
    blobs = RemoteBlobs(f"file://{tmp_path}/bucket", tmp_path)
    monkeypatch.setattr(os, "write", no_room)
    with pytest.raises(StoreFull):
        write(blobs)
    assert list(blobs.digests()) == []
