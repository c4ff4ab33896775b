"""What two revisions hold otherwise, on one line of commits and across forks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pfs import Delete, Difference, NoSuchCommit, Put, inline
from pfs.meta import entries
from pfs.meta.database import Connection
from tests.stores import Checkout


def told(changes: Sequence[Difference]) -> list[tuple[str, str, int | None, int | None]]:
    return [
        (change.key, change.kind, change.before and change.before.size, change.after and change.after.size)
        for change in changes
    ]


def changed(checkout: Checkout, before: str, after: str, prefix: str = "") -> dict[str, str]:
    page = checkout.store.diff(checkout.branch, before, after, prefix=prefix)
    assert page.last is None
    return {change.key: change.kind for change in page.changes}


def test_added_changed_and_removed_with_their_sizes(main: Checkout) -> None:
    main.commit(Put("a", inline(b"1")), Put("b", inline(b"22")), Put("same", inline(b"")))
    main.commit(Put("a", inline(b"333")), Delete("b"), Put("c", inline(b"4444")), Delete("never"))
    page = main.store.diff(main.branch, "HEAD^", "HEAD")
    assert told(page.changes) == [("a", "changed", 1, 3), ("b", "removed", 2, None), ("c", "added", None, 4)]
    back = main.store.diff(main.branch, "HEAD", "HEAD^")
    assert told(back.changes) == [("a", "changed", 3, 1), ("b", "added", None, 2), ("c", "removed", 4, None)]
    assert changed(main, "HEAD", "HEAD") == {}


def test_what_was_changed_and_changed_back_is_alike(main: Checkout) -> None:
    main.put("a", b"1")
    main.put("a", b"2")
    main.put("a", b"1")
    main.put("b")
    main.delete("b")
    assert changed(main, "HEAD~4", "HEAD") == {}
    assert changed(main, "HEAD~3", "HEAD") == {"a": "changed"}


def test_attributes_are_part_of_what_a_key_holds(main: Checkout) -> None:
    main.commit(Put("a", inline(b"1"), attrs="1"))
    main.commit(Put("a", inline(b"1"), attrs="2"))
    assert changed(main, "HEAD^", "HEAD") == {"a": "changed"}


def test_across_forks_both_sides_count(main: Checkout) -> None:
    main.put_all("a", "b", "c", "d")
    dev = main.fork("dev")
    main.put("later")
    top = dev.fork("top")
    dev.put("a", b"dev")
    top.delete("b")
    top.put("new")
    main.put("c", b"main")
    assert changed(main, "main", "top") == {"later": "removed", "b": "removed", "new": "added", "c": "changed"}
    assert changed(main, "top", "dev") == {"a": "changed", "b": "added", "new": "removed"}
    other = Checkout.create(main.store, "images", "other")
    other.put("a", b"a")
    assert changed(main, "other", "HEAD~2") == {"b": "added", "c": "added", "d": "added"}


def test_a_flat_branch_differs_in_what_it_differed_before(main: Checkout) -> None:
    main.put_all("a", "b", "c")
    dev = main.fork("dev")
    dev.delete("a")
    main.store.flatten(dev.branch)
    dev.put("b", b"dev")
    assert changed(main, "main", "dev") == {"a": "removed", "b": "changed"}


def test_pages_and_prefixes(main: Checkout) -> None:
    main.put_all("a/1", "a/2", "a/3", "b/1", "é", "\U0001f600")
    expected = ["a/1", "a/2", "a/3", "b/1", "é", "\U0001f600"]
    for limit in range(1, 8):
        found: list[str] = []
        behind: str | None = ""
        while behind is not None:
            page = main.store.diff(main.branch, "HEAD^", "HEAD", behind=behind, limit=limit)
            assert len(page.changes) <= limit
            found += [change.key for change in page.changes]
            behind = page.last
        assert found == expected
    assert list(changed(main, "HEAD^", "HEAD", "a/")) == expected[:3]
    assert main.store.diff(main.branch, "HEAD^", "HEAD", limit=0).last == ""


def test_only_what_was_written_is_looked_at(main: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    main.put_all(*(f"k{number:03}" for number in range(200)))
    dev = main.fork("dev")
    dev.put("k001", b"new")
    main.put("k002", b"new")
    looked_at: set[bytes] = set()
    real = entries.live

    def live(conn: Connection, level: object, key: bytes) -> object:
        looked_at.add(key)
        return real(conn, level, key)  # type: ignore[arg-type]

    monkeypatch.setattr(entries, "live", live)
    assert changed(main, "main", "dev") == {"k001": "changed", "k002": "changed"}
    assert looked_at == {b"k001", b"k002"}


def test_show_tells_a_commit_and_what_it_changed(main: Checkout) -> None:
    main.put_all("a", "b")
    main.commit(Delete("a"), message="away with it")
    logged, page = main.store.show(main.branch, "HEAD")
    assert (logged.commit.message, logged.parents) == ("away with it", (main.store.resolve(main.branch, "HEAD^").id,))
    assert told(page.changes) == [("a", "removed", 1, None)]
    root, nothing = main.store.show(main.branch, "HEAD~2")
    assert (root.commit.seq, root.parents, nothing.changes) == (0, (), [])


def test_revisions_that_are_not_there(main: Checkout) -> None:
    with pytest.raises(NoSuchCommit):
        main.store.diff(main.branch, "HEAD^", "HEAD")
    with pytest.raises(NoSuchCommit):
        main.store.show(main.branch, "nowhere")
