"""One commit on a branch: what it changes, what it refuses, what it leaves behind."""

from __future__ import annotations

import pytest
from blake3 import blake3

from pfs import (
    Delete,
    Entry,
    GuardRefused,
    HistoryIsImmutable,
    InvalidName,
    NoSuchBranch,
    NoSuchKey,
    Put,
    Restore,
    Store,
    inline,
)
from tests.stores import AUTHOR, Checkout, content

KEYS = ["k", "\0", "a\0b", "\ufffe", "\uffff", "\U0001f600", "é", "e\u0301", "//", "../x", "%2F", " ", "k" * 1024]


class Refused(GuardRefused):
    """What the guards of these tests raise."""


def absent(entry: Entry | None) -> None:
    if entry is not None:
        raise Refused


def holding(data: bytes) -> Put:
    return Put("key", inline(data))


def marker_of(checkout: Checkout, key: str, rev: str | None = None) -> Entry | None:
    with pytest.raises(NoSuchKey) as refused:
        checkout.get(key, rev)
    return refused.value.marker


# ---------------------------------------------------------------- putting


def test_a_put_is_one_commit_on_the_head(main: Checkout) -> None:
    root = main.store.resolve(main.branch, "HEAD")
    committed = main.commit(Put("key", inline(b"v"), attrs='{"a":1}', checksums='{"b":2}'), message="why")
    commit, (entry,) = committed.commit, committed.results
    assert commit is not None
    assert isinstance(entry, Entry)
    assert (root.seq, commit.seq, commit.author, commit.message, commit.change_count) == (0, 1, AUTHOR, "why", 1)
    assert (entry.key, entry.size, entry.commit_id, entry.time_us) == ("key", 1, commit.id, commit.time_us)
    assert entry.etag == f"{blake3(b'v').hexdigest()}-1"
    assert (entry.attrs, entry.checksums) == ('{"a":1}', '{"b":2}')
    assert main.store.resolve(main.branch, "HEAD") == commit
    assert main.store.entry(main.view(), "key") == entry
    assert main.store.read(main.view(), "key") == (entry, b"v")


def test_every_version_stays_readable(main: Checkout) -> None:
    for number in range(5):
        main.put("key", f"v{number}".encode())
    assert [main.get("key", f"HEAD~{age}") for age in range(5)] == [b"v4", b"v3", b"v2", b"v1", b"v0"]
    with pytest.raises(NoSuchKey):
        main.get("key", "HEAD~5")


def test_a_view_of_a_commit_never_changes_and_one_of_the_head_moves(main: Checkout) -> None:
    main.put("key", b"old")
    pinned, head = main.view("HEAD"), main.view()
    main.put("key", b"new")
    assert main.store.read(pinned, "key")[1] == b"old"
    assert main.store.read(head, "key")[1] == b"new"


@pytest.mark.parametrize("key", KEYS)
def test_any_utf8_of_1_to_1024_bytes_is_a_key(main: Checkout, key: str) -> None:
    main.put(key, b"v1")
    main.put(key, b"v2")
    assert (main.get(key), main.get(key, "HEAD^"), main.keys()) == (b"v2", b"v1", [key])
    main.delete(key)
    assert main.keys() == []


def test_nul_in_a_message_is_replaced_since_postgresql_can_not_hold_it(main: Checkout) -> None:
    committed = main.commit(Put("k", inline(b"")), message="put a\0b")
    assert committed.commit is not None
    assert committed.commit.message == "put a\N{REPLACEMENT CHARACTER}b"
    assert not main.store.fsck().problems


@pytest.mark.parametrize("key", ["", "k" * 1025, "é" * 513, "\ud800"])
def test_other_keys_are_refused(main: Checkout, key: str) -> None:
    committed = main.commit(Put(key, inline(b"")), Delete(key))
    assert committed.commit is None
    assert [type(result) for result in committed.results] == [InvalidName, InvalidName]
    with pytest.raises(InvalidName):
        main.get(key)


def test_keys_differ_by_their_bytes_alone(main: Checkout) -> None:
    main.put_all("é", "e\u0301", "K", "k")
    assert main.keys() == ["K", "e\u0301", "k", "é"]


# ---------------------------------------------------------------- deleting


def test_a_deletion_leaves_a_marker_and_the_past(main: Checkout) -> None:
    put = main.put("key", b"v")
    marker = main.delete("key")
    assert marker.is_marker
    assert marker_of(main, "key") == marker
    assert main.keys() == []
    assert main.store.read(main.view("HEAD^"), "key") == (put, b"v")


def test_three_deletions_make_three_markers(main: Checkout) -> None:
    main.put("key")
    markers = [main.delete("key") for _ in range(3)]
    assert len({marker.commit_id for marker in markers}) == 3
    assert [(entry.is_marker, latest) for entry, latest in main.versions()] == [
        (True, True), (True, False), (True, False), (False, False),
    ]  # fmt: skip
    assert [marker_of(main, "key", rev) for rev in (None, "HEAD", "HEAD^", "HEAD~2")] == [
        markers[2], markers[2], markers[1], markers[0],
    ]  # fmt: skip


def test_a_key_that_never_was_can_be_deleted(main: Checkout) -> None:
    assert marker_of(main, "key") is None
    marker = main.delete("key")
    assert marker_of(main, "key") == marker
    assert marker_of(main, "key", "HEAD^") is None
    assert main.versions() == [(marker, True)]


def test_a_key_comes_back_after_its_deletion(main: Checkout) -> None:
    main.put("key", b"1")
    main.delete("key")
    main.put("key", b"2")
    assert (main.get("key"), main.keys()) == (b"2", ["key"])
    assert [entry.is_marker for entry, _ in main.versions()] == [False, True, False]


def test_a_listing_of_the_head_never_meets_what_was_deleted(main: Checkout) -> None:
    """A marker stays open only where it hides something further down."""

    def open_markers() -> int:
        with main.store._database.connection() as conn:
            rows = conn.raw.execute("SELECT 1 FROM entries WHERE kind = 1 AND until_seq IS NULL").fetchall()
        return len(rows)

    main.put_all("a", "b", "c")
    for key in ("a", "b", "b", "never"):
        main.delete(key)
    dev = main.fork("dev")
    for key in ("a", "b", "never", "either"):
        dev.delete(key)
    assert open_markers() == 0
    dev.delete("c")
    dev.delete("c")
    assert open_markers() == 1
    top = dev.fork("top")
    top.delete("c")
    assert open_markers() == 1
    assert (main.keys(), dev.keys(), top.keys()) == (["c"], [], [])


# ---------------------------------------------------------------- restoring


def test_restore_undoes_a_deletion_by_a_new_commit(main: Checkout) -> None:
    put = main.commit(Put("key", inline(b"v"), attrs='{"a":1}', checksums='{"b":2}')).results[0]
    assert isinstance(put, Entry)
    marker = main.delete("key")
    restored = main.restore("key", marker)
    assert (main.get("key"), main.keys()) == (b"v", ["key"])
    assert (restored.etag, restored.attrs, restored.checksums) == (put.etag, put.attrs, put.checksums)
    assert restored.commit_id not in (put.commit_id, marker.commit_id)
    assert [entry.commit_id for entry, _ in main.versions()] == [
        restored.commit_id, marker.commit_id, put.commit_id,
    ]  # fmt: skip


def test_restore_goes_back_behind_all_markers_to_what_the_key_held(main: Checkout) -> None:
    main.put("key", b"v")
    main.delete("key")
    main.restore("key", main.delete("key"))
    assert main.get("key") == b"v"


@pytest.mark.parametrize("flat", [False, True])
def test_restore_of_an_inherited_key(main: Checkout, flat: bool) -> None:
    main.put("key", b"v")
    dev = main.fork("dev")
    if flat:
        main.store.flatten(dev.branch)
    dev.restore("key", dev.delete("key"))
    assert (dev.get("key"), dev.keys()) == (b"v", ["key"])


def test_restore_of_a_deletion_that_was_inherited(main: Checkout) -> None:
    main.put("key", b"v")
    marker = main.delete("key")
    dev = main.fork("dev")
    assert marker_of(dev, "key") == marker
    dev.restore("key", marker)
    assert dev.get("key") == b"v"
    assert main.keys() == []


def test_restore_of_a_key_that_never_was_leaves_it_absent(main: Checkout) -> None:
    restored = main.restore("key", main.delete("key"))
    assert restored.is_marker
    assert main.keys() == []
    assert marker_of(main, "key") == restored


def test_the_marker_of_a_second_deletion_on_a_fork_is_the_one_that_counts(main: Checkout) -> None:
    main.put("key", b"v")
    inherited = main.delete("key")
    dev = main.fork("dev")
    own = dev.delete("key")
    assert marker_of(dev, "key") == own
    with pytest.raises(HistoryIsImmutable):
        dev.restore("key", inherited)
    dev.restore("key", own)
    assert dev.get("key") == b"v"


def test_only_the_current_marker_can_be_undone(main: Checkout) -> None:
    put = main.put("key", b"v")
    with pytest.raises(HistoryIsImmutable):
        main.restore("key", put)
    with pytest.raises(HistoryIsImmutable):
        main.restore("other", put)
    marker = main.delete("key")
    current = main.delete("key")
    with pytest.raises(HistoryIsImmutable) as refused:
        main.restore("key", marker)
    assert refused.value.commit_id == marker.commit_id
    main.restore("key", current)
    with pytest.raises(HistoryIsImmutable):
        main.restore("key", current)


# ---------------------------------------------------------------- several changes


def test_many_changes_are_one_commit(main: Checkout) -> None:
    main.put_all("a", "b", "c")
    committed = main.commit(Put("d", inline(b"d")), Delete("a"), Put("b", inline(b"new")), Delete("never"))
    commit, entries = committed.commit, [result for result in committed.results if isinstance(result, Entry)]
    assert commit is not None
    assert commit.change_count == 4
    assert [(entry.key, entry.is_marker, entry.commit_id) for entry in entries] == [
        ("d", False, commit.id), ("a", True, commit.id), ("b", False, commit.id), ("never", True, commit.id),
    ]  # fmt: skip
    assert (main.keys(), main.keys("HEAD^")) == (["b", "c", "d"], ["a", "b", "c"])


def test_a_key_that_comes_twice_is_changed_once_the_last_way(main: Checkout) -> None:
    committed = main.commit(holding(b"1"), Delete("key"), holding(b"2"))
    commit, entries = committed.commit, committed.results
    assert commit is not None
    assert commit.change_count == 1
    assert entries[0] == entries[1] == entries[2]
    assert (main.get("key"), len(main.versions())) == (b"2", 1)
    main.commit(holding(b"3"), Delete("key"))
    assert main.keys() == []


def test_a_commit_without_changes_is_none(main: Checkout) -> None:
    before = main.head()
    assert main.commit().commit is None
    assert main.head() == before


# ---------------------------------------------------------------- guards


def test_a_guard_sees_what_is_live(main: Checkout) -> None:
    seen: list[Entry | None] = []
    main.put("key", guard=seen.append)
    put = main.put("key", guard=seen.append)
    main.delete("key")
    main.put("key", guard=seen.append)
    dev = main.fork("dev")
    last = main.store.entry(main.view(), "key")
    dev.put("key", guard=seen.append)
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[2] is None
    assert seen[3] == last
    assert seen[1] != put


def test_a_refused_change_makes_no_commit(main: Checkout) -> None:
    main.put("key", b"v")
    before = main.head()
    with pytest.raises(Refused):
        main.put("key", b"other", absent)
    refused = main.commit(Delete("key", guard=absent))
    assert refused.commit is None
    assert isinstance(refused.results[0], Refused)
    assert (main.head(), main.get("key")) == (before, b"v")


def test_refused_changes_are_left_out_of_a_commit(main: Checkout) -> None:
    taken = main.put("taken")
    committed = main.commit(
        Put("taken", inline(b"x"), guard=absent),
        Put("free", inline(b"y"), guard=absent),
        Restore("taken", taken.commit_id),
    )
    commit = committed.commit
    assert commit is not None
    assert commit.change_count == 1
    assert [type(result) for result in committed.results] == [Refused, Entry, HistoryIsImmutable]
    assert (main.get("taken"), main.get("free")) == (b"", b"y")


def test_a_commit_on_a_deleted_branch_is_refused(main: Checkout) -> None:
    main.store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchBranch):
        main.put("key")


# ---------------------------------------------------------------- content


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 100_000])
def test_content_reads_back_whole_and_in_ranges(main: Checkout, size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    main.put("key", data)
    entry, held = main.store.read(main.view(), "key")
    assert entry.size == size
    assert (held is not None) == (size <= 1024)
    for first, length in ((0, size), (0, 1), (size // 2, size), (max(0, size - 3), 3), (size, 5), (1, 0)):
        assert content(main.store, entry, held, first, length) == data[first : first + length]
        assert content(main.store, entry, None, first, length) == data[first : first + length]


def test_a_copy_names_the_same_bytes(store: Store, main: Checkout) -> None:
    for size in (10, 5_000):
        source = main.put("source", b"x" * size)
        main.commit(Put("copy", source.content))
        assert main.get("copy") == b"x" * size
    assert store.fsck(verify_data=True).blobs == 2
