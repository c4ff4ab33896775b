"""Branches that are reset and brought back; repos renamed, told about and deleted."""

from __future__ import annotations

import pytest

from pfs import (
    Branch,
    BranchExists,
    InvalidName,
    NoSuchBranch,
    NoSuchCommit,
    NoSuchRepo,
    RepoExists,
    Store,
    TagExists,
)
from tests.stores import AUTHOR, PROJECT, Checkout


def reset(checkout: Checkout, rev: str) -> Checkout:
    return Checkout(checkout.store, checkout.store.reset_branch(checkout.branch, rev).result())


def label(branch: Branch) -> str:
    return f"{branch.name}.{branch.repo}"


# ---------------------------------------------------------------- reset


def test_a_reset_branch_goes_on_from_there_and_the_old_head_stays_reachable(main: Checkout) -> None:
    made = [main.head(), *(main.put(key).commit_id for key in "abc")]
    back = reset(main, "HEAD~2")
    assert (back.head(), back.keys(), back.branch.head_seq) == (made[1], ["a"], 1)
    assert back.store.resolve(back.branch, "HEAD^").id == made[0]
    assert back.keys(made[3]) == ["a", "b", "c"]
    back.put("d")
    back.delete("a")
    assert (back.keys(), back.keys("HEAD~2"), back.keys(made[3])) == (["d"], ["a"], ["a", "b", "c"])
    forth = reset(back, made[3])
    assert (forth.head(), forth.keys()) == (made[3], ["a", "b", "c"])
    assert forth.store.fsck().problems == []


def test_a_branch_can_be_reset_to_another_and_to_the_root(main: Checkout) -> None:
    main.put("a")
    dev = main.fork("dev")
    dev.put("b")
    moved = reset(main, "dev")
    assert moved.head() == dev.head()
    moved.put("c")
    assert (moved.keys(), dev.keys()) == (["a", "b", "c"], ["a", "b"])
    empty = reset(moved, "HEAD~3")
    assert (empty.keys(), len(empty.view().levels)) == ([], 1)


def test_a_reset_to_the_head_itself_changes_nothing(main: Checkout) -> None:
    main.put("a")
    branch = main.store.branch(PROJECT, "images")
    assert main.store.reset_branch(main.branch, "HEAD").result() == branch
    with pytest.raises(NoSuchCommit):
        main.store.reset_branch(main.branch, "nowhere").result()
    assert main.store.branch(PROJECT, "images") == branch


def test_who_holds_an_older_branch_writes_to_where_it_is_now(main: Checkout) -> None:
    main.put("a")
    main.put("b")
    now = reset(main, "HEAD^")
    main.put("c")
    assert now.keys() == ["a", "c"]
    assert main.keys("HEAD") == ["a", "c"]


# ---------------------------------------------------------------- restore


def test_a_deleted_branch_is_brought_back_as_it_was(main: Checkout) -> None:
    main.put("a")
    dev = main.fork("dev")
    head = dev.put("b").commit_id
    main.store.delete_branch(dev.branch).result()
    ((deleted, _),) = main.store.deleted_branches(PROJECT, "images")
    assert deleted.id == dev.branch.id
    back = Checkout(main.store, main.store.restore_branch(PROJECT, "images", "dev").result())
    assert (back.branch.id, back.branch.label, back.head(), back.keys()) == (
        dev.branch.id,
        "dev.images",
        head,
        ["a", "b"],
    )
    assert main.store.deleted_branches(PROJECT, "images") == []
    back.put("c")
    assert back.keys() == ["a", "b", "c"]


def test_of_several_deleted_branches_of_a_name_the_last_comes_back(main: Checkout) -> None:
    for key in "xyz":
        dev = main.fork("dev")
        dev.put(key)
        main.store.delete_branch(dev.branch).result()
    assert Checkout(main.store, main.store.restore_branch(PROJECT, "images", "dev").result()).keys() == ["z"]
    with pytest.raises(BranchExists):
        main.store.restore_branch(PROJECT, "images", "dev").result()


def test_what_can_not_be_restored(main: Checkout) -> None:
    for repo, name in (("images", "dev"), ("docs", "main")):
        with pytest.raises(NoSuchBranch):
            main.store.restore_branch(PROJECT, repo, name).result()
    main.store.delete_branch(main.fork("dev").branch).result()
    main.store.create_tag(main.branch, "dev", author=AUTHOR).result()
    with pytest.raises(TagExists):
        main.store.restore_branch(PROJECT, "images", "dev").result()


def test_the_last_branch_brings_its_repo_back(main: Checkout) -> None:
    main.put("a")
    main.store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchRepo):
        main.store.repo(PROJECT, "images")
    main.store.restore_branch(PROJECT, "images", "main").result()
    assert Checkout(main.store, main.store.branch(PROJECT, "images")).keys() == ["a"]


def test_branches_of_a_repo_that_another_has_replaced_stay_away(main: Checkout) -> None:
    main.store.delete_branch(main.branch).result()
    Checkout.create(main.store, "images", "trunk")
    with pytest.raises(NoSuchBranch):
        main.store.restore_branch(PROJECT, "images", "main").result()


# ---------------------------------------------------------------- repos


def test_repos_are_listed_by_name(store: Store) -> None:
    for name in ("b", "c", "a"):
        Checkout.create(store, name)
    store.create_branch("other", "d", None, label="d", author=AUTHOR).result()
    assert [repo.name for repo in store.repos(PROJECT)] == ["a", "b", "c"]
    assert [repo.name for repo in store.repos(PROJECT, after="a", limit=1)] == ["b"]


def test_a_summary_counts(main: Checkout) -> None:
    main.put("a", b"123")
    main.put("b", b"45")
    main.delete("b")
    dev = main.fork("dev")
    dev.put("c")
    main.store.create_tag(main.branch, "v1", author=AUTHOR).result()
    repo = main.store.repo(PROJECT, "images")
    told = main.store.repo_summary(repo)
    assert (told.branches, told.tags, told.commits, told.objects, told.size_bytes) == (2, 1, 5, 1, 3)
    assert [branch.name for branch in main.store.repo_branches(repo)] == ["dev", "main"]
    reset(main, "dev").put("d", b"6789")
    told = main.store.repo_summary(repo)
    assert (told.commits, told.objects, told.size_bytes) == (6, 3, 7)
    main.store.delete_branch(main.branch).result()
    assert main.store.repo_summary(repo).objects == 0


def test_a_repo_gets_another_name(main: Checkout) -> None:
    main.put("a")
    dev = main.fork("dev")
    main.store.delete_branch(main.fork("gone").branch).result()
    renamed = main.store.rename_repo(PROJECT, "images", "pictures", relabel=label).result()
    assert (renamed.name, renamed.id) == ("pictures", main.branch.repo_id)
    assert [branch.label for branch in main.store.branches(PROJECT)] == ["dev.pictures", "main.pictures"]
    assert Checkout(main.store, main.store.branch(PROJECT, "pictures")).keys() == ["a"]
    assert main.store.restore_branch(PROJECT, "pictures", "gone").result().label == "gone.pictures"
    dev.put("b")
    with pytest.raises(NoSuchRepo):
        main.store.branch(PROJECT, "images")
    Checkout.create(main.store, "images")
    for attempt, error in (("images", RepoExists), ("Images", InvalidName)):
        with pytest.raises(error):
            main.store.rename_repo(PROJECT, "pictures", attempt, relabel=label).result()
    with pytest.raises(NoSuchRepo):
        main.store.rename_repo(PROJECT, "nowhere", "somewhere", relabel=label).result()


def test_a_deleted_repo_is_gone_until_a_branch_is_restored(main: Checkout) -> None:
    main.put("a")
    main.fork("dev").put("b")
    main.store.delete_repo(PROJECT, "images").result()
    assert (main.store.repos(PROJECT), main.store.branches(PROJECT)) == ([], [])
    with pytest.raises(NoSuchBranch):
        main.put("c")
    with pytest.raises(NoSuchRepo):
        main.store.delete_repo(PROJECT, "images").result()
    main.store.restore_branch(PROJECT, "images", "dev").result()
    assert [branch.name for branch in main.store.branches(PROJECT)] == ["dev"]
    assert main.store.fsck().problems == []
