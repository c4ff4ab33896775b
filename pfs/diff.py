"""What two commits' trees do not hold alike.

A tree can only differ from another at keys that were written since the two lines of first parents
parted (a merge commit writes what it takes over). Those keys are a few ranges of an index, so that a diff costs
as much as was written on both sides since then, however large the trees are; each is then looked up at both ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from pfs.meta import entries
from pfs.meta.database import Connection
from pfs.model import Commit, Delete, Difference, Differences, Entry, Put
from pfs.timelines import Timelines


class Tree:
    """A commit's tree, for looking up single keys."""

    def __init__(self, conn: Connection, timelines: Timelines, commit: Commit) -> None:
        self._conn = conn
        self._levels = timelines.levels(conn, commit.timeline_id, commit.seq, live=False)

    def entry(self, key: bytes) -> Entry | None:
        """None where the key is absent or deleted."""
        for level in self._levels:
            found = entries.live(self._conn, level, key)
            if found is not None:
                return None if found.is_marker else found
        return None


def alike(one: Entry | None, other: Entry | None) -> bool:
    """Whether both are absent, or would be served alike: content, attributes and checksums."""
    return _substance(one) == _substance(other)


def _substance(entry: Entry | None) -> tuple[object, ...] | None:
    if entry is None:
        return None
    return entry.digest, entry.layout, entry.size, entry.etag, entry.attrs, entry.checksums


def change_to(key: str, entry: Entry | None) -> Put | Delete:
    """What makes a key hold `entry`, or nothing; a version's settings come along."""
    if entry is None:
        return Delete(key)
    return Put(key, entry.content, entry.attrs, entry.checksums, settings=entry.settings)


def changed_keys(conn: Connection, timelines: Timelines, one: Commit, other: Commit) -> set[bytes]:
    """All keys at which the two trees may differ."""
    keys: set[bytes] = set()
    for line_id, above, upto in _since_parted(conn, timelines, one, other):
        keys |= entries.keys_changed(conn, line_id, above, upto)
    return keys


def diff(
    conn: Connection,
    timelines: Timelines,
    before: Commit,
    after: Commit,
    *,
    prefix: str = "",
    behind: str = "",
    limit: int,
) -> Differences:
    """Up to `limit` differences of keys with the prefix, those behind the key `behind`."""
    start, marker = prefix.encode(), behind.encode()
    keys = (key for key in changed_keys(conn, timelines, before, after) if key.startswith(start) and key > marker)
    found: list[Difference] = []
    for difference in compare(Tree(conn, timelines, before), Tree(conn, timelines, after), sorted(keys)):
        if len(found) == limit:
            return Differences(found, found[-1].key if found else behind)
        found.append(difference)
    return Differences(found, None)


def compare(before: Tree, after: Tree, keys: Sequence[bytes]) -> Iterator[Difference]:
    """Those of the keys that the trees do not hold alike, in the order given."""
    for key in keys:
        old, new = before.entry(key), after.entry(key)
        if not alike(old, new):
            yield Difference(key.decode(), old, new)


def _since_parted(conn: Connection, timelines: Timelines, one: Commit, other: Commit) -> Iterator[tuple[int, int, int]]:
    """(timeline, above, upto) of what either line of first parents has and the other has not."""
    line, other_line = _lineage(conn, timelines, one), _lineage(conn, timelines, other)
    shared = next(timeline_id for timeline_id in line if timeline_id in other_line)
    parted = min(line[shared][1], other_line[shared][1])
    for lineage in (line, other_line):
        for timeline_id in takewhile(lambda timeline_id: timeline_id != shared, lineage):
            yield timeline_id, *lineage[timeline_id]
        yield shared, parted, lineage[shared][1]


def _lineage(conn: Connection, timelines: Timelines, commit: Commit) -> Mapping[int, tuple[int, int]]:
    """Timeline → (above, upto) of its commits among the commit's first-parent ancestors, the nearest first."""
    return {line.id: (line.fork_seq, upto) for line, upto in timelines.lineage(conn, commit.timeline_id, commit.seq)}
