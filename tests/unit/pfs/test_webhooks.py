"""What webhooks are to be told of, and in which order; leases."""

from __future__ import annotations

import time

import pytest

from pfs import CommitId, NoSuchRepo, NoSuchWebhook, Store, Webhook
from tests.stores import AUTHOR, PROJECT, Checkout

LATER = 2**62


def hook(main: Checkout, branches: str = "*") -> Webhook:
    return main.store.create_webhook(
        PROJECT, main.branch.repo, branches=branches, url="http://there/", secret="s" * 16, author=AUTHOR
    ).result()


def deliver(store: Store, now_us: int = LATER) -> list[tuple[str, str]]:
    """(branch, commit) of all that is due, delivered one after the other."""
    told: list[tuple[str, str]] = []
    for webhook_id, branch_id in store.due_deliveries(now_us):
        while (found := store.undelivered(webhook_id, branch_id)) is not None and found.next is not None:
            told.append((found.branch.name, found.next.commit.id))
            assert store.delivered(found, found.next.commit.id).result()
    return told


def pending(main: Checkout) -> list[tuple[int, str]]:
    repo = main.store.repo(PROJECT, main.branch.repo)
    return [(state.pending, state.last_error) for state in main.store.webhooks(repo)]


def put(checkout: Checkout, *keys: str) -> list[tuple[str, str]]:
    return [(checkout.branch.name, checkout.put(key, key.encode()).commit_id) for key in keys]


def test_it_begins_at_the_heads_of_its_time(main: Checkout) -> None:
    put(main, "a")
    hook(main)
    assert main.store.due_deliveries(LATER) == []
    assert pending(main) == [(0, "")]
    made = put(main, *"bc")
    assert pending(main) == [(2, "")]
    assert deliver(main.store) == made
    assert deliver(main.store) == []
    assert main.store.due_deliveries(LATER) == []


def test_only_branches_that_match_are_told_of(main: Checkout) -> None:
    hook(main, "release-*")
    put(main, "a")
    release, other = main.fork("release-1"), main.fork("other")
    made = put(release, "r")
    put(other, "o")
    assert deliver(main.store) == made


def test_a_branch_made_later_is_told_of_from_where_it_begins(main: Checkout) -> None:
    first = put(main, *"ab")
    hook(main)
    dev = main.fork("dev", first[0][1])
    empty = Checkout.create(main.store, main.branch.repo, "empty")
    assert main.store.due_deliveries(LATER) == []
    made = [*put(dev, "d"), *put(empty, "e")]
    assert sorted(deliver(main.store)) == sorted(made)


def test_a_fast_forward_before_the_first_delivery_is_told_of_whole(main: Checkout) -> None:
    put(main, "a")
    hook(main, "late")
    late, dev = main.fork("late"), main.fork("dev")
    brought = [commit for _, commit in put(dev, *"bc")]
    assert main.store.merge(late.branch, "dev", author=AUTHOR).result().merge.kind == "fast-forward"
    assert deliver(main.store) == [("late", commit) for commit in brought]


def test_a_reset_takes_back_nothing_and_what_follows_is_told_of(main: Checkout) -> None:
    hook(main)
    made = put(main, *"abc")
    deliver(main.store)
    main.store.reset_branch(main.branch, made[0][1]).result()
    assert deliver(main.store) == []
    assert deliver(main.store) == []
    assert deliver(main.store) + put(main, "d") == deliver(main.store)


def test_a_failed_delivery_is_due_later_and_its_error_is_shown_until_it_succeeds(main: Checkout) -> None:
    webhook = hook(main)
    made = put(main, "a")
    found = main.store.undelivered(webhook.id, main.branch.id)
    assert found is not None
    assert main.store.delivery_failed(found, next_us=1000, error="answered 500").result()
    assert deliver(main.store, now_us=999) == []
    assert pending(main) == [(1, "main: answered 500")]
    again = main.store.undelivered(webhook.id, main.branch.id)
    assert again is not None
    assert again.attempts == 1
    assert deliver(main.store, now_us=1000) == made
    assert pending(main) == [(0, "")]


def test_of_two_deliverers_the_second_changes_nothing(main: Checkout) -> None:
    webhook = hook(main)
    made = put(main, *"ab")
    found = main.store.undelivered(webhook.id, main.branch.id)
    assert found is not None
    assert main.store.delivered(found, CommitId(made[1][1])).result()
    assert not main.store.delivered(found, CommitId(made[0][1])).result()
    assert not main.store.delivery_failed(found, next_us=0, error="late").result()
    assert pending(main) == [(0, "")]


def test_a_deleted_webhook_and_a_deleted_branch_are_told_nothing(main: Checkout) -> None:
    webhook, dev = hook(main), main.fork("dev")
    made = put(dev, "d")
    main.store.delete_branch(dev.branch).result()
    assert main.store.due_deliveries(LATER) == []
    restored = main.store.restore_branch(PROJECT, main.branch.repo, "dev").result()
    made += put(Checkout(main.store, restored), "again")
    assert deliver(main.store) == made
    put(main, "a")
    main.store.delete_webhook(PROJECT, main.branch.repo, webhook.id).result()
    assert main.store.due_deliveries(LATER) == []
    assert main.store.undelivered(webhook.id, main.branch.id) is None
    with pytest.raises(NoSuchWebhook):
        main.store.delete_webhook(PROJECT, main.branch.repo, webhook.id).result()


def test_a_webhook_belongs_to_its_repo(main: Checkout) -> None:
    webhook, other = hook(main), Checkout.create(main.store, "other")
    with pytest.raises(NoSuchWebhook):
        main.store.delete_webhook(PROJECT, "other", webhook.id).result()
    with pytest.raises(NoSuchRepo):
        main.store.create_webhook(PROJECT, "no", branches="*", url="", secret="", author="").result()
    assert pending(other) == []
    assert "ssss" not in repr(webhook)


def test_one_holder_at_a_time_has_a_lease(store: Store) -> None:
    assert store.lease("work", "one", 60)
    assert store.lease("work", "one", 60)
    assert not store.lease("work", "other", 60)
    assert store.lease("rest", "other", 60)
    store.release("work", "other")
    assert not store.lease("work", "other", 60)
    store.release("work", "one")
    assert store.lease("work", "other", 0.05)
    time.sleep(0.1)
    assert store.lease("work", "one", 60)
