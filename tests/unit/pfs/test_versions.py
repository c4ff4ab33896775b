"""Pages of versions: every change of every key, across forks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pfs import CommitId, Delete, Entry, NoSuchCommit, Put, VersionListing, View, inline
from tests.stores import Checkout

Row = tuple[str, str, bool, bool]
"""Key, commit id, whether a marker, whether the latest; a common prefix is ("dir/", "", False, False)."""


def rows(page: VersionListing) -> list[Row]:
    found = [(entry.key, str(entry.commit_id), entry.is_marker, latest) for entry, latest in page.versions]
    return found + [(prefix, "", False, False) for prefix in page.prefixes]


def in_order(found: Sequence[Row], order: Sequence[Row]) -> list[Row]:
    return sorted(found, key=order.index)


class History:
    """What was written, for the expected answer: rows by key, newest first."""

    def __init__(self) -> None:
        self.written: list[Entry] = []

    def add(self, checkout: Checkout, *changes: Put | Delete) -> None:
        self.written += [result for result in checkout.commit(*changes).results if isinstance(result, Entry)]

    def fork(self) -> History:
        other = History()
        other.written = list(self.written)
        return other

    def rows(self, prefix: str = "", delimiter: str = "") -> list[Row]:
        found: list[Row] = []
        for key in sorted({entry.key for entry in self.written}, key=str.encode):
            if not key.startswith(prefix):
                continue
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at >= 0:
                folded = (key[: at + len(delimiter)], "", False, False)
                found += [folded] if folded not in found else []
                continue
            versions = [entry for entry in reversed(self.written) if entry.key == key]
            found += [(key, e.commit_id, e.is_marker, e is versions[0]) for e in versions]
        return found


def put(key: str) -> Put:
    return Put(key, inline(b""))


@pytest.fixture
def forked(main: Checkout) -> tuple[Checkout, History]:
    """A fork of a fork, each with own versions of shared keys; their parents moved on meanwhile."""
    history = History()
    history.add(main, put("a"), put("dir/1"), put("b"))
    history.add(main, put("a"))
    history.add(main, Delete("a"), put("dir/2"))
    history.add(main, Delete("a"))
    dev = main.fork("dev")
    History().add(main, put("a"), put("unseen"))
    history.add(dev, put("a"), Delete("b"))
    history.add(dev, Delete("dir/1"), put("c/\0"))
    top = dev.fork("top", "HEAD")
    History().add(dev, put("a"))
    history.add(top, put("a"), put("\U0001f600"))
    history.add(top, Delete("a"), put("dir/1"))
    history.add(top, Delete("never"))
    return top, history


def pages(checkout: Checkout, view: View, prefix: str, delimiter: str, limit: int) -> list[list[Row]]:
    found: list[list[Row]] = []
    after: tuple[str, str | None] = ("", None)
    while True:
        page = checkout.store.list_versions(view, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        found.append(rows(page))
        assert len(found[-1]) <= limit
        if page.last is None:
            return found
        assert len(found[-1]) == limit
        after = page.last


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_of_every_size_add_up(forked: tuple[Checkout, History], delimiter: str, flat: bool) -> None:
    top, history = forked
    if flat:
        top.store.flatten(top.branch)
    for prefix in ("", "dir", "dir/", "a", "zz"):
        whole = history.rows(prefix, delimiter)
        assert in_order(rows(top.store.list_versions(top.view(), prefix=prefix, delimiter=delimiter)), whole) == whole
        for limit in range(1, len(whole) + 2):
            parts = [in_order(page, whole) for page in pages(top, top.view(), prefix, delimiter, limit)]
            assert [row for part in parts for row in part] == whole


def test_a_page_goes_on_behind_any_version(forked: tuple[Checkout, History]) -> None:
    top, history = forked
    whole = history.rows()
    for number, (key, commit_id, _, _) in enumerate(whole):
        behind = rows(top.store.list_versions(top.view(), after=(key, commit_id)))
        assert behind == whole[number + 1 :]
        behind = rows(top.store.list_versions(top.view(), after=(key, None)))
        assert behind == [row for row in whole if row[0].encode() > key.encode()]


def test_versions_up_to_a_past_commit(main: Checkout) -> None:
    history = History()
    before = []
    for changes in ((put("a"),), (Delete("a"), put("b")), (Delete("a"),), (put("a"),)):
        before.append(history.fork().rows())
        history.add(main, *changes)
    for age, known in enumerate(reversed(before), start=1):
        assert rows(main.store.list_versions(main.view(f"HEAD~{age}"))) == known


def test_many_versions_of_one_key(main: Checkout) -> None:
    """More than a batch of the scan holds."""
    history = History()
    for _ in range(150):
        history.add(main, put("k"), put("l"))
    assert rows(main.store.list_versions(main.view())) == history.rows()
    assert [row for page in pages(main, main.view(), "", "", 7) for row in page] == history.rows()
    assert main.store.list_versions(main.view(), delimiter="k").prefixes == ["k"]


def test_nothing_is_listed_at_limit_0(forked: tuple[Checkout, History]) -> None:
    assert forked[0].store.list_versions(forked[0].view(), limit=0) == VersionListing((), (), None)


@pytest.mark.parametrize("text", ["0" * 64, "zz", "", "abc", "0" * 65, "0" * 63 + "G", "HEAD"])
def test_a_marker_that_is_no_commit_is_refused(main: Checkout, text: str) -> None:
    main.put("k")
    with pytest.raises(NoSuchCommit):
        main.store.list_versions(main.view(), after=("k", text))


def test_a_prefix_of_an_id_is_no_marker(main: Checkout) -> None:
    entry = main.put("k")
    with pytest.raises(NoSuchCommit):
        main.store.list_versions(main.view(), after=("k", CommitId(entry.commit_id[:12])))
