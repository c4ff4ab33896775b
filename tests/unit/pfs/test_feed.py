"""A branch's commits behind a revision, oldest first, wherever the branch has been moved to meanwhile."""

from __future__ import annotations

import pytest

from pfs import NoSuchBranch, NoSuchCommit
from tests.stores import AUTHOR, Checkout


def since(checkout: Checkout, rev: str | None) -> list[str]:
    """The same, whatever the pages' size."""
    whole: list[str] = [entry.commit.id for entry in checkout.store.commits_since(checkout.branch, rev, 1000)]
    for limit in (1, 2, 3):
        paged: list[str] = []
        while page := checkout.store.commits_since(checkout.branch, paged[-1] if paged else rev, limit):
            assert len(page) <= limit
            paged += [entry.commit.id for entry in page]
        assert paged == whole
    return whole


def put(checkout: Checkout, *keys: str) -> list[str]:
    return [checkout.put(key, key.encode()).commit_id for key in keys]


def test_oldest_first_behind_a_revision(main: Checkout) -> None:
    root = main.head()
    assert since(main, None) == []
    made = put(main, *"abcde")
    assert since(main, None) == since(main, root) == made
    assert since(main, made[1]) == since(main, "HEAD~3") == made[2:]
    assert since(main, "HEAD") == []
    assert [list(entry.parents) for entry in main.store.commits_since(main.branch, made[2])] == [[made[2]], [made[3]]]


def test_a_forks_line_begins_with_what_it_forked_from(main: Checkout) -> None:
    made = put(main, *"abc")
    dev = main.fork("dev", "HEAD^")
    deeper = dev.fork("deeper")
    own, late = put(dev, "d"), put(deeper, "e")
    put(main, "m")
    assert since(dev, None) == [*made[:2], *own]
    assert since(deeper, made[0]) == [made[1], *late]
    assert since(deeper, own[0]) == late  # what they have in common is the fork's beginning
    assert since(dev, "main") == own


def test_merged_commits_are_told_of_by_the_merge_alone(main: Checkout) -> None:
    first = put(main, "a")
    dev = main.fork("dev")
    other = put(dev, "d")
    second = put(main, "m")
    merge = main.store.merge(main.branch, "dev", author=AUTHOR).result().head.id
    assert since(main, first[0]) == [*second, merge]
    assert main.store.commits_since(main.branch, second[0])[0].parents == (second[0], other[0])
    assert since(main, other[0]) == [*second, merge]


def test_behind_a_reset_the_newest_common_ancestor_counts(main: Checkout) -> None:
    made = put(main, *"abcd")
    main.store.reset_branch(main.branch, made[1]).result()
    assert since(main, made[3]) == []
    again = put(main, "x", "y")
    assert since(main, made[3]) == since(main, made[1]) == again
    assert since(main, made[0]) == [made[1], *again]
    main.store.reset_branch(main.branch, made[3]).result()
    assert since(main, again[1]) == made[2:]


def test_a_fast_forward_tells_of_all_that_it_brought(main: Checkout) -> None:
    first = put(main, "a")
    dev = main.fork("dev")
    brought = put(dev, "b", "c")
    merged = main.store.merge(main.branch, "dev", author=AUTHOR).result()
    assert merged.merge.kind == "fast-forward"
    more = put(main, "d")
    assert since(main, first[0]) == [*brought, *more]
    assert since(main, brought[0]) == [brought[1], *more]


def test_what_is_not_there(main: Checkout) -> None:
    with pytest.raises(NoSuchCommit):
        main.store.commits_since(main.branch, "nowhere")
    main.store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchBranch):
        main.store.commits_since(main.branch, None)


def test_heads_tell_of_each_change(main: Checkout) -> None:
    dev = main.fork("dev")
    seen = [main.store.positions([main.branch.id, dev.branch.id])]

    def moved() -> list[bool]:
        seen.append(main.store.positions([main.branch.id, dev.branch.id]))
        return [seen[-1][branch.id] != seen[-2][branch.id] for branch in (main.branch, dev.branch)]

    assert moved() == [False, False]
    put(main, "a")
    assert moved() == [True, False]
    main.store.reset_branch(dev.branch, "main").result()
    assert moved() == [False, True]
    dev.store.delete_branch(dev.branch).result()
    assert moved() == [False, True]
    assert seen[-1][dev.branch.id] is None
