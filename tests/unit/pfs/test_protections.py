"""Protected branches take merges only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from pfs import (
    Chosen,
    Completion,
    Delete,
    InvalidName,
    NoSuchProtection,
    ProtectedBranch,
    Put,
    Store,
    inline,
)
from tests.stores import AUTHOR, PROJECT, Checkout


def protect(checkout: Checkout, pattern: str) -> None:
    checkout.store.protect(checkout.store.repo(PROJECT, checkout.branch.repo), pattern, AUTHOR).result()


def unprotect(checkout: Checkout, pattern: str) -> None:
    checkout.store.unprotect(checkout.store.repo(PROJECT, checkout.branch.repo), pattern).result()


def protected(store: Store, repo: str = "images") -> list[str]:
    return [branch.name for branch in store.repo_branches(store.repo(PROJECT, repo)) if branch.protected]


def completion() -> Completion:
    chosen = [Chosen(1, lambda part: True)]
    return Completion(chosen, 0, lambda parts, content: "", lambda entry: entry.etag, "", None, AUTHOR, "")


DIRECT: list[tuple[str, Callable[[Store, Checkout, str], Any]]] = [
    ("put", lambda store, main, _: store.commit(main.branch, [Put("k", inline(b""))], author=AUTHOR)),
    ("delete", lambda store, main, _: store.commit(main.branch, [Delete("a")], author=AUTHOR)),
    ("no change", lambda store, main, _: store.commit(main.branch, [], author=AUTHOR)),
    ("upload", lambda store, main, _: store.create_upload(main.branch, "k", "", AUTHOR)),
    ("completion", lambda store, main, upload: store.complete_upload(main.branch, "k", upload, completion())),
    ("cherry-pick", lambda store, main, _: store.cherry_pick(main.branch, "dev", author=AUTHOR)),
    ("revert", lambda store, main, _: store.revert(main.branch, "HEAD", author=AUTHOR)),
    ("reset", lambda store, main, _: store.reset_branch(main.branch, "HEAD^")),
    ("branch's end", lambda store, main, _: store.delete_branch(main.branch)),
    ("repo's end", lambda store, main, _: store.delete_repo(PROJECT, "images")),
]


@pytest.mark.parametrize("change", [row[1] for row in DIRECT], ids=[row[0] for row in DIRECT])
def test_what_is_no_merge_is_refused(main: Checkout, change: Callable[[Store, Checkout, str], Any]) -> None:
    main.put("a")
    main.fork("dev").put("b")
    upload = main.store.create_upload(main.branch, "k", "", AUTHOR).result()
    main.store.put_part(upload, 1, inline(b"x")).result()
    protect(main, "ma*")
    head = main.head()
    with pytest.raises(ProtectedBranch) as refused:
        change(main.store, main, upload.id).result()
    assert (refused.value.repo, refused.value.branch, refused.value.pattern) == ("images", "main", "ma*")
    assert (main.head(), main.keys()) == (head, ["a"])
    unprotect(main, "ma*")
    change(main.store, main, upload.id).result()


@pytest.mark.parametrize("how", [{}, {"fast_forward": False}, {"squash": True}], ids=str)
def test_merges_are_taken(main: Checkout, how: dict[str, Any]) -> None:
    main.put("a")
    dev = main.fork("dev")
    dev.put("b")
    protect(main, "main")
    merged = main.store.merge(main.branch, "dev", author=AUTHOR, **how).result()
    now = Checkout(main.store, merged.branch)
    assert (now.keys(), merged.branch.protected) == (["a", "b"], True)
    with pytest.raises(ProtectedBranch):
        now.put("c")
    assert main.store.fsck().problems == []


def test_settings_and_tags_are_no_commits(main: Checkout) -> None:
    entry = main.put("a")
    protect(main, "main")
    main.store.set_entry_setting(main.branch, entry, "tags", "t").result()
    main.store.set_branch_setting(main.branch, "acl", "public").result()
    main.store.create_tag(main.branch, "v1", author=AUTHOR).result()
    upload_free = main.fork("dev")
    upload_free.put("b")


def test_an_upload_can_still_be_aborted(main: Checkout) -> None:
    upload = main.store.create_upload(main.branch, "k", "", AUTHOR).result()
    protect(main, "main")
    main.store.abort_upload(main.branch, "k", upload.id).result()


def test_patterns_are_globs_of_whole_names(main: Checkout) -> None:
    for name in ("release-1", "release-10", "prerelease-1", "dev"):
        main.fork(name)
    for pattern, expected in [
        ("release-*", ["release-1", "release-10"]),
        ("release-?", ["release-1"]),
        ("*", ["dev", "main", "prerelease-1", "release-1", "release-10"]),
        ("*e*-1", ["prerelease-1", "release-1"]),
        ("d?v", ["dev"]),
        ("nothing", []),
    ]:
        protect(main, pattern)
        assert protected(main.store) == expected, pattern
        unprotect(main, pattern)
        assert protected(main.store) == []


def test_the_last_of_several_protections_frees_a_branch(main: Checkout) -> None:
    protect(main, "m*")
    protect(main, "main")
    unprotect(main, "m*")
    assert protected(main.store) == ["main"]
    unprotect(main, "main")
    main.put("a")


def test_new_and_restored_branches_fall_under_what_is_there(main: Checkout) -> None:
    store = main.store
    store.delete_branch(main.fork("back").branch).result()
    store.delete_branch(main.fork("free").branch).result()
    protect(main, "b*")
    assert main.fork("beta").branch.protected
    assert Checkout.create(store, "images", "bee").branch.protected
    assert not main.fork("alpha").branch.protected
    assert store.restore_branch(PROJECT, "images", "back").result().protected
    assert not store.restore_branch(PROJECT, "images", "free").result().protected
    assert protected(store) == ["back", "bee", "beta"]
    assert not Checkout.create(store, "docs", "beta").branch.protected
    unprotect(main, "b*")
    store.delete_repo(PROJECT, "images").result()


def test_a_branch_that_was_protected_when_it_went_is_free_after_the_pattern_went(main: Checkout) -> None:
    store = main.store
    dev = main.fork("dev")
    protect(main, "main")
    store.delete_branch(dev.branch).result()
    protect(main, "dev")
    unprotect(main, "dev")
    assert not store.restore_branch(PROJECT, "images", "dev").result().protected


def test_a_renamed_repo_keeps_its_protections(main: Checkout) -> None:
    protect(main, "main")
    main.store.rename_repo(PROJECT, "images", "docs", relabel=lambda branch: branch.name).result()
    assert protected(main.store, "docs") == ["main"]


def test_protections_are_listed_by_pattern_and_made_once(main: Checkout) -> None:
    store, repo = main.store, main.store.repo(PROJECT, "images")
    first = store.protect(repo, "release-*", "ann").result()
    assert store.protect(repo, "release-*", "bob").result() == first
    store.protect(repo, "main", "bob").result()
    assert [(found.pattern, found.author) for found in store.protections(repo)] == [
        ("main", "bob"),
        ("release-*", "ann"),
    ]
    with pytest.raises(NoSuchProtection):
        store.unprotect(repo, "dev").result()


@pytest.mark.parametrize("pattern", ["", "Main", "a.b", "[ab]", "a/b", "a" * 129, "a\0", "ä"])
def test_bad_patterns_are_refused(main: Checkout, pattern: str) -> None:
    repo = main.store.repo(PROJECT, "images")
    for attempt in (lambda: main.store.protect(repo, pattern, AUTHOR), lambda: main.store.unprotect(repo, pattern)):
        with pytest.raises(InvalidName) as refused:
            attempt()
        assert refused.value.what == "pattern"


def test_a_head_that_was_read_before_is_judged_by_what_holds_now(main: Checkout) -> None:
    """One group: the write behind the protection is refused, the one before is not."""
    repo = main.store.repo(PROJECT, "images")
    futures: list[Future[Any]] = [
        main.store.commit(main.branch, [Put("a", inline(b""))], author=AUTHOR),
        main.store.protect(repo, "main", AUTHOR),
        main.store.commit(main.branch, [Put("b", inline(b""))], author=AUTHOR),
        main.store.unprotect(repo, "main"),
        main.store.commit(main.branch, [Put("c", inline(b""))], author=AUTHOR),
    ]
    assert [type(future.exception()) for future in futures] == [
        type(None),
        type(None),
        ProtectedBranch,
        type(None),
        type(None),
    ]
    assert main.keys() == ["a", "c"]


@pytest.mark.parametrize("damage", ["UPDATE branches SET protected = 1 - protected", "DELETE FROM protections"])
def test_fsck_finds_a_branch_that_is_kept_otherwise_than_its_patterns_say(main: Checkout, damage: str) -> None:
    protect(main, "m*")
    assert main.store.fsck().problems == []
    with main.store._database.transaction() as conn:
        conn.script(damage)
    assert [problem.kind for problem in main.store.fsck().problems] == ["protection"]
