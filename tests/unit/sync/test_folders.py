"""Folders as sides: what is read of them, what is written to them, and what neither reads nor writes."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from gateway.sync import FailureKind, Folder, Memory, Options, Outcome, State, SyncError, synchronise
from gateway.sync.faults import FileFault
from gateway.sync.local import Scan, open_file
from gateway.sync.manifest import Item


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"a")
    (folder / "sub" / "b").write_bytes(b"b")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def sync(source: Path | Folder, target: Path | Folder, **options: object) -> Outcome:
    sides = [side if isinstance(side, Folder) else Folder(side) for side in (source, target)]
    with Memory.open(sides[0].path.parent / "sync.db") as memory:
        return synchronise(sides[0], sides[1], Options(**options), memory)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def scanned(folder: Folder, *, follow: bool = True) -> tuple[list[str], dict[str, str]]:
    failed: dict[str, str] = {}

    def fail(path: str, fault: FileFault) -> None:
        failed[path] = str(fault)

    return [item.path for item in Scan(folder, follow, fail).items()], failed


def reasons(outcome: Outcome) -> dict[str, str]:
    return {failure.path: failure.reason for failure in outcome.failures}


# ---------------------------------------------------------------- what is in it


def test_files_come_in_the_order_of_their_paths_bytes(source: Path) -> None:
    for name in ("sub.txt", "sub-1", "sub0", "ü", "\U0001f600", "\uffff", "B"):
        (source / name).write_bytes(b"")
    (source / "sub" / "d").mkdir()
    (source / "sub" / "d" / "e").write_bytes(b"")
    found, failed = scanned(Folder(source))
    assert found == sorted(names(source), key=lambda name: name.encode())
    assert not failed


def test_links_are_followed_and_loops_are_not(source: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c").write_bytes(b"c")
    (source / "linked").symlink_to(tmp_path / "outside")
    (source / "file").symlink_to(source / "a")
    (source / "sub" / "up").symlink_to("..")
    (source / "sub" / "self").symlink_to(".")
    (source / "nothing").symlink_to("absent")
    found, failed = scanned(Folder(source))
    assert found == ["a", "file", "linked/c", "sub/b"]
    assert failed == {"nothing": "it is a link that leads nowhere"}


def test_what_is_no_file_is_neither_read_nor_waited_for(source: Path) -> None:
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        assert scanned(Folder(source)) == (["a", "sub/b"], {})


def test_a_pipe_in_place_of_a_file_is_not_waited_for(source: Path) -> None:
    facts = (source / "a").stat()
    (source / "a").unlink()
    os.mkfifo(source / "a")
    with pytest.raises(FileFault, match="changed"):
        open_file(Folder(source), Item("a", facts.st_size, facts.st_mtime_ns, facts.st_ino))


def test_a_name_that_is_not_utf_8_fails_alone(source: Path, target: Path) -> None:
    with open(os.fsencode(source) + b"/\xff\xfe", "wb"):
        outcome = sync(source, target)
    assert outcome.state is State.FAILED
    assert reasons(outcome) == {"\\xff\\xfe": "its name is not UTF-8"}
    assert names(target) == ["a", "sub/b"]


def test_nothing_beyond_the_folder_that_may_be_read_is_read(source: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(b"secret")
    (source / "file").symlink_to(tmp_path / "secret" / "key")
    (source / "folder").symlink_to(tmp_path / "secret")
    (source / "inside").symlink_to(source / "a")
    (source / "sub" / "parent").symlink_to(source / "sub" / "b")
    outcome = sync(Folder(source, beneath=source), target)
    why = "it leads out of the folder that may be read"
    assert reasons(outcome) == {"file": why, "folder": why}
    assert names(target) == ["a", "inside", "sub/b", "sub/parent"]
    (tmp_path / "way-out").symlink_to(tmp_path / "secret")
    with pytest.raises(SyncError, match="leads out"):
        sync(Folder(tmp_path / "way-out", beneath=source), target)
    with pytest.raises(SyncError, match="leads out"):
        sync(source, Folder(tmp_path / "way-out", beneath=target))
    assert names(tmp_path / "secret") == ["key"]


def test_a_folder_swapped_for_a_link_after_it_was_listed_gains_nothing(source: Path, tmp_path: Path) -> None:
    [_, item] = Scan(Folder(source, beneath=source), True, lambda path, fault: None).items()
    outside = tmp_path / "secret"
    (source / "sub").rename(outside)
    (source / "sub").symlink_to(outside)
    with pytest.raises(FileFault, match="leads out"):
        open_file(Folder(source, beneath=source), item)


# ---------------------------------------------------------------- what is written


def test_what_lies_in_the_way_is_told(source: Path, target: Path) -> None:
    (target / "a").mkdir(parents=True)
    (target / "a" / "x").write_bytes(b"")
    (target / "sub").write_bytes(b"no folder")
    outcome = sync(source, target)
    assert outcome.state is State.FAILED
    assert reasons(outcome) == {"a": "there is a folder of that name", "sub/b": "sub is a file, no folder"}
    assert names(target) == ["a/x", "sub"], "and nothing temporary is left"


def test_links_are_replaced_and_never_written_through(source: Path, target: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"a")
    target.mkdir()
    (target / "a").symlink_to(outside / "a")
    (target / "sub").symlink_to(outside)
    outcome = sync(source, target, delete=True)
    assert reasons(outcome) == {"sub/b": "sub is a link, which is not written through"}
    assert (target / "a").read_bytes() == b"a"
    assert not (target / "a").is_symlink()
    assert names(outside) == ["a"]
    assert (target / "sub").is_symlink(), "nothing is deleted where something failed"


def test_what_the_source_has_not_is_deleted_with_its_empty_folders(source: Path, target: Path) -> None:
    (target / "deep" / "down").mkdir(parents=True)
    (target / "deep" / "down" / "x").write_bytes(b"")
    (target / "deep" / "empty").mkdir()
    (target / "gone").symlink_to("nowhere")
    (target / "sub").mkdir()
    (target / "sub" / "old").write_bytes(b"")
    outcome = sync(source, target, delete=True)
    assert (outcome.state, outcome.deleted) == (State.DONE, 3)
    assert names(target) == ["a", "sub/b"]
    assert not (target / "deep" / "down").exists()
    assert (target / "deep" / "empty").exists()


def test_what_a_killed_run_left_goes_and_what_another_writes_stays(source: Path, target: Path) -> None:
    (target / "sub").mkdir(parents=True)
    left, busy = target / "sub" / ".caret-sync-0123.part", target / ".caret-sync-4567.part"
    left.write_bytes(b"half a file")
    busy.write_bytes(b"half a file")
    (source / ".caret-sync-89.part").write_bytes(b"not to be copied")
    with busy.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sync(source, target).state is State.DONE
    assert names(target) == [".caret-sync-4567.part", "a", "sub/b"]
    assert sync(source, target).state is State.DONE
    assert names(target) == ["a", "sub/b"]


def test_an_unreadable_folder_deletes_nothing_of_what_it_had(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sync(source, target).state is State.DONE
    (source / "a").unlink()

    def refuse(path: str, *arguments: object, **named: object) -> int:
        if str(path).startswith(str(source / "sub")):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)  # type: ignore[arg-type]

    opened = os.open
    monkeypatch.setattr(os, "open", refuse)
    outcome = sync(source, target, delete=True)
    assert outcome.state is State.FAILED
    assert [(failure.path, failure.kind) for failure in outcome.failures] == [("sub", FailureKind.FAILED)]
    assert names(target) == ["a", "sub/b"]


def test_modes_follow_the_umask_and_times_the_source(source: Path, target: Path) -> None:
    before = os.umask(0o027)
    try:
        sync(source, target)
    finally:
        os.umask(before)
    assert (target / "a").stat().st_mode & 0o777 == 0o640
    assert (target / "a").stat().st_mtime_ns == (source / "a").stat().st_mtime_ns
