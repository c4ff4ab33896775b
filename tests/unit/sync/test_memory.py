"""What is remembered from run to run, and that it is never in the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sync import Memory, default_memory_path
from gateway.sync.manifest import Item
from gateway.sync.memory import KeptUpload

MTIME_NS = 1_700_000_000_123_456_789
LATER_NS = MTIME_NS + 10**9
FILE = Item("a/b", 3, MTIME_NS, 77)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "sync.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with Memory.open(path) as opened:
        yield opened


def recalled(memory: Memory, *items: Item, side: str = "s") -> list[tuple[str, ...]]:
    return [item.etags for item in memory.recalled(side, iter(items), lambda path: True)]


def test_an_etag_is_remembered_from_run_to_run(path: Path) -> None:
    with Memory.open(path) as memory:
        memory.learn("s", FILE, "e", LATER_NS)
    with Memory.open(path) as memory:
        assert recalled(memory, FILE) == [("e",)]
        assert recalled(memory, FILE, side="another") == [()]


@pytest.mark.parametrize(
    "now",
    [
        Item("a/b", 4, MTIME_NS, 77),
        Item("a/b", 3, MTIME_NS + 1, 77),
        Item("a/b", 3, MTIME_NS, 78),
        Item("a/c", 3, MTIME_NS, 77),
    ],
    ids=["size", "mtime", "inode", "path"],
)
def test_another_file_is_not_taken_for_it(memory: Memory, now: Item) -> None:
    memory.learn("s", FILE, "e", LATER_NS)
    memory.flush()
    assert recalled(memory, now) == [()]


@pytest.mark.parametrize(
    ("mtime_ns", "looked_ns", "is_remembered"),
    [
        (MTIME_NS, MTIME_NS, False),
        (MTIME_NS, MTIME_NS + 1_000_000, False),
        (MTIME_NS, MTIME_NS + 100_000_000, True),
        (MTIME_NS, MTIME_NS - 10**9, False),
        (1_700_000_000_000_000_000, 1_700_000_001_000_000_000, False),
        (1_700_000_000_000_000_000, 1_700_000_003_000_000_000, True),
    ],
    ids=["at once", "1 ms", "100 ms", "from the future", "coarse, 1 s", "coarse, 3 s"],
)
def test_a_file_that_may_change_again_within_its_mtime_is_looked_at_again(
    memory: Memory, mtime_ns: int, looked_ns: int, is_remembered: bool
) -> None:
    file = Item("a", 1, mtime_ns, 5)
    memory.learn("s", file, "e", looked_ns)
    memory.flush()
    assert recalled(memory, file) == [("e",) if is_remembered else ()]


def test_several_etags_of_one_content_are_known(memory: Memory) -> None:
    memory.learn("s", FILE, "one", LATER_NS)
    memory.flush()
    [known] = memory.recalled("s", iter([FILE]), lambda path: True)
    memory.learn("s", known, "two", LATER_NS)
    memory.flush()
    assert recalled(memory, FILE) == [("two", "one")]


def test_what_is_gone_is_forgotten_unless_it_takes_no_part(memory: Memory) -> None:
    files = [Item(name, 1, MTIME_NS, 5) for name in ("a", "b", "c", "d")]
    for file in files:
        memory.learn("s", file, "e", LATER_NS)
    memory.flush()
    assert len(list(memory.recalled("s", iter([files[1]]), lambda path: path != "d"))) == 1
    assert recalled(memory, *files) == [(), ("e",), (), ("e",)]


def test_more_files_than_a_page_are_matched_in_order(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sync.memory._PAGE_ROWS", 7)
    names = sorted([f"{number:02}/ü" for number in range(50)] + ["a\U0001f600", "a\uffff"])
    files = [Item(name, 1, MTIME_NS, 5) for name in names]
    for file in files[::2]:
        memory.learn("s", file, file.path, LATER_NS)
    memory.flush()
    assert recalled(memory, *files) == [(file.path,) if n % 2 == 0 else () for n, file in enumerate(files)]


def test_what_is_under_way_is_known_until_it_is_forgotten(path: Path) -> None:
    kept = KeptUpload("stamp", "tx-1.photos", "id", 5)
    with Memory.open(path) as memory:
        memory.keep_transaction("pair", "photos", "tx-1")
        memory.keep_upload("pair", "big", kept)
        memory.keep_upload("pair", "bigger", kept)
    with Memory.open(path) as memory:
        assert memory.transaction("pair") == ("photos", "tx-1")
        assert memory.upload("pair", "big") == kept
        assert memory.transaction("other") is None
        assert memory.upload("other", "big") is None
        memory.forget_upload("pair", "big")
        assert memory.upload("pair", "big") is None
        memory.forget_transaction("pair")
        assert memory.transaction("pair") is None
        assert memory.upload("pair", "bigger") is None


def test_one_run_at_a_time_has_what_is_under_way(path: Path) -> None:
    with Memory.open(path) as one, Memory.open(path) as other, one.exclusively("pair") as has_it:
        assert has_it
        with other.exclusively("pair") as has_it_too:
            assert not has_it_too
        again = "from gateway.sync import Memory; from pathlib import Path; import sys\n"
        again += "with Memory.open(Path(sys.argv[1])).exclusively('pair') as free: sys.exit(free)"
        assert subprocess.run([sys.executable, "-c", again, path], check=False, timeout=30).returncode == 0
    with Memory.open(path) as later, later.exclusively("pair") as has_it:
        assert has_it


@pytest.mark.parametrize("kind", ["noise", "another program's", "another version's"])
def test_a_file_that_is_of_no_use_is_set_aside(path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    if kind == "noise":
        path.write_bytes(b"\x01" * 5000)
    else:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE theirs (x)")
            if kind == "another version's":
                other.execute("PRAGMA application_id = 1129468761")
                other.execute("PRAGMA user_version = 99")
        other.close()
    before = path.read_bytes()
    with Memory.open(path) as memory:
        memory.learn("s", FILE, "e", LATER_NS)
        memory.flush()
        assert recalled(memory, FILE) == [("e",)]
    assert path.with_name("sync.db.broken").read_bytes() == before
    assert "set aside" in caplog.text


def test_where_nothing_can_be_kept_a_sync_goes_on_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with Memory.open(tmp_path / "file" / "sync.db") as memory:
        memory.learn("s", FILE, "e", LATER_NS)
        memory.flush()
        assert recalled(memory, FILE) == [("e",)]
    assert "cannot be kept" in caplog.text


def test_a_file_that_breaks_later_is_told_and_not_in_the_way(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Memory.open(path) as memory:
        memory.learn("s", FILE, "e", LATER_NS)
        memory.flush()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 100_000)
    with Memory.open(path) as memory:
        assert recalled(memory, FILE) == [()]
        assert memory.transaction("pair") is None
    assert "cannot be" in caplog.text


def test_it_lies_where_caches_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_memory_path() == Path("/somewhere/caret/sync.db")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_memory_path() == Path("/home/ann/.cache/caret/sync.db")
