"""Merges, cherry-picks and reverts: what they take over, what they refuse, and what they leave behind."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from pfs import (
    CommitId,
    Conflicted,
    Delete,
    HeadMoved,
    Merge,
    Merged,
    NoSuchBranch,
    NoSuchCommit,
    Put,
    inline,
)
from tests.stores import AUTHOR, Checkout


def merge(into: Checkout, rev: str, **options: Any) -> Merged:
    """Also has the checkout follow the branch where it went."""
    merged = into.store.merge(into.branch, rev, author=AUTHOR, **options).result()
    into.branch = merged.branch
    return merged


def tree(checkout: Checkout, rev: str | None = None) -> dict[str, bytes]:
    return {key: checkout.get(key, rev) for key in checkout.keys(rev)}


def parents(checkout: Checkout, rev: str = "HEAD") -> list[str]:
    return list(checkout.store.parents(checkout.store.resolve(checkout.branch, rev)))


def changed(planned: Merge) -> dict[str, str]:
    return {change.key: change.kind for change in planned.changes}


@pytest.fixture
def dev(main: Checkout) -> Checkout:
    """A fork of `main` at a commit with a, b, c; `main` has gone on with a, `dev` with b, c and d."""
    main.put_all("a", "b", "c")
    fork = main.fork("dev")
    main.put("a", b"main")
    fork.commit(Put("b", inline(b"dev")), Delete("c"))
    fork.put("d", b"dev")
    return fork


def conflict(main: Checkout, dev: Checkout) -> None:
    main.commit(Put("b", inline(b"main")), Put("c", inline(b"main")))


# ---------------------------------------------------------------- merge commits


def test_a_merge_is_one_commit_with_two_parents_and_the_other_sides_changes(main: Checkout, dev: Checkout) -> None:
    ours, theirs = main.head(), dev.head()
    merged = merge(main, "dev")
    assert merged.merge.kind == "commit"
    assert changed(merged.merge) == {"b": "changed", "c": "removed", "d": "added"}
    assert merged.merge.base.seq == 1
    assert tree(main) == {"a": b"main", "b": b"dev", "d": b"dev"}
    assert merged.head == main.store.resolve(main.branch, "HEAD")
    assert (merged.head.message, merged.head.author, merged.head.change_count) == ("Merge dev into main", AUTHOR, 3)
    assert parents(main) == [ours, theirs]
    assert main.store.resolve(main.branch, "HEAD^2").id == theirs
    assert tree(dev) == {"a": b"a", "b": b"dev", "d": b"dev"}
    assert main.store.fsck().problems == []


def test_merging_twice_does_nothing_more(main: Checkout, dev: Checkout) -> None:
    head = merge(main, "dev").head
    again = merge(main, "dev")
    assert (again.merge.kind, again.head) == ("nothing", head)
    assert merge(main, "HEAD~2").merge.kind == "nothing"
    dev.put("e")
    assert changed(merge(main, "dev").merge) == {"e": "added"}


def test_the_base_of_the_next_merge_is_what_was_merged(main: Checkout, dev: Checkout) -> None:
    merge(main, "dev")
    main.put("b", b"main again")
    dev.put("e")
    merged = merge(main, "dev")
    assert (merged.merge.base.id, changed(merged.merge)) == (dev.store.resolve(dev.branch, "HEAD^").id, {"e": "added"})
    assert main.get("b") == b"main again"
    back = merge(dev, "main")
    assert back.merge.kind == "fast-forward"
    assert tree(dev) == tree(main)


def test_both_sides_may_come_to_the_same(main: Checkout, dev: Checkout) -> None:
    main.commit(Put("b", inline(b"dev")), Delete("c"), Put("d", inline(b"dev")))
    merged = merge(main, "dev")
    assert (merged.merge.kind, merged.merge.changes, merged.head.change_count) == ("commit", [], 0)
    assert merge(main, "dev").merge.kind == "nothing"
    assert main.store.fsck().problems == []


def test_a_merge_takes_settings_along(main: Checkout, dev: Checkout) -> None:
    dev.commit(Put("e", inline(b""), settings={"tags": "x"}))
    merge(main, "dev")
    assert main.store.entry(main.view(), "e").settings == {"tags": "x"}


def test_branches_that_share_only_the_root(main: Checkout) -> None:
    main.put("a", b"1")
    other = Checkout.create(main.store, "images", "other")
    other.put("b", b"2")
    merged = merge(main, "other")
    assert (merged.merge.base.seq, tree(main)) == (0, {"a": b"1", "b": b"2"})


def test_a_message_and_a_source_that_is_no_branch(main: Checkout, dev: Checkout) -> None:
    merge(main, "dev^", message="half of it")
    assert main.store.resolve(main.branch, "HEAD").message == "half of it"
    assert tree(main) == {"a": b"main", "b": b"dev"}
    assert changed(merge(main, "dev").merge) == {"d": "added"}


# ---------------------------------------------------------------- fast-forward and squash


def test_a_branch_without_own_commits_moves_its_head(main: Checkout) -> None:
    main.put_all("a", "b")
    dev = main.fork("dev")
    dev.put("a", b"dev")
    dev.delete("b")
    old = main.head()
    merged = merge(main, "dev")
    assert (merged.merge.kind, merged.head.id) == ("fast-forward", dev.head())
    assert main.head() == dev.head()
    assert main.store.resolve(main.branch, "HEAD~2").id == old
    assert tree(main) == {"a": b"dev"}
    main.put("own")
    dev.put("own", b"dev's")
    assert (main.get("own"), dev.get("own")) == (b"", b"dev's")
    assert parents(main) == parents(dev)
    assert main.store.fsck().problems == []


def test_a_merge_commit_where_a_fast_forward_would_do(main: Checkout) -> None:
    main.put("a")
    dev = main.fork("dev")
    dev.put("b")
    old = main.head()
    merged = merge(main, "dev", fast_forward=False)
    assert (merged.merge.kind, parents(main)) == ("commit", [old, dev.head()])
    assert merge(dev, "main").merge.kind == "fast-forward"


def test_a_squash_has_no_second_parent(main: Checkout, dev: Checkout) -> None:
    ours = main.head()
    merged = merge(main, "dev", squash=True)
    assert (merged.merge.kind, parents(main)) == ("commit", [ours])
    assert tree(main) == {"a": b"main", "b": b"dev", "d": b"dev"}
    assert merge(main, "dev", squash=True).merge.kind == "nothing"
    fork = main.fork("fork")
    fork.put("x")
    fork.put("y")
    assert merge(main, "fork", squash=True).head.change_count == 2


# ---------------------------------------------------------------- conflicts


def test_a_conflict_is_told_and_changes_nothing(main: Checkout, dev: Checkout) -> None:
    conflict(main, dev)
    head, before = main.head(), tree(main)
    with pytest.raises(Conflicted) as refused:
        merge(main, "dev")
    b, c = refused.value.conflicts
    assert (b.key, b.base and b.base.size, b.ours and b.ours.size, b.theirs and b.theirs.size) == ("b", 1, 4, 3)
    assert (c.key, c.base and c.base.size, c.ours and c.ours.size, c.theirs) == ("c", 1, 4, None)
    assert str(refused.value) == "both sides changed 'b', 'c'"
    assert (main.head(), tree(main)) == (head, before)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("ours", {"b": b"main", "c": b"main"}),
        ("theirs", {"b": b"dev"}),
        ({"b": "theirs", "c": "ours", "d": "ours"}, {"b": b"dev", "c": b"main"}),
    ],
)
def test_strategies_decide_conflicts_and_nothing_else(
    main: Checkout, dev: Checkout, strategy: Any, expected: dict[str, bytes]
) -> None:
    conflict(main, dev)
    merge(main, "dev", strategy=strategy)
    assert tree(main) == {"a": b"main", "d": b"dev", **expected}
    assert merge(main, "dev").merge.kind == "nothing"


def test_a_key_without_a_decision_remains_a_conflict(main: Checkout, dev: Checkout) -> None:
    conflict(main, dev)
    with pytest.raises(Conflicted) as refused:
        merge(main, "dev", strategy={"b": "ours"})
    assert [conflict.key for conflict in refused.value.conflicts] == ["c"]


def test_a_plan_tells_all_and_changes_nothing(main: Checkout, dev: Checkout) -> None:
    conflict(main, dev)
    head = main.head()
    planned = main.store.plan_merge(main.branch, "dev")
    assert planned.kind == "commit"
    assert [conflict.key for conflict in planned.conflicts] == ["b", "c"]
    assert changed(planned) == {"d": "added"}
    decided = main.store.plan_merge(main.branch, "dev", strategy="theirs")
    assert (changed(decided), decided.conflicts) == ({"b": "changed", "c": "removed", "d": "added"}, [])
    assert main.store.plan_merge(main.branch, "HEAD^").kind == "nothing"
    assert main.store.plan_merge(main.fork("fork", "HEAD~2").branch, "main").kind == "fast-forward"
    assert main.head() == head


def test_a_criss_cross_undoes_nothing(main: Checkout) -> None:
    """Two merge bases: what one of them does not know of yet may have been taken back since."""
    main.put_all("k", "j")
    dev = main.fork("dev")
    one, two = main.put("k", b"main").commit_id, dev.put("j", b"dev").commit_id
    merge(main, two)
    merge(dev, one)
    assert tree(main) == tree(dev) == {"k": b"main", "j": b"dev"}
    main.put("j", b"j")
    dev.put("x")
    with pytest.raises(Conflicted) as refused:
        merge(main, "dev")
    assert [conflict.key for conflict in refused.value.conflicts] == ["j"]
    merge(main, "dev", strategy="ours")
    assert tree(main) == {"k": b"main", "j": b"j", "x": b""}


def test_a_criss_cross_without_further_changes_is_clean(main: Checkout) -> None:
    main.put_all("k", "j")
    dev = main.fork("dev")
    one, two = main.put("k", b"main").commit_id, dev.put("j", b"dev").commit_id
    merge(main, two)
    merge(dev, one)
    main.put("m")
    dev.put("d")
    merged = merge(main, "dev")
    assert changed(merged.merge) == {"d": "added"}
    assert merge(dev, "main").merge.kind == "fast-forward"


# ---------------------------------------------------------------- cherry-pick and revert


def test_a_cherry_pick_makes_one_commits_changes(main: Checkout, dev: Checkout) -> None:
    picked = main.store.cherry_pick(main.branch, "dev^", author="bob").result()
    assert changed(picked.merge) == {"b": "changed", "c": "removed"}
    assert (picked.head.author, picked.head.message, picked.head.seq) == ("bob", "", 3)
    assert tree(main) == {"a": b"main", "b": b"dev"}
    assert len(parents(main)) == 1
    again = main.store.cherry_pick(main.branch, "dev^", author="bob").result()
    assert (again.merge.kind, again.head) == ("nothing", picked.head)
    dev.commit(Put("e", inline(b"")), message="with e")
    assert main.store.cherry_pick(main.branch, "dev", author="bob").result().head.message == "with e"


def test_a_cherry_pick_of_a_key_that_moved_is_a_conflict(main: Checkout, dev: Checkout) -> None:
    main.put("b", b"main")
    head = main.head()
    with pytest.raises(Conflicted) as refused:
        main.store.cherry_pick(main.branch, "dev^", author=AUTHOR).result()
    assert [conflict.key for conflict in refused.value.conflicts] == ["b"]
    assert main.head() == head
    main.store.cherry_pick(main.branch, "dev^", author=AUTHOR, strategy="theirs").result()
    assert tree(main) == {"a": b"main", "b": b"dev"}


def test_a_revert_undoes_one_commit(main: Checkout) -> None:
    main.put_all("a", "b")
    done = main.commit(Put("a", inline(b"2")), Delete("b"), Put("c", inline(b""))).commit
    assert done is not None
    main.put("d")
    undone = main.store.revert(main.branch, done.id, author=AUTHOR).result()
    assert undone.head.message == f"Revert {done.id}"
    assert tree(main) == {"a": b"a", "b": b"b", "d": b""}
    main.store.revert(main.branch, "HEAD", author=AUTHOR, message="after all").result()
    assert tree(main) == {"a": b"2", "c": b"", "d": b""}
    main.put("a", b"3")
    with pytest.raises(Conflicted):
        main.store.revert(main.branch, done.id, author=AUTHOR).result()
    assert main.store.fsck().problems == []


def test_a_merge_is_reverted_against_its_first_parent(main: Checkout, dev: Checkout) -> None:
    before = tree(main)
    merge(main, "dev")
    main.store.revert(main.branch, "HEAD", author=AUTHOR).result()
    assert tree(main) == before
    assert merge(main, "dev").merge.kind == "nothing"


def test_the_root_commit_can_be_neither_picked_nor_reverted(main: Checkout) -> None:
    for attempt in (
        main.store.cherry_pick(main.branch, "HEAD", author=AUTHOR),
        main.store.revert(main.branch, "HEAD", author=AUTHOR),
    ):
        with pytest.raises(NoSuchCommit, match="root commit"):
            attempt.result()


# ---------------------------------------------------------------- the head that was expected


def test_a_head_that_moved_stops_everything(main: Checkout, dev: Checkout) -> None:
    stale = main.store.resolve(main.branch, "HEAD^").id
    head, store, branch = main.head(), main.store, main.branch
    attempts: list[Future[Any]] = [
        store.merge(branch, "dev", author=AUTHOR, expected_head=stale),
        store.cherry_pick(branch, "dev", author=AUTHOR, expected_head=stale),
        store.revert(branch, "HEAD", author=AUTHOR, expected_head=stale),
        store.reset_branch(branch, "HEAD^", expected_head=stale),
        store.delete_branch(branch, expected_head=stale),
        store.commit(branch, [Delete("a")], author=AUTHOR, expected_head=stale),
    ]
    for attempt in attempts:
        with pytest.raises(HeadMoved) as moved:
            attempt.result()
        assert moved.value.actual == head
    assert main.head() == head
    merged = store.merge(branch, "dev", author=AUTHOR, expected_head=CommitId(head)).result()
    assert store.commit(branch, [Delete("a")], author=AUTHOR, expected_head=merged.head.id).result().commit is not None


def test_what_is_not_there_is_not_merged(main: Checkout, dev: Checkout) -> None:
    for rev in ("nowhere", "0123456789abcdef", "HEAD~99"):
        with pytest.raises(NoSuchCommit):
            merge(main, rev)
        with pytest.raises(NoSuchCommit):
            main.store.plan_merge(main.branch, rev)
    other = Checkout.create(main.store, "docs")
    other.put("x")
    with pytest.raises(NoSuchCommit):
        merge(main, other.head())
    main.store.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchBranch):
        merge(dev, "main")


# ---------------------------------------------------------------- metadata


def test_what_a_merge_is_given_as_metadata_is_its_commits(main: Checkout, dev: Checkout) -> None:
    merged = merge(main, "dev", metadata='{"input":"1"}')
    assert merged.head.metadata == '{"input":"1"}'
    reverted = main.store.revert(main.branch, "HEAD", author=AUTHOR, metadata='{"why":"2"}').result()
    assert reverted.head.metadata == '{"why":"2"}'
    assert main.store.fsck().problems == []
