"""The log of a branch and of a key: along first parents, or through all of them; in pages."""

from __future__ import annotations

from typing import Any

import pytest

from pfs import CommitId, Logged, NoSuchCommit
from tests.stores import AUTHOR, Checkout


def ids(logged: list[Logged]) -> list[str]:
    return [entry.commit.id for entry in logged]


def log(checkout: Checkout, rev: str = "HEAD", **options: Any) -> list[str]:
    """The same, whatever the pages' size."""
    whole = ids(list(checkout.store.log(checkout.branch, rev, **options)))
    for limit in (1, 2, 3):
        paged: list[str] = []
        while page := checkout.store.log(
            checkout.branch, rev, limit=limit, after=CommitId(paged[-1]) if paged else None, **options
        ):
            paged += ids(list(page))
        assert paged == whole
    return whole


def test_a_branchs_commits_with_their_parents_newest_first(main: Checkout) -> None:
    made = [main.head(), *(main.put(key).commit_id for key in "abc")]
    logged = main.store.log(main.branch)
    assert ids(list(logged)) == made[::-1]
    assert [list(entry.parents) for entry in logged] == [[made[2]], [made[1]], [made[0]], []]
    assert log(main) == made[::-1]
    assert log(main, "HEAD^") == made[2::-1]
    assert main.store.log(main.branch, limit=0) == []


def test_a_forks_log_goes_on_through_what_it_forked_from(main: Checkout) -> None:
    made = [main.head(), *(main.put(key).commit_id for key in "abc")]
    dev = main.fork("dev", "HEAD^")
    own = dev.put("d").commit_id
    assert log(dev) == [own, *made[2::-1]]
    assert log(dev, all_parents=True) == log(dev)


def test_first_parents_or_all(main: Checkout) -> None:
    root, first = main.head(), main.put("a").commit_id
    dev = main.fork("dev")
    one = dev.put("d").commit_id
    two = main.put("m").commit_id
    three = dev.put("d", b"2").commit_id
    merge = main.store.merge(main.branch, "dev", author=AUTHOR).result().head.id
    last = main.put("a", b"2").commit_id
    assert log(main) == [last, merge, two, first, root]
    assert log(main, all_parents=True) == [last, merge, three, two, one, first, root]
    assert log(main, "HEAD^^2", all_parents=True) == [three, one, first, root]
    assert main.store.log(main.branch, "HEAD^", limit=1)[0].parents == (two, three)


def test_a_keys_log(main: Checkout) -> None:
    main.put("other")
    first = main.put("a").commit_id
    main.put("other")
    gone = main.delete("a").commit_id
    dev = main.fork("dev")
    again = dev.put("a", b"2").commit_id
    main.put("m")
    assert log(main, key="a") == [gone, first]
    assert log(dev, key="a") == [again, gone, first]
    assert log(main, key="never") == []
    merge = main.store.merge(main.branch, "dev", author=AUTHOR).result().head.id
    assert log(main, key="a") == [merge, gone, first]
    assert log(main, key="a", all_parents=True) == [merge, again, gone, first]


def test_a_flat_branchs_log_is_as_before(main: Checkout) -> None:
    main.put_all("a", "b")
    dev = main.fork("dev")
    dev.put("a", b"2")
    before = log(dev), log(dev, key="a"), log(dev, key="b")
    main.store.flatten(dev.branch)
    assert (log(dev), log(dev, key="a"), log(dev, key="b")) == before


def test_what_is_not_there(main: Checkout) -> None:
    with pytest.raises(NoSuchCommit):
        log(main, "nowhere")
    for after in ("0" * 64, "main"):
        with pytest.raises(NoSuchCommit):
            main.store.log(main.branch, after=CommitId(after))
