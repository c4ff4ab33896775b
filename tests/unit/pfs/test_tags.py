"""Tags: immutable names for commits."""

from __future__ import annotations

import pytest

from pfs import (
    BranchExists,
    CommitId,
    HeadMoved,
    InvalidName,
    NoSuchCommit,
    NoSuchRepo,
    NoSuchTag,
    Tag,
    TagExists,
)
from tests.stores import AUTHOR, PROJECT, Checkout


def tag(checkout: Checkout, name: str, rev: str = "HEAD", **options: str) -> Tag:
    return checkout.store.create_tag(checkout.branch, name, rev, author=AUTHOR, **options).result()  # type: ignore[arg-type]


def test_a_tag_names_its_commit_for_ever(main: Checkout) -> None:
    first = main.put("a", b"1").commit_id
    made = tag(main, "v1", message="the first")
    main.put("a", b"2")
    assert (made.name, made.commit_id, made.author, made.message) == ("v1", first, AUTHOR, "the first")
    assert main.store.tag(PROJECT, "images", "v1") == made
    assert main.get("a", "v1") == b"1"
    assert main.keys("v1^") == []
    assert main.store.resolve(main.branch, "v1~0").id == first
    with pytest.raises(TagExists):
        tag(main, "v1")
    assert main.get("a", "v1") == b"1"


def test_it_is_seen_from_every_branch_of_its_repo_and_from_no_other(main: Checkout) -> None:
    main.put("a", b"1")
    dev = main.fork("dev")
    tag(dev, "v1", "main")
    main.put("a", b"2")
    assert dev.get("a", "v1") == main.get("a", "v1") == b"1"
    assert main.fork("from-tag", "v1").get("a") == b"1"
    other = Checkout.create(main.store, "docs")
    with pytest.raises(NoSuchCommit):
        other.get("a", "v1")
    tag(other, "v1")


def test_listing_and_deletion(main: Checkout) -> None:
    for name in ("c", "a", "b"):
        tag(main, name)
    assert [found.name for found in main.store.tags(PROJECT, "images")] == ["a", "b", "c"]
    assert [found.name for found in main.store.tags(PROJECT, "images", after="a", limit=1)] == ["b"]
    main.store.delete_tag(PROJECT, "images", "b").result()
    assert [found.name for found in main.store.tags(PROJECT, "images")] == ["a", "c"]
    with pytest.raises(NoSuchTag):
        main.store.delete_tag(PROJECT, "images", "b").result()
    with pytest.raises(NoSuchTag):
        main.store.tag(PROJECT, "images", "b")
    with pytest.raises(NoSuchCommit):
        main.keys("b")
    with pytest.raises(NoSuchRepo):
        main.store.tags(PROJECT, "nowhere")
    with pytest.raises(NoSuchRepo):
        main.store.delete_tag(PROJECT, "nowhere", "a").result()


def test_branches_and_tags_share_their_names(main: Checkout) -> None:
    tag(main, "v1")
    with pytest.raises(TagExists):
        main.fork("v1")
    with pytest.raises(TagExists):
        Checkout.create(main.store, "images", "v1")
    with pytest.raises(BranchExists):
        tag(main, "main")


def test_a_tag_comes_before_an_id_prefix(main: Checkout) -> None:
    main.put("a")
    prefix = main.head()[:8]
    tag(main, prefix, "HEAD^")
    assert main.store.resolve(main.branch, prefix).seq == 0
    assert main.store.resolve(main.branch, main.head()).seq == 1


def test_a_branch_at_an_instant_is_no_tag(main: Checkout) -> None:
    tag(main, "v1")
    with pytest.raises(NoSuchCommit):
        main.keys("v1@{2100-01-01}")


def test_what_can_not_be_tagged(main: Checkout) -> None:
    for name in ("", "V1", "v1.0", "HEAD"):
        with pytest.raises(InvalidName):
            tag(main, name)
    with pytest.raises(NoSuchCommit):
        tag(main, "v1", "HEAD^")
    with pytest.raises(HeadMoved) as moved:
        tag(main, "v1", expected_head=CommitId("0" * 64))
    assert moved.value.actual == main.head()
    assert main.store.tags(PROJECT, "images") == []
