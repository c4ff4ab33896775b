"""Pages of keys, against a plain list of names that is folded by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from pfs import Delete, Entry, Listing, Put, View, inline
from tests.stores import Checkout

KEYS = (
    "\0", "a", "a\0", "a/", "a//", "a//b", "a/\0b", "a/b", "a/b/c", "a/b/d", "a0", "ab", "b/c/d", "b/c/e", "bb",
    "c\uffff/x", "c\U0001f600", "d/e/f", "é/1", "é/2", "\uffff", "\U0001f600/x", "\U0010ffff",
)  # fmt: skip
PREFIXES = ("", "a", "a/", "a/b", "b/", "c", "é", "\U0001f600", "\U0010ffff", "zz", "a/b/c")
DELIMITERS = ("", "/", "b", "//", "é/", "\0")


def expected(keys: Sequence[str], prefix: str, delimiter: str) -> list[tuple[str, bool]]:
    """Names in byte order, each with whether it is a common prefix."""
    names = set()
    for key in keys:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            names.add((key, False) if at < 0 else (key[: at + len(delimiter)], True))
    return sorted(names, key=lambda name: name[0].encode())


def names(listing: Listing) -> list[tuple[str, bool]]:
    """A page's names, in order."""
    found = [(entry.key, False) for entry in listing.entries] + [(prefix, True) for prefix in listing.prefixes]
    return sorted(found, key=lambda name: name[0].encode())


def paged(checkout: Checkout, view: View, prefix: str, delimiter: str, limit: int) -> list[tuple[str, bool]]:
    found, after = [], ""
    while True:
        page = checkout.store.list(view, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        assert len(page.entries) + len(page.prefixes) <= limit
        found += names(page)
        if page.last is None:
            return found
        assert len(page.entries) + len(page.prefixes) == limit
        assert page.last == found[-1][0]
        after = page.last


@pytest.fixture
def layered(main: Checkout) -> Checkout:
    """All of KEYS, over three levels with deletions and replacements on each, that must not show."""
    third = len(KEYS) // 3
    main.commit(*(Put(key, inline(b"1")) for key in (*KEYS[: 2 * third], "a/gone", "b/x", "zz/gone")))
    main.commit(Delete("b/x"))
    dev = main.fork("dev")
    main.commit(Put("later", inline(b"")), Delete("a"))
    dev.commit(*(Put(key, inline(b"2")) for key in KEYS[third:]))
    dev.commit(Delete("a/gone"), Delete("never"))
    top = dev.fork("top")
    dev.commit(Put("a/later", inline(b"")))
    top.commit(Delete("zz/gone"), *(Put(key, inline(b"3")) for key in KEYS[::4]))
    return top


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("rev", [None, "HEAD"])
def test_pages_of_every_size_add_up(layered: Checkout, delimiter: str, rev: str | None) -> None:
    view = layered.view(rev)
    for prefix in PREFIXES:
        whole = expected(KEYS, prefix, delimiter)
        assert names(layered.store.list(view, prefix=prefix, delimiter=delimiter, limit=100)) == whole
        for limit in range(1, len(whole) + 2) if prefix in ("", "a/") else (1, 3):
            assert paged(layered, view, prefix, delimiter, limit) == whole


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_a_page_goes_on_behind_any_text(layered: Checkout, delimiter: str) -> None:
    """Behind a name of an earlier page, or any other text, such as a start-after."""
    view = layered.view()
    for after in (*KEYS, "a/", "b/c/", "b/c/d0", "zz", "\U0010ffff\U0010ffff", "c"):
        for prefix in ("", "a/", "b"):
            whole = expected([key for key in KEYS if key.encode() > after.encode()], prefix, delimiter)
            folded = (after, True)
            if folded in expected([*KEYS, after], prefix, delimiter):
                whole = [name for name in whole if name != folded]
            page = layered.store.list(view, prefix=prefix, delimiter=delimiter, after=after, limit=100)
            assert names(page) == whole, after


def test_entries_are_those_of_the_nearest_level(layered: Checkout) -> None:
    found = layered.store.list(layered.view(), limit=100)
    third = len(KEYS) // 3
    for entry in found.entries:
        number = KEYS.index(entry.key)
        assert layered.get(entry.key) == (b"3" if number % 4 == 0 else b"2" if number >= third else b"1")
        assert layered.store.entry(layered.view(), entry.key) == entry


def test_past_trees_list_as_they_were(main: Checkout) -> None:
    states: list[list[str]] = [[]]
    for changes in ("+a", "+b", "-a", "-a", "+a+c", "-b-c", "+b"):
        signs, keys = changes[::2], changes[1::2]
        main.commit(*(Put(k, inline(b"")) if s == "+" else Delete(k) for s, k in zip(signs, keys, strict=True)))
        gone = {k for s, k in zip(signs, keys, strict=True) if s == "-"}
        states.append(sorted({*states[-1], *keys} - gone))
    assert [main.keys(f"HEAD~{age}") for age in range(8)] == states[::-1]
    dev = main.fork("dev", "HEAD~3")
    dev.put("dev")
    assert [dev.keys(f"HEAD~{age}") for age in range(6)] == [sorted([*states[4], "dev"]), *states[4::-1]]


def test_nothing_is_listed_at_limit_0(layered: Checkout) -> None:
    assert layered.store.list(layered.view(), limit=0) == Listing((), (), None)


def test_an_empty_branch_lists_nothing(main: Checkout) -> None:
    assert main.store.list(main.view(), delimiter="/") == Listing([], [], None)
    assert main.store.list(main.view("HEAD")) == Listing([], [], None)


def test_many_keys_behind_one_prefix_are_passed_over(main: Checkout) -> None:
    """More of them than a batch of the scan holds, before, in and behind the page."""
    main.commit(*(Put(f"{folder}/{number:04}", inline(b"")) for folder in "abc" for number in range(700)))
    page = main.store.list(main.view(), delimiter="/", limit=2)
    assert (page.entries, page.prefixes, page.last) == ([], ["a/", "b/"], "b/")
    assert main.store.list(main.view(), delimiter="/", after="b/").prefixes == ["c/"]
    assert main.store.list(main.view(), prefix="b/", delimiter="/", after="b/0698").entries[0].key == "b/0699"
    assert len(main.keys()) == 2100
    assert main.store.list(main.view(), prefix="b/", limit=700).last is None
    assert main.store.list(main.view(), limit=700).last == "a/0699"


def test_a_listing_is_of_one_moment(main: Checkout) -> None:
    """All of a page's batches see the same state, however long it takes."""
    from pfs import listing

    main.commit(*(Put(f"{number:04}", inline(b"")) for number in range(300)))
    with main.store._database.snapshot() as conn:
        page = listing.list_keys(conn, main.view(), "", "", "", 10)
        main.delete("0200")
        rest = listing.list_keys(conn, main.view(), "", "", page.last or "", 1000)
    assert len(rest.entries) == 290
    assert len(main.keys()) == 299


# ---------------------------------------------------------------- chosen entries


def written(main: Checkout) -> tuple[Checkout, list[str]]:
    """A branch of two levels where each third key is marked as mine, with those keys."""
    mine = [key for number, key in enumerate(KEYS) if number % 3 == 0]
    puts = [Put(key, inline(b"v"), settings={"owner": "me"} if key in mine else {"owner": "you"}) for key in KEYS]
    main.commit(*puts[::2])
    dev = main.fork("dev")
    dev.commit(*puts[1::2], Put("z/mine-once", inline(b"v"), settings={"owner": "me"}))
    dev.commit(Put("z/mine-once", inline(b"w"), settings={"owner": "you"}))
    return dev, mine


def is_mine(entry: Entry) -> bool:
    return entry.settings.get("owner") == "me"


def test_a_listing_of_chosen_entries_is_as_if_there_were_no_others(main: Checkout) -> None:
    dev, mine = written(main)
    view = dev.view()
    for prefix, delimiter, limit in itertools.product(PREFIXES, DELIMITERS, (1, 2, 1000)):
        found: list[tuple[str, bool]] = []
        after: str | None = ""
        while after is not None:
            page = dev.store.list(view, prefix=prefix, delimiter=delimiter, after=after, limit=limit, keep=is_mine)
            found += names(page)
            after = page.last
        assert found == expected(mine, prefix, delimiter), (prefix, delimiter, limit)


def test_versions_are_chosen_one_by_one(main: Checkout) -> None:
    dev, mine = written(main)
    found: list[tuple[str, bool]] = []
    after: tuple[str, str | None] | None = ("", None)
    while after is not None:
        page = dev.store.list_versions(dev.view(), after=after, limit=2, keep=is_mine)
        found += [(entry.key, is_latest) for entry, is_latest in page.versions]
        after = page.last
    keys = sorted([*mine, "z/mine-once"], key=str.encode)
    assert found == [(key, key != "z/mine-once") for key in keys]
