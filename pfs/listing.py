"""Pages of keys and of versions: prefix, delimiter, continuation.

A page is read as one ordered scan over the view's levels. Behind each common prefix the scan seeks
past everything below it, so that a page costs O(its rows and prefixes), not O(keys). A page of chosen
entries (`Keep`) also costs all that it passes by.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from pfs.meta import entries
from pfs.meta.database import Connection
from pfs.model import MARKER, CommitId, Entry, Keep, Level, Listing, VersionListing, View
from pfs.timelines import Timelines

_SMALL_BATCH, _LARGE_BATCH = 32, 128
_COUNTED = 10_000  # rows that a count reads at a time, at most
_key = attrgetter("key")  # which sorts as its UTF-8 bytes do


def successor(prefix: bytes) -> bytes:
    """The least byte string behind all that begin with `prefix`, which is UTF-8 and not empty."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))  # UTF-8 has no byte 0xff


def list_keys(
    conn: Connection, view: View, prefix: str, delimiter: str, after: str, limit: int, keep: Keep | None = None
) -> Listing:
    """Up to `limit` entries and common prefixes behind `after` (a key or a prefix of an earlier page)."""
    if limit == 0:
        return Listing((), (), None)
    first = _first(prefix, delimiter, after)
    end = successor(prefix.encode()) if prefix else None
    levels = [_keys_of(conn, level, end, keep is not None) for level in view.levels]
    scan = _Scan(levels, (first, None), limit + 1, folds=bool(delimiter))
    fold = _Folded(prefix, delimiter)
    found: list[Entry] = []
    for entry in scan.visible():
        if keep is not None and not keep(entry):
            continue
        folded = fold.prefix_of(entry.key)
        if len(found) + len(fold.prefixes) == limit:
            return Listing(found, fold.prefixes, fold.last)
        if folded is None:
            found.append(entry)
            fold.last = entry.key
        else:
            fold.add(folded)
            scan.pass_over(folded)
    return Listing(found, fold.prefixes, None)


def visible_after(conn: Connection, levels: Sequence[Level], first: bytes, limit: int) -> Sequence[Entry]:
    """Up to `limit` visible entries of these levels from key `first` on."""
    scan = _Scan([_keys_of(conn, level, None) for level in levels], (first, None), limit, folds=False)
    return list(itertools.islice(scan.visible(), limit))


def count_visible(conn: Connection, levels: Sequence[Level]) -> tuple[int, int]:
    """How many keys a head's levels show, and their bytes."""
    if len(levels) == 1:
        return entries.sum_live(conn, levels[0].timeline_id)
    scan = _Scan([_keys_of(conn, level, None) for level in levels], (b"", None), _COUNTED, folds=False)
    sizes = [entry.size for entry in scan.visible()]
    return len(sizes), sum(sizes)


def list_versions(
    conn: Connection,
    timelines: Timelines,
    view: View,
    prefix: str,
    delimiter: str,
    after: tuple[str, int | None],
    limit: int,
    keep: Keep | None = None,
) -> VersionListing:
    """Up to `limit` versions and common prefixes: by key, newest first.

    `after` is (key, seq): what follows that version of the key; with None as seq what follows the
    key, or the common prefix, altogether. The latest version is so also where it is not chosen.
    """
    if limit == 0:
        return VersionListing((), (), None)
    after_key, after_seq = after
    start: _Position = (_first(prefix, delimiter, after_key), None)
    if after_seq is not None and after_key.startswith(prefix):
        start = (after_key.encode(), after_seq)
    end = successor(prefix.encode()) if prefix else None
    told = keep is not None
    levels = [_versions_of(conn, level, above, end, told) for level, above in _version_levels(conn, timelines, view)]
    scan = _Scan(levels, start, limit + 1, folds=bool(delimiter))
    fold = _Folded(prefix, delimiter)
    found: list[tuple[Entry, bool]] = []
    newest = after_key if after_seq is not None else None
    for entry in scan.all():
        is_latest, newest = entry.key != newest, entry.key
        if keep is not None and not keep(entry):
            continue
        folded = fold.prefix_of(entry.key)
        if len(found) + len(fold.prefixes) == limit:
            return VersionListing(found, fold.prefixes, _last(found, fold))
        if folded is None:
            found.append((entry, is_latest))
            fold.last = entry.key
        else:
            fold.add(folded)
            scan.pass_over(folded)
    return VersionListing(found, fold.prefixes, None)


def _last(found: Sequence[tuple[Entry, bool]], fold: _Folded) -> tuple[str, CommitId | None]:
    if found and found[-1][0].key == fold.last:
        return fold.last, found[-1][0].commit_id
    return fold.last, None


def _first(prefix: str, delimiter: str, after: str) -> bytes:
    """The least key that can follow `after` and has the prefix."""
    start = after.encode()
    if not start:
        return prefix.encode()
    is_folded = bool(delimiter) and _Folded(prefix, delimiter).prefix_of(after) == after
    return max(prefix.encode(), successor(start) if is_folded else start + b"\0")


class _Folded:
    """Common prefixes of a page. `last` is the last name, key or prefix, that the page holds."""

    def __init__(self, prefix: str, delimiter: str) -> None:
        self._prefix, self._delimiter = prefix, delimiter
        self.prefixes: list[str] = []
        self.last = ""

    def prefix_of(self, key: str) -> str | None:
        if not self._delimiter or not key.startswith(self._prefix):
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def add(self, folded: str) -> None:
        self.prefixes.append(folded)
        self.last = folded


_Position = tuple[bytes, int | None]
"""Where a scan goes on: from a key on, or behind that version of it."""

_Fetch = Callable[[bytes, int | None, int], Sequence[Entry]]


def _keys_of(conn: Connection, level: Level, end: bytes | None, told: bool = False) -> _Fetch:
    def fetch(key: bytes, before: int | None, size: int) -> Sequence[Entry]:
        first = key if before is None else key + b"\0"
        return entries.page(conn, level, first, end, size, told=told)

    return fetch


def _versions_of(conn: Connection, level: Level, above: int, end: bytes | None, told: bool) -> _Fetch:
    def fetch(key: bytes, before: int | None, size: int) -> Sequence[Entry]:
        if before is None:
            return entries.versions(conn, level, above, key, end, size, told=told)
        upto = Level(level.timeline_id, min(level.seq, before - 1))
        rest = list(entries.versions_of_key(conn, upto, above, key, size, told=told))
        if len(rest) < size:
            rest += entries.versions(conn, level, above, key + b"\0", end, size - len(rest), told=told)
        return rest

    return fetch


def _version_levels(conn: Connection, timelines: Timelines, view: View) -> Iterator[tuple[Level, int]]:
    """All timelines behind the view with (level, above): own versions have above < seq ≤ level.seq."""
    if view.commit is None:
        timeline_id, seq = view.branch.timeline_id, view.branch.head_seq
    else:
        timeline_id, seq = view.commit.timeline_id, view.commit.seq
    for line, upto in timelines.lineage(conn, timeline_id, seq):
        if upto > line.fork_seq:
            yield Level(line.id, upto), line.fork_seq


class _Scan:
    """Several levels' rows merged: by key, newest first. They are read in batches that grow.

    `page` is how many rows the page can hold; `fetches` are the levels', the nearest to the head first.
    """

    def __init__(self, fetches: Sequence[_Fetch], start: _Position, page: int, *, folds: bool) -> None:
        self._fetches, self._start, self._page, self._folds = fetches, start, page, folds
        self._first_size = page if len(fetches) == 1 and not folds else min(page, _SMALL_BATCH)
        self._passed: str | tuple[()] = ()  # no key begins with one of none

    def pass_over(self, prefix: str) -> None:
        """Leaves out what follows of the keys with this prefix, which the last row had."""
        self._passed = prefix

    def all(self) -> Iterator[Entry]:
        """Every row that is not passed over."""
        levels = [self._rows(fetch) for fetch in self._fetches]
        # of one key's rows, those of the level nearer to the head come first: they are newer
        rows = levels[0] if len(levels) == 1 else heapq.merge(*levels, key=_key)
        return (row for row in rows if not row.key.startswith(self._passed)) if self._folds else rows

    def visible(self) -> Iterator[Entry]:
        """For each key the row of the nearest level, where that is no marker."""
        decided = None
        for entry in self.all():
            if entry.key != decided:
                decided = entry.key
                if entry.kind != MARKER:
                    yield entry

    def _rows(self, fetch: _Fetch) -> Iterator[Entry]:
        position, size, left = self._start, self._first_size, self._page
        while True:
            batch = fetch(*position, size)
            yield from batch
            if len(batch) < size:
                return
            left -= size
            last = batch[-1]
            if last.key.startswith(self._passed):
                assert isinstance(self._passed, str)
                position, size = (successor(self._passed.encode()), None), min(self._page, _SMALL_BATCH)
            else:
                position, size = (last.key.encode(), last.seq), min(4 * size, max(left, _LARGE_BATCH))
