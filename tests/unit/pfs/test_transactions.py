"""Transactions: many writes on a branch of their own that become one commit on their target, or nothing."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from pfs import (
    BranchExists,
    Chosen,
    Completion,
    Delete,
    InvalidName,
    NoSuchBranch,
    NoSuchRepo,
    NoSuchTransaction,
    NoSuchUpload,
    ProtectedBranch,
    Put,
    Store,
    StoreError,
    TransactionConflict,
    TransactionEnded,
    TransactionInfo,
    canonical_json,
    inline,
)
from tests.stores import AUTHOR, PROJECT, Checkout

HOUR = 3600


def begin(target: Checkout, *, expires_in_s: int = HOUR, message: str = "", metadata: str = "") -> TransactionInfo:
    return target.store.begin_transaction(
        target.branch,
        author="bea",
        message=message,
        metadata=metadata,
        expires_in_s=expires_in_s,
        settings={"owner": "bea"},
        label=lambda name: f"{name}.{target.branch.repo}",
    ).result()


def inside(store: Store, info: TransactionInfo) -> Checkout:
    return Checkout(store, store.branch(PROJECT, info.repo, info.id))


def commit(store: Store, info: TransactionInfo, message: str | None = None) -> TransactionInfo:
    return store.commit_transaction(info, author="cid", message=message).result()


def at_head(checkout: Checkout, key: str) -> bytes:
    return checkout.get(key, "HEAD")


def state(store: Store, info: TransactionInfo) -> str:
    return store.transaction(PROJECT, info.repo, info.id).state


# ---------------------------------------------------------------- one commit


def test_all_that_was_written_becomes_one_commit(main: Checkout) -> None:
    store, head = main.store, main.put("old", b"1").commit_id
    main.put_all("gone", "same")
    base = main.head()
    info = begin(main, message="load", metadata=canonical_json({"from": "here"}))
    work = inside(store, info)
    work.put("old", b"2")
    work.put("new", b"n" * 5000)
    work.delete("gone")
    assert (work.keys(), main.keys(), main.head()) == (["new", "old", "same"], ["gone", "old", "same"], base)
    assert at_head(main, "old") == b"1"
    ended = commit(store, info)
    assert (info.base, info.state, ended.state, ended.commit_id) == (base, "open", "committed", main.head())
    assert main.keys() == ["new", "old", "same"]
    assert (at_head(main, "old"), at_head(main, "new")) == (b"2", b"n" * 5000)
    made, changes = store.show(main.branch, "HEAD")
    assert (made.commit.author, made.commit.message, made.commit.metadata) == ("cid", "load", '{"from":"here"}')
    assert (made.parents, [change.key for change in changes.changes]) == ((base,), ["gone", "new", "old"])
    assert store.entry(main.view(), "old").commit_id == main.head() != head
    assert store.fsck().problems == []


def test_what_the_commit_is_told_takes_the_place_of_what_it_was_begun_with(main: Checkout) -> None:
    info = begin(main, message="one\0", metadata='{"a":"1"}')
    assert info.message == "one\N{REPLACEMENT CHARACTER}"
    inside(main.store, info).put("a")
    main.store.commit_transaction(info, author="cid", message="two", metadata="").result()
    made = main.store.resolve(main.branch, "HEAD")
    assert (made.message, made.metadata) == ("two", "")


def test_what_was_taken_back_is_left_out(main: Checkout) -> None:
    main.put("kept", b"1")
    info = begin(main)
    work = inside(main.store, info)
    work.put("kept", b"2")
    work.put("kept", b"1")
    work.put("passing")
    work.delete("passing")
    work.delete("never")
    work.put("new")
    commit(main.store, info)
    assert [change.key for change in main.store.show(main.branch, "HEAD")[1].changes] == ["new"]
    assert main.store.resolve(main.branch, "HEAD").change_count == 1


def test_without_a_change_there_is_no_commit(main: Checkout) -> None:
    main.put("a")
    head = main.head()
    untouched, undone = begin(main), begin(main)
    work = inside(main.store, undone)
    work.put("b")
    work.delete("b")
    for info in (untouched, undone):
        ended = commit(main.store, info)
        assert (ended.state, ended.commit_id, main.head()) == ("committed", None, head)


def test_settings_of_versions_come_along(main: Checkout) -> None:
    main.put("tagged", b"same")
    info = begin(main)
    work = inside(main.store, info)
    content = inline(b"x")
    work.commit(Put("a", content, "attrs", "sums", settings={"owner": "bea", "tags": "t"}), Put("b", content))
    work.commit(Put("tagged", inline(b"same"), settings={"tags": "new"}))
    commit(main.store, info)
    view = main.view()
    a, b, tagged = (main.store.entry(view, key) for key in ("a", "b", "tagged"))
    assert (a.attrs, a.checksums, a.settings) == ("attrs", "sums", {"owner": "bea", "tags": "t"})
    assert (b.settings, tagged.settings) == ({}, {"tags": "new"})
    assert main.store.fsck().problems == []


# ---------------------------------------------------------------- conflicts


def test_a_key_that_moved_meanwhile_is_a_conflict_and_nothing_is_changed(main: Checkout) -> None:
    main.put_all("a", "b", "c", "d")
    info = begin(main)
    work = inside(main.store, info)
    work.put_all("a", "b", "new", "mine")
    work.delete("c")
    main.put("b", b"b")
    main.put("c")
    main.put("new")
    main.put("d")
    head = main.head()
    for _ in range(2):
        with pytest.raises(TransactionConflict) as refused:
            commit(main.store, info)
        assert refused.value.keys == ("b", "c", "new")
    assert (main.head(), state(main.store, info)) == (head, "open")
    work.put("later")
    main.store.abandon_transaction(info).result()


def test_a_key_that_was_touched_conflicts_even_where_it_holds_what_it_held(main: Checkout) -> None:
    main.put("a", b"1")
    info = begin(main)
    work = inside(main.store, info)
    work.put("a", b"2")
    work.put("a", b"1")
    main.put("a", b"1")
    with pytest.raises(TransactionConflict):
        commit(main.store, info)


def test_a_key_that_is_absent_as_it_was_is_no_conflict(main: Checkout) -> None:
    info = begin(main)
    inside(main.store, info).put("a")
    main.put("a")
    main.delete("a")
    commit(main.store, info)
    assert main.keys() == ["a"]


def test_other_keys_of_the_target_do_not_matter(main: Checkout) -> None:
    main.put_all("a", "b")
    info = begin(main)
    inside(main.store, info).put("a", b"mine")
    main.put("b", b"theirs")
    main.put("c", b"theirs")
    commit(main.store, info)
    assert [at_head(main, key) for key in "abc"] == [b"mine", b"theirs", b"theirs"]


def test_a_target_that_was_moved_is_judged_by_what_it_holds(main: Checkout) -> None:
    main.put("a", b"1")
    dev = main.fork("dev")
    dev.put("b", b"dev")
    touches_a, touches_b = begin(main), begin(main)
    inside(main.store, touches_a).put("a", b"mine")
    inside(main.store, touches_b).put("b", b"mine")
    main.store.merge(main.branch, "dev", author=AUTHOR).result()
    with pytest.raises(TransactionConflict):
        commit(main.store, touches_b)
    main.store.reset_branch(main.branch, "HEAD^").result()
    commit(main.store, touches_b)
    commit(main.store, touches_a)
    now = Checkout(main.store, main.store.branch(PROJECT, "images"))
    assert (now.get("a"), now.get("b")) == (b"mine", b"mine")
    assert main.store.fsck().problems == []


def test_of_two_transactions_that_touch_a_key_the_second_conflicts(main: Checkout) -> None:
    one, two = begin(main), begin(main)
    inside(main.store, one).put("a", b"1")
    inside(main.store, two).put("a", b"2")
    commit(main.store, one)
    with pytest.raises(TransactionConflict):
        commit(main.store, two)
    assert at_head(main, "a") == b"1"


def test_a_transaction_upon_a_flattened_branch_is_as_any(main: Checkout) -> None:
    main.put_all("a", "b")
    dev = main.fork("dev")
    info = begin(dev)
    inside(main.store, info).put("a", b"mine")
    main.store.flatten(main.store.branch(PROJECT, "images", info.id))
    main.store.flatten(dev.branch)
    inside(main.store, info).put("c", b"mine")
    commit(main.store, info)
    assert [change.key for change in main.store.show(dev.branch, "HEAD")[1].changes] == ["a", "c"]
    assert main.store.fsck().problems == []


def test_what_a_reset_took_out_of_a_transaction_was_not_touched(main: Checkout) -> None:
    info = begin(main)
    work = inside(main.store, info)
    work.put("a")
    work.put("b")
    main.store.reset_branch(work.branch, "HEAD^").result()
    main.put("b", b"theirs")
    commit(main.store, info)
    assert (main.keys(), at_head(main, "b")) == (["a", "b"], b"theirs")


# ---------------------------------------------------------------- its end


def test_after_its_end_nothing_can_be_written_and_it_ends_once(main: Checkout) -> None:
    store = main.store
    for end in (commit, lambda store, info: store.abandon_transaction(info).result()):
        info = begin(main)
        work = inside(store, info)
        work.put(info.id)
        upload = store.create_upload(work.branch, "big", "", AUTHOR).result()
        ended = end(store, info)
        with pytest.raises(NoSuchBranch):
            work.put("late")
        with pytest.raises(NoSuchBranch):
            store.branch(PROJECT, "images", info.id)
        with pytest.raises(NoSuchUpload):
            store.put_part(upload, 1, inline(b"x")).result()
        with pytest.raises(NoSuchBranch):
            store.create_upload(work.branch, "big", "", AUTHOR).result()
        for again in (store.commit_transaction(info, author="cid"), store.abandon_transaction(info)):
            with pytest.raises(TransactionEnded) as refused:
                again.result()
            assert (refused.value.state, refused.value.commit_id) == (ended.state, ended.commit_id)
        assert store.transaction(PROJECT, "images", info.id) == ended
        with pytest.raises(NoSuchBranch):
            store.restore_branch(PROJECT, "images", info.id).result()


def test_of_many_that_commit_it_at_once_one_wins(main: Checkout) -> None:
    info = begin(main)
    inside(main.store, info).put("a")
    attempts = [main.store.commit_transaction(info, author=f"{number}") for number in range(20)]
    won = [attempt for attempt in attempts if attempt.exception() is None]
    assert len(won) == 1
    assert all(isinstance(attempt.exception(), TransactionEnded) for attempt in attempts if attempt not in won)
    assert main.store.resolve(main.branch, "HEAD").seq == 1


def test_a_write_beside_the_commit_is_in_it_or_refused(main: Checkout) -> None:
    info = begin(main)
    work = inside(main.store, info)
    writes, commits = [], []
    for number in range(200):
        writes.append(main.store.commit(work.branch, [Put(f"{number:03}", inline(b""))], author=AUTHOR))
        if number == 100:
            commits.append(main.store.commit_transaction(info, author=AUTHOR))
    taken = [f"{number:03}" for number, write in enumerate(writes) if write.exception() is None]
    assert commits[0].result().state == "committed"
    assert main.keys() == taken
    assert len(taken) == 101


def test_uploads_are_completed_inside(main: Checkout) -> None:
    info = begin(main)
    work = inside(main.store, info)
    upload = main.store.create_upload(work.branch, "big", "", AUTHOR).result()
    for number in (1, 2):
        main.store.put_part(upload, number, inline(f"part{number}".encode())).result()
    chosen = [Chosen(number, lambda part: True) for number in (1, 2)]
    completion = Completion(chosen, 0, lambda parts, content: "", lambda entry: entry.etag, "", None, AUTHOR, "")
    main.store.complete_upload(work.branch, "big", upload.id, completion).result()
    commit(main.store, info)
    assert at_head(main, "big") == b"part1part2"
    assert main.store.fsck(verify_data=True).problems == []


def test_deleting_its_branch_abandons_it(main: Checkout) -> None:
    info = begin(main)
    work = inside(main.store, info)
    work.put("a")
    main.store.delete_branch(work.branch).result()
    assert state(main.store, info) == "abandoned"
    assert main.store.deleted_branches(PROJECT, "images") == []


def test_one_whose_target_is_deleted_waits_for_it(main: Checkout) -> None:
    dev = main.fork("dev")
    info = begin(dev)
    inside(main.store, info).put("a")
    main.store.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchBranch, match="dev"):
        commit(main.store, info)
    assert state(main.store, info) == "open"
    main.store.restore_branch(PROJECT, "images", "dev").result()
    commit(main.store, info)
    assert at_head(dev, "a") == b""


@pytest.mark.parametrize("by", ["branch", "repo"])
def test_the_end_of_a_repo_abandons_its_transactions(main: Checkout, by: str) -> None:
    store, info, late = main.store, begin(main), begin(main, expires_in_s=0)
    if by == "branch":
        store.delete_branch(main.branch).result()
    else:
        store.delete_repo(PROJECT, "images").result()
    with pytest.raises(NoSuchRepo):
        store.repo(PROJECT, "images")
    store.restore_branch(PROJECT, "images", "main").result()
    assert (state(store, info), state(store, late)) == ("abandoned", "expired")
    with pytest.raises(TransactionEnded):
        commit(store, info)


# ---------------------------------------------------------------- expiry


def test_an_expired_transaction_can_neither_be_written_nor_committed(main: Checkout) -> None:
    store, info = main.store, begin(main, expires_in_s=0)
    branch = store.branch(PROJECT, "images", info.id)
    with pytest.raises(NoSuchBranch):
        store.commit(branch, [Put("a", inline(b""))], author=AUTHOR).result()
    with pytest.raises(NoSuchBranch):
        store.create_upload(branch, "a", "", AUTHOR).result()
    with pytest.raises(TransactionEnded) as refused:
        commit(store, info)
    assert refused.value.state == "expired"
    told = store.transaction(PROJECT, "images", info.id)
    assert (told.state, told.ended_us) == ("expired", info.expires_us)
    assert store.transactions(store.repo(PROJECT, "images")) == []
    (swept,) = store.expire_transactions(info.expires_us).result()
    assert swept == told == store.transaction(PROJECT, "images", info.id)
    with pytest.raises(NoSuchBranch):
        store.branch(PROJECT, "images", info.id)
    assert store.expire_transactions(info.expires_us).result() == []


def test_sweeping_takes_what_is_past_its_time_and_some_at_once(main: Checkout) -> None:
    infos = [begin(main, expires_in_s=second) for second in (50, 10, 30)]
    expire = main.store.expire_transactions
    assert expire(infos[1].expires_us - 1).result() == []
    assert [info.id for info in expire(infos[2].expires_us).result()] == [infos[1].id, infos[2].id]
    assert [info.id for info in main.store.transactions(main.store.repo(PROJECT, "images"))] == [infos[0].id]
    for _ in range(101):
        begin(main, expires_in_s=20)
    later = infos[0].expires_us
    assert [len(expire(later).result()) for _ in range(3)] == [100, 2, 0]


# ---------------------------------------------------------------- where it shows


def test_its_branch_is_in_no_list_and_counts_nowhere(main: Checkout) -> None:
    store, dev = main.store, main.fork("dev")
    info = begin(main)
    repo = store.repo(PROJECT, "images")
    assert [branch.name for branch in store.branches(PROJECT)] == ["dev", "main"]
    assert [branch.name for branch in store.repo_branches(repo)] == ["dev", "main"]
    assert store.repo_summary(repo).branches == 2
    work = inside(store, info).branch
    assert (work.transaction_id, work.name, work.label) == (info.id, info.id, f"{info.id}.images")
    assert work.settings == {"owner": "bea"}
    assert store.branch(PROJECT, "images", "dev").transaction_id is None
    store.delete_branch(dev.branch).result()
    store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchRepo):
        store.repo(PROJECT, "images")


def test_open_ones_are_listed_in_the_order_in_which_they_began(main: Checkout) -> None:
    store, repo = main.store, main.store.repo(PROJECT, "images")
    other = begin(Checkout.create(store, "docs"))
    infos = [begin(main) for _ in range(5)]
    store.abandon_transaction(infos.pop(2)).result()
    assert store.transactions(repo) == infos
    assert store.transactions(repo, after=infos[0].id, limit=2) == infos[1:3]
    for unknown in (other.id, "tx-000000000000", "main", "", "\0"):
        with pytest.raises(NoSuchTransaction):
            store.transaction(PROJECT, "images", unknown)
    with pytest.raises(NoSuchRepo):
        store.transaction(PROJECT, "nowhere", infos[0].id)


def test_nobody_can_take_a_transactions_name(main: Checkout) -> None:
    store, name = main.store, "tx-0123456789ab"
    with pytest.raises(InvalidName):
        main.fork(name)
    with pytest.raises(InvalidName):
        Checkout.create(store, "images", name)
    with pytest.raises(InvalidName):
        store.create_tag(main.branch, name, author=AUTHOR)
    with pytest.raises(NoSuchBranch):
        store.restore_branch(PROJECT, "images", name).result()
    assert main.fork("tx-0123456789a").branch.name == "tx-0123456789a"
    Checkout.create(store, name)


def test_a_label_can_be_refused(main: Checkout) -> None:
    def refuse(name: str) -> str:
        raise BranchExists("images", name)

    with pytest.raises(BranchExists):
        main.store.begin_transaction(main.branch, author=AUTHOR, expires_in_s=HOUR, label=refuse).result()
    assert main.store.transactions(main.store.repo(PROJECT, "images")) == []


def test_a_renamed_repo_keeps_its_transactions(main: Checkout) -> None:
    info = begin(main)
    inside(main.store, info).put("a")
    main.store.rename_repo(PROJECT, "images", "docs", relabel=lambda branch: f"{branch.name}.{branch.repo}").result()
    told = main.store.transaction(PROJECT, "docs", info.id)
    assert (told.repo, told.label) == ("docs", f"{info.id}.docs")
    inside(main.store, told).put("b")
    commit(main.store, told)
    assert main.keys() == ["a", "b"]


def test_a_transaction_within_a_transaction_is_committed_to_that(main: Checkout) -> None:
    outer = begin(main)
    inner = begin(inside(main.store, outer))
    inside(main.store, inner).put("a")
    commit(main.store, inner)
    assert (inside(main.store, outer).keys(), main.keys()) == (["a"], [])
    commit(main.store, outer)
    assert main.keys() == ["a"]


def test_a_protected_target_takes_no_transaction(main: Checkout) -> None:
    info = begin(main)
    inside(main.store, info).put("a")
    repo = main.store.repo(PROJECT, "images")
    main.store.protect(repo, "*", AUTHOR).result()
    with pytest.raises(ProtectedBranch):
        commit(main.store, info)
    with pytest.raises(ProtectedBranch):
        begin(main)
    inside(main.store, info).put("b")
    main.store.unprotect(repo, "*").result()
    commit(main.store, info)
    assert main.keys() == ["a", "b"]


def test_a_write_in_the_group_of_the_commit_is_counted(main: Checkout) -> None:
    """Heads of one database transaction are written back at its end: what went before is seen all the same."""
    info = begin(main)
    work = inside(main.store, info)
    blocked = main.store.commit(main.branch, [Put("x", inline(b""))], author=AUTHOR)
    futures: list[Future[Any]] = [
        main.store.commit(work.branch, [Put("a", inline(b"1"))], author=AUTHOR),
        main.store.commit(main.branch, [Delete("other")], author=AUTHOR),
        main.store.commit_transaction(info, author=AUTHOR),
        main.store.commit(main.branch, [Put("b", inline(b""))], author=AUTHOR),
    ]
    assert not [future for future in (blocked, *futures) if isinstance(future.exception(), StoreError)]
    assert main.keys() == ["a", "b", "x"]
    assert main.store.fsck().problems == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE branches SET deleted_us = 1 WHERE transaction_id IS NOT NULL",
        "UPDATE transactions SET ended_us = 1, state = 'abandoned'",
        "DELETE FROM transactions",
    ],
)
def test_fsck_finds_a_transaction_without_its_branch_and_a_branch_without_its_transaction(
    main: Checkout, damage: str
) -> None:
    begin(main)
    assert main.store.fsck().problems == []
    with main.store._database.transaction() as conn:
        conn.script(damage)
    assert [problem.kind for problem in main.store.fsck().problems] == ["transaction"]
