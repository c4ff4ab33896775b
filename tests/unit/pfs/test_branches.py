"""Branches and repos: made, listed, deleted, made again."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from pfs import Branch, BranchExists, InvalidName, NoSuchBranch, NoSuchCommit, NoSuchKey, NoSuchRepo, Store
from tests.stores import AUTHOR, PROJECT, Checkout


def create(store: Store, repo: str, branch: str | None = None, project: str = PROJECT) -> Future[Branch]:
    label = repo if branch is None else f"{branch}.{repo}"
    return store.create_branch(project, repo, branch, label=label, author=AUTHOR)


def labels(store: Store, **options: str | int) -> list[str]:
    return [branch.label for branch in store.branches(PROJECT, **options)]  # type: ignore[arg-type]


def test_the_first_branch_makes_its_repo_and_is_its_default(store: Store) -> None:
    plain = create(store, "images").result()
    assert (plain.name, plain.repo, plain.label, plain.head_seq) == ("main", "images", "images", 0)
    named = create(store, "docs", "trunk").result()
    assert store.branch(PROJECT, "docs") == named == store.branch(PROJECT, "docs", "trunk")
    assert store.branch(PROJECT, "images") == plain
    root = store.resolve(named, "HEAD")
    assert (root.seq, root.author, root.message, root.change_count) == (0, AUTHOR, "", 0)


def test_further_branches_leave_the_default_alone(store: Store) -> None:
    first = create(store, "images", "trunk").result()
    dev = create(store, "images", "dev").result()
    assert store.branch(PROJECT, "images") == first
    assert store.branch(PROJECT, "images", "dev") == dev
    store.delete_branch(first).result()
    with pytest.raises(NoSuchBranch) as absent:
        store.branch(PROJECT, "images")
    assert absent.value.branch == "trunk"
    assert create(store, "images").result().name == "trunk"


def test_a_branch_is_made_once(store: Store) -> None:
    create(store, "images").result()
    for name in (None, "main"):
        with pytest.raises(BranchExists) as refused:
            create(store, "images", name).result()
        assert (refused.value.repo, refused.value.branch) == ("images", "main")


@pytest.mark.parametrize("name", ["", "A", "a.b", "-a", "a-", "a_b", "é", "a" * 64, "a\n"])
def test_illegal_names_are_refused_at_once(store: Store, name: str) -> None:
    with pytest.raises(InvalidName):
        create(store, name)
    with pytest.raises(InvalidName):
        create(store, "images", name)


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a--b", "a" * 63, "deadbeef"])
def test_legal_names(store: Store, name: str) -> None:
    assert create(store, name, name).result().repo == name


def test_what_is_absent_says_what(store: Store) -> None:
    with pytest.raises(NoSuchRepo):
        store.branch(PROJECT, "images")
    create(store, "images").result()
    with pytest.raises(NoSuchBranch):
        store.branch(PROJECT, "images", "dev")
    with pytest.raises(NoSuchRepo):
        store.branch("another", "images")


def test_projects_do_not_see_each_other(store: Store) -> None:
    ours, theirs = create(store, "images").result(), create(store, "images", project="theirs").result()
    assert ours.repo_id != theirs.repo_id
    assert labels(store) == ["images"]
    Checkout(store, ours).put("key")
    assert Checkout(store, theirs).keys() == []


def test_branches_are_listed_by_label(store: Store) -> None:
    for repo, branch in (("b", None), ("a", "x"), ("a", "w"), ("a-b", None), ("c0", None), ("c", "d-e")):
        create(store, repo, branch).result()
    whole = ["a-b", "b", "c0", "d-e.c", "w.a", "x.a"]
    assert labels(store) == whole
    assert labels(store, prefix="c") == ["c0"]
    assert labels(store, prefix="d-") == ["d-e.c"]
    assert labels(store, prefix="nothing") == []
    for limit in range(1, 8):
        found: list[str] = []
        while page := labels(store, after=found[-1] if found else "", limit=limit):
            found += page
        assert found == whole
    store.delete_branch(store.branch(PROJECT, "a", "w")).result()
    assert labels(store) == ["a-b", "b", "c0", "d-e.c", "x.a"]


def test_a_label_is_free_text(store: Store) -> None:
    branch = store.create_branch(PROJECT, "images", "dev", label="An é\U0001f600 of mine", author=AUTHOR).result()
    assert labels(store) == [branch.label] == ["An é\U0001f600 of mine"]


def test_deletion_takes_a_branch_with_all_that_it_holds(main: Checkout) -> None:
    store, dev = main.store, main.fork("dev")
    main.put("key")
    store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchBranch):
        store.branch(PROJECT, "images", "main")
    with pytest.raises(NoSuchBranch):
        store.delete_branch(main.branch).result()
    assert dev.keys() == []
    dev.put("other")
    assert labels(store) == ["dev.images"]


def test_the_last_branch_takes_its_repo_along(main: Checkout) -> None:
    store, dev = main.store, main.fork("dev")
    store.delete_branch(main.branch).result()
    store.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchRepo):
        store.branch(PROJECT, "images")
    assert labels(store) == []


def test_a_branch_made_again_is_a_new_one(main: Checkout) -> None:
    store, dev = main.store, main.fork("dev")
    commit_id = main.put("key", b"old").commit_id
    store.delete_branch(main.branch).result()
    again = Checkout.create(store, "images")
    assert (again.keys(), again.branch.name) == ([], "main")
    with pytest.raises(NoSuchKey):
        again.get("key")
    assert again.versions() == []
    assert again.get("key", commit_id) == b"old"  # history stays, for whom knows its id
    assert dev.keys() == []


def test_a_repo_made_again_is_a_new_one(main: Checkout) -> None:
    commit_id = main.put("key", b"old").commit_id
    main.store.delete_branch(main.branch).result()
    again = Checkout.create(main.store, "images", "trunk")
    assert again.branch.repo_id != main.branch.repo_id
    assert main.store.branch(PROJECT, "images") == again.branch
    with pytest.raises(NoSuchCommit):
        again.get("key", commit_id)
    assert main.store.fsck().problems == []


def test_forks_outlive_the_branch_that_they_came_from(main: Checkout) -> None:
    main.put("key", b"v")
    dev = main.fork("dev")
    main.store.delete_branch(main.branch).result()
    assert (dev.get("key"), dev.get("key", "HEAD")) == (b"v", b"v")
    assert dev.fork("further").keys() == ["key"]
    assert main.store.fsck().problems == []
