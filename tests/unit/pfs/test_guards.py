"""What callers have a say in: who restores, renames and deletes, and what a fork begins with."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from pfs import (
    Branch,
    BranchExists,
    GuardRefused,
    HeadMoved,
    InvalidRevision,
    NoSuchBranch,
    NoSuchCommit,
    Store,
)
from tests.stores import AUTHOR, PROJECT, Checkout

OWNER = "owner"


def make(store: Store, repo: str, owner: str) -> Branch:
    return store.create_branch(PROJECT, repo, None, label=repo, author=AUTHOR, settings={OWNER: owner}).result()


def refuse(*_: object) -> str:
    raise GuardRefused("no")


def test_a_fork_begins_with_its_settings_and_none_of_its_sources(store: Store) -> None:
    source = make(store, "images", "ann")
    made = store.fork_branch(source, "HEAD", "dev", label="dev.images", settings={OWNER: "ben"}).result()
    assert made.settings == store.branch(PROJECT, "images", "dev").settings == {OWNER: "ben"}
    plain = store.fork_branch(source, "HEAD", "plain", label="plain.images").result()
    assert store.branch(PROJECT, "images", plain.name).settings == {}


def test_a_deleted_branch_is_told_and_restored_to_those_who_may(store: Store) -> None:
    for owner in ("ann", "ben"):
        store.delete_branch(make(store, "images", owner)).result()

    def anns(branch: Branch) -> bool:
        return branch.settings[OWNER] == "ann"

    assert [branch.settings for branch, _ in store.deleted_branches(PROJECT, "images")] == [{OWNER: "ben"}]
    assert [branch.settings for branch, _ in store.deleted_branches(PROJECT, "images", may=anns)] == [{OWNER: "ann"}]
    with pytest.raises(NoSuchBranch):
        store.restore_branch(PROJECT, "images", "main", may=lambda _: False).result()
    assert store.restore_branch(PROJECT, "images", "main", may=anns).result().settings == {OWNER: "ann"}
    with pytest.raises(BranchExists):
        store.restore_branch(PROJECT, "images", "main").result()
    assert store.deleted_branches(PROJECT, "images") == []


def test_a_refused_rename_or_deletion_changes_nothing(main: Checkout) -> None:
    main.fork("dev")
    store, seen = main.store, list[Sequence[Branch]]()

    def guard(branches: Sequence[Branch]) -> None:
        seen.append(branches)
        refuse()

    before = store.branches(PROJECT)
    attempts: list[Future[Any]] = [
        store.rename_repo(PROJECT, "images", "pictures", relabel=lambda branch: branch.name, guard=guard),
        store.delete_repo(PROJECT, "images", guard=guard),
        store.rename_repo(PROJECT, "images", "pictures", relabel=refuse),
    ]
    for attempt in attempts:
        with pytest.raises(GuardRefused):
            attempt.result()
    assert [[branch.name for branch in branches] for branches in seen] == [["dev", "main"]] * 2
    assert store.branches(PROJECT) == before
    main.put("still")


def test_heads_are_those_that_the_branches_had(main: Checkout) -> None:
    first = main.put("a").commit_id
    main.branch = main.store.branch(PROJECT, "images")
    dev = main.fork("dev")
    second = main.put("b").commit_id
    now = main.store.branch(PROJECT, "images")
    heads = main.store.heads([now, dev.branch, main.branch])
    assert [head.commit.id for head in heads] == [second, first, first]
    assert list(heads[0].parents) == [first]


def test_a_plan_is_refused_where_the_head_has_moved(main: Checkout) -> None:
    main.put("a")
    head = main.head()
    planned = main.store.plan_merge(main.branch, "HEAD", expected_head=main.store.resolve(main.branch, head).id)
    assert planned.kind == "nothing"
    main.put("b")
    with pytest.raises(HeadMoved) as moved:
        main.store.plan_merge(main.branch, "HEAD", expected_head=main.store.resolve(main.branch, head).id)
    assert moved.value.actual == main.head()


def test_a_commit_is_found_in_its_repo_by_telling_prefixes_alone(main: Checkout) -> None:
    other = Checkout.create(main.store, "docs")
    commit_id = other.put("k").commit_id
    with pytest.raises(NoSuchCommit):
        main.store.resolve(main.branch, commit_id)
    for rev in (commit_id, commit_id[:8], f"{commit_id}~3", f"{commit_id[:12]}^2"):
        assert [repo.name for repo in main.store.repos_with_commit(PROJECT, rev)] == ["docs"]
    for rev in (commit_id[:7], "HEAD", "main", "0" * 64):
        assert list(main.store.repos_with_commit(PROJECT, rev)) == []
    assert list(main.store.repos_with_commit("another", commit_id)) == []
    with pytest.raises(InvalidRevision):
        main.store.repos_with_commit(PROJECT, "no revision")
    main.store.delete_repo(PROJECT, "docs").result()
    assert list(main.store.repos_with_commit(PROJECT, commit_id)) == []


def test_a_tags_message_may_hold_nul(main: Checkout) -> None:
    made = main.store.create_tag(main.branch, "v1", author=AUTHOR, message="a\0b").result()
    assert made == main.store.tag(PROJECT, "images", "v1")
    assert made.message == "a\N{REPLACEMENT CHARACTER}b"
