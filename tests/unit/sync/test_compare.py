"""Whether contents are the same, where an ETag tells and where it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client import Credentials, Reach
from gateway.sync import Bucket, Comparison, Folder, Memory
from gateway.sync.compare import Comparer
from gateway.sync.control import Control
from gateway.sync.etags import FOREIGN, OURS, etag_of
from gateway.sync.folder import FolderDestination, FolderSource
from gateway.sync.local import look_again
from gateway.sync.manifest import Item
from gateway.sync.objects import Objects
from gateway.sync.progress import Tracker
from gateway.sync.remote import BucketDestination, BucketSource

CONTENT = b"content"
OPAQUE = "0123-opaque"
MTIME_NS = 1_700_000_000_123_456_789
SECOND_NS = 1_000_000_000


class Sides:
    """A folder with one file, and a bucket that nothing is asked of."""

    def __init__(self, folder: Path, memory: Memory) -> None:
        folder.mkdir()
        (folder / "a").write_bytes(CONTENT)
        os.utime(folder / "a", ns=(MTIME_NS, MTIME_NS))
        self.memory, self.control, self.tracker = memory, Control(lambda: False), Tracker(None)
        self.folder = Folder(folder)
        reach = Reach("http://127.0.0.1:1", Credentials("key", "secret"))
        self.bucket = Bucket(reach, "b", is_ours=False)
        self.objects = Objects(reach.connect(), "b", self.control, signs=True)

    @property
    def file(self) -> Item:
        [item] = self.memory.recalled(self.source.name, iter([look_again(self.folder, "a")]), lambda path: True)
        return item

    @property
    def source(self) -> FolderSource:
        return FolderSource(self.folder, self.memory, self.tracker)

    def up(self, comparison: Comparison = Comparison.QUICK) -> Comparer:
        destination = BucketDestination(self.bucket, self.objects, self.memory, "pair", None)
        return Comparer(self.source, destination, comparison, self.memory, self.control)

    def down(self, comparison: Comparison = Comparison.QUICK) -> Comparer:
        destination = FolderDestination(self.folder, self.memory, self.tracker, self.control)
        source = BucketSource(self.bucket, self.objects)
        return Comparer(source, destination, comparison, self.memory, self.control)

    def across(self, comparison: Comparison = Comparison.QUICK) -> Comparer:
        destination = BucketDestination(self.bucket, self.objects, self.memory, "pair", None)
        return Comparer(BucketSource(self.bucket, self.objects), destination, comparison, self.memory, self.control)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Sides]:
    with Memory.open(tmp_path / "sync.db") as memory:
        yield Sides(tmp_path / "folder", memory)


def stored(etag: str, mtime_ns: int = 0) -> Item:
    return Item("a", len(CONTENT), mtime_ns, etags=(etag,))


@pytest.mark.parametrize("comparison", [Comparison.QUICK, Comparison.CHECKSUM])
@pytest.mark.parametrize("form", [OURS, FOREIGN], ids=["ours", "foreign"])
def test_content_tells_whatever_the_times_are(sides: Sides, form: object, comparison: Comparison) -> None:
    assert form in (OURS, FOREIGN)
    same, other = (etag_of(data, OURS if form == OURS else FOREIGN) for data in (CONTENT, b"another"))
    for _ in range(2):  # by what is computed, then by what is remembered
        assert sides.up(comparison).is_same(sides.file, stored(same))
        assert not sides.up(comparison).is_same(sides.file, stored(other, MTIME_NS + SECOND_NS))
        assert sides.down(comparison).is_same(stored(same, MTIME_NS + SECOND_NS), sides.file)
        assert not sides.down(comparison).is_same(stored(other), sides.file)
        sides.memory.flush()


def test_what_is_remembered_is_not_read_again(sides: Sides) -> None:
    item, same = sides.file, etag_of(CONTENT, OURS)
    sides.memory.learn(sides.source.name, item, same, MTIME_NS + SECOND_NS)
    sides.memory.flush()
    known = sides.file
    (sides.folder.path / "a").unlink()
    assert sides.up().is_same(known, stored(same))
    assert not sides.up().is_same(known, stored(etag_of(b"another", OURS)))
    assert not sides.up(Comparison.CHECKSUM).is_same(known, stored(same)), "it cannot be read: the transfer tells"


@pytest.mark.parametrize(
    ("later_s", "is_same_up", "is_same_down"), [(-1, False, True), (0, True, True), (1, True, False)]
)
def test_where_an_etag_tells_nothing_times_do(sides: Sides, later_s: int, is_same_up: bool, is_same_down: bool) -> None:
    found = stored(OPAQUE, MTIME_NS + later_s * SECOND_NS)
    assert sides.up().is_same(sides.file, found) is is_same_up
    assert sides.down().is_same(found, sides.file) is is_same_down
    assert not sides.up(Comparison.CHECKSUM).is_same(sides.file, found)
    sides.memory.learn(sides.source.name, sides.file, OPAQUE, MTIME_NS + SECOND_NS)
    sides.memory.flush()
    assert sides.up().is_same(sides.file, found), "it is the object that this file went to"


@pytest.mark.parametrize(
    ("one", "other", "is_comparable"),
    [
        (etag_of(b"1", OURS), etag_of(b"2", OURS), True),
        (etag_of(b"1", FOREIGN), etag_of(b"2", FOREIGN), True),
        (etag_of(b"1", OURS), etag_of(b"1", FOREIGN), False),
        (OPAQUE, etag_of(b"1", OURS), False),
        (f"{'0' * 32}-2", f"{'1' * 32}-2", False),
    ],
)
def test_between_buckets(sides: Sides, one: str, other: str, is_comparable: bool) -> None:
    assert sides.across(Comparison.CHECKSUM).is_same(stored(one, 9), stored(one, 1))
    for comparison in (Comparison.QUICK, Comparison.CHECKSUM):
        newer, older = stored(one, 9), stored(one, 1)
        assert not sides.across(comparison).is_same(newer, stored(other, 5))
        expected = comparison is Comparison.QUICK and not is_comparable
        assert sides.across(comparison).is_same(older, stored(other, 5)) is expected
    assert sides.across(Comparison.SIZE).is_same(stored(one, 9), stored(other, 5))
