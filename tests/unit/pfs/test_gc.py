"""Collecting garbage: what goes, what stays, and that a rehearsal says the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat

import pytest

from pfs import Chosen, Collected, Completion, NoSuchBranch, Put, Store, StoreBusy, StoreConfig, inline, open_store
from pfs.commits.transaction import now_us
from pfs.meta import contents
from tests.stores import AUTHOR, PROJECT, Checkout, content

DAY_US = 86_400 * 1_000_000
LARGE = b"large" * 1000


@pytest.fixture
def used(main: Checkout) -> Iterator[Checkout]:
    """At the end the store must be sound."""
    main.put("small", b"small")
    main.put("large", LARGE)
    yield main
    assert main.store.fsck(verify_data=True).problems == []


def collect(store: Store, days: float = 0) -> Collected:
    """A collection so many days from now, which a rehearsal has foretold."""
    at = now_us() + round(days * DAY_US)
    foretold = store.collect_garbage(dry_run=True, now_us=at)
    collected = store.collect_garbage(now_us=at)
    assert replace(foretold, dry_run=False) == collected
    assert store.fsck(verify_data=True).problems == []
    return collected


def rows(store: Store, table: str) -> int:
    with store._database.connection() as conn:
        count: int = conn.raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count


def delete(checkout: Checkout) -> None:
    checkout.store.delete_branch(checkout.branch).result()


def test_a_store_in_use_loses_nothing(used: Checkout) -> None:
    used.put("small", b"overwritten")
    used.delete("large")
    used.store.create_tag(used.branch, "v1", "HEAD^", author=AUTHOR).result()
    for days in (0, 10, 20, 30):
        assert collect(used.store, days) == Collected(is_complete=True)
    assert used.get("large", "HEAD~1") == LARGE


def test_a_deleted_branch_stays_while_it_can_be_restored(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("dev", b"dev")
    delete(dev)
    assert collect(used.store, 6.9) == Collected(is_complete=True)
    restored = used.store.restore_branch(PROJECT, "images", "dev").result()
    assert Checkout(used.store, restored).get("dev") == b"dev"


def test_a_deleted_branch_goes_after_its_retention_and_its_bytes_after_their_grace(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("dev", b"dev" * 1000)
    dev.put("tiny", b"tiny")
    upload = used.store.create_upload(dev.branch, "k", "", AUTHOR).result()
    used.store.put_part(upload, 1, inline(b"part")).result()
    used.store.set_branch_setting(dev.branch, "tags", "{}").result()
    delete(dev)
    first = collect(used.store, 8)
    assert (first.branches, first.commits, first.uploads) == (1, 2, 1)
    assert (first.blobs, first.blobs_condemned, first.bytes_condemned) == (0, 3, 3000 + 4 + 4)
    assert rows(used.store, "branch_settings") == rows(used.store, "parts") == 0
    with pytest.raises(NoSuchBranch):
        used.store.restore_branch(PROJECT, "images", "dev").result()
    second = collect(used.store, 8.5)
    assert (second.blobs, second.blobs_condemned) == (0, 3)
    third = collect(used.store, 9.5)
    assert (third.blobs, third.bytes, third.blobs_condemned) == (3, 3008, 0)
    assert collect(used.store, 10) == Collected(is_complete=True)
    assert (rows(used.store, "blobs"), len(list(used.store._blobs.digests()))) == (2, 1)
    assert rows(used.store, "condemned") == 0


def test_what_forks_tags_and_merges_refer_to_stays(used: Checkout) -> None:
    dev = used.fork("dev")
    forked = dev.put("forked", b"1").commit_id
    fork = dev.fork("fork")
    delete(dev)
    other = used.fork("other")
    tagged = other.put("tagged", b"2").commit_id
    lost = other.put("lost", b"3").commit_id
    used.store.create_tag(other.branch, "v1", tagged, author=AUTHOR).result()
    delete(other)
    third = used.fork("third")
    merged = third.put("merged", b"4").commit_id
    used.store.merge(used.branch, "third", author=AUTHOR, fast_forward=False).result()
    third.put("not merged", b"5")
    delete(third)
    collected = collect(used.store, 8)
    assert (collected.branches, collected.commits) == (3, 2)
    assert fork.get("forked") == b"1"
    assert {used.get("forked", forked), used.get("tagged", "v1"), used.get("merged", merged)} == {b"1", b"2", b"4"}
    with pytest.raises(Exception, match="names no commit"):
        used.store.resolve(used.branch, lost)
    used.store.delete_tag(PROJECT, "images", "v1").result()
    delete(fork)
    assert collect(used.store, 8).commits == 2


def test_a_shortened_timeline_reads_as_at_its_last_commit(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("small", b"dev")
    kept = dev.put("new", b"new").commit_id
    fork = dev.fork("fork")
    dev.delete("small")
    dev.delete("large")
    dev.put("new", b"newer")
    delete(dev)
    assert collect(used.store, 8).commits == 3
    for revision in (None, kept):
        assert fork.keys(revision) == ["large", "new", "small"]
        assert (fork.get("small", revision), fork.get("new", revision)) == (b"dev", b"new")


def test_what_a_reset_left_behind_stays_as_long_as_its_branch(used: Checkout) -> None:
    dev = used.fork("dev")
    left = dev.put("left", b"left").commit_id
    dev.branch = used.store.reset_branch(dev.branch, "HEAD^").result()
    dev.put("after", b"after")
    assert collect(used.store, 8) == Collected(is_complete=True)
    assert used.get("left", left) == b"left"
    delete(dev)
    assert collect(used.store, 8).commits == 2


def test_a_fast_forward_keeps_what_it_moved_to(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("dev", b"dev")
    used.branch = used.store.merge(used.branch, "dev", author=AUTHOR).result().branch
    dev.put("more", b"more")
    delete(dev)
    assert collect(used.store, 8).commits == 1
    assert used.get("dev") == b"dev"


def test_flattened_copies_go_with_their_timeline_and_their_versions_stay(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("dev", b"dev")
    deep = dev.fork("deep")
    used.store.flatten(dev.branch)
    used.store.flatten(deep.branch)
    deep.put("small", b"deep")
    entries = rows(used.store, "entries")
    delete(dev)
    collect(used.store, 8)
    assert rows(used.store, "entries") == entries
    entry = used.store.entry(deep.view(), "dev")
    assert used.store.resolve(deep.branch, entry.commit_id).id == entry.commit_id
    delete(deep)
    assert collect(used.store, 16).commits == 2
    assert rows(used.store, "entries") == 2


def test_settings_go_with_their_versions(used: Checkout) -> None:
    dev = used.fork("dev")
    used.store.set_entry_setting(dev.branch, dev.put("a", b"a"), "tags", "{}").result()
    kept = used.store.entry(used.view(), "small")
    used.store.set_entry_setting(used.branch, kept, "tags", "{}").result()
    delete(dev)
    collect(used.store, 8)
    assert rows(used.store, "entry_settings") == 1


def test_a_repo_goes_with_all_it_has(used: Checkout) -> None:
    gone = Checkout.create(used.store, "gone")
    gone.put("key", b"value")
    gone.branch = used.store.reset_branch(gone.branch, "HEAD^").result()
    used.store.create_tag(gone.branch, "v1", author=AUTHOR).result()
    used.store.delete_repo(PROJECT, "gone").result()
    assert collect(used.store, 6) == Collected(is_complete=True)
    collected = collect(used.store, 8)
    assert (collected.repos, collected.branches, collected.commits) == (1, 1, 2)
    assert rows(used.store, "tags") == 0
    assert collect(used.store, 10).blobs == 1
    Checkout.create(used.store, "gone").put("key", b"again")
    collect(used.store, 10)
    assert rows(used.store, "repos") == rows(used.store, "branches") == rows(used.store, "timelines") == 2


def test_the_root_commit_outlives_its_branch(used: Checkout) -> None:
    other = Checkout.create(used.store, "images", "other")
    delete(used)
    assert collect(used.store, 8).commits == 2
    assert other.keys() == []
    Checkout.create(used.store, "images", "another").put("key", b"v")


def test_numbers_are_never_given_twice(used: Checkout) -> None:
    """Other processes remember timelines by number."""
    dev = used.fork("dev")
    dev.put("dev", b"dev")
    delete(dev)
    collect(used.store, 8)
    new = used.fork("new")
    assert new.branch.timeline_id > dev.branch.timeline_id
    assert new.branch.id > dev.branch.id
    collect(used.store, 8)
    assert rows(used.store, "timelines") == rows(used.store, "branches") == 2


def test_expired_uploads_go_and_with_them_their_parts(used: Checkout) -> None:
    upload = used.store.create_upload(used.branch, "k", "", AUTHOR).result()
    used.store.put_part(upload, 1, inline(b"part")).result()
    assert collect(used.store, 6).uploads == 0
    assert collect(used.store, 8).uploads == 1
    assert collect(used.store, 10).blobs == 1


def test_a_composed_object_frees_its_manifest_and_then_its_blobs(used: Checkout) -> None:
    dev = used.fork("dev")
    upload = used.store.create_upload(dev.branch, "composed", "", AUTHOR).result()
    used.store.put_part(upload, 1, inline(b"part")).result()
    completion = Completion(
        chosen=[Chosen(1, lambda part: True)],
        minimum_part_size=1,
        describe=lambda parts, whole: "",
        record=lambda entry: entry.commit_id,
        attrs="",
        guard=None,
        author=AUTHOR,
        message="",
    )
    used.store.complete_upload(dev.branch, "composed", upload.id, completion).result()
    assert collect(used.store, 3) == Collected(is_complete=True)
    delete(dev)
    assert [collect(used.store, days).blobs for days in (8, 10, 12, 14)] == [0, 1, 0, 1]
    assert rows(used.store, "manifests") == rows(used.store, "uploads") == 0


def test_whoever_refers_to_a_blob_again_saves_it(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("dev", b"dev")
    held = dev.put("copied", LARGE * 2)
    delete(dev)
    assert collect(used.store, 8).blobs_condemned == 2
    used.put("again", b"dev")
    used.commit(Put("copy", held.content))
    assert collect(used.store, 10) == Collected(is_complete=True)
    assert (used.get("again"), used.get("copy")) == (b"dev", LARGE * 2)


def test_a_staged_part_saves_what_it_refers_to(used: Checkout) -> None:
    dev = used.fork("dev")
    held = dev.put("copied", LARGE * 2)
    delete(dev)
    collect(used.store, 8)
    upload = used.store.create_upload(used.branch, "k", "", AUTHOR).result()
    part, extents = used.store.cut(held.content, 3, 100)
    used.store.put_part(upload, 1, part, extents=extents).result()
    assert rows(used.store, "condemned") == 0


def test_a_copy_of_what_has_gone_is_refused(used: Checkout) -> None:
    dev = used.fork("dev")
    held = dev.put("copied", LARGE * 2)
    part, extents = used.store.cut(held.content, 3, 100)
    delete(dev)
    collect(used.store, 8)
    collect(used.store, 10)
    (refused,) = used.commit(Put("copy", held.content)).results
    assert isinstance(refused, StoreBusy)
    upload = used.store.create_upload(used.branch, "k", "", AUTHOR).result()
    with pytest.raises(StoreBusy):
        used.store.put_part(upload, 1, part, extents=extents).result()
    assert used.keys() == ["large", "small"]


def test_a_reference_made_between_mark_and_sweep_is_seen(used: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot says that nothing refers to the blob; by the time it is swept something does."""
    dev = used.fork("dev")
    dev.put("dev", LARGE * 3)
    delete(dev)
    collect(used.store, 8)

    from pfs.gc import Mark

    pages = Mark.pages

    def refer_meanwhile(mark: Mark) -> Iterator[object]:
        for number, page in enumerate(pages(mark)):
            if not number:
                used.put("again", LARGE * 3)
            yield page

    monkeypatch.setattr(Mark, "pages", refer_meanwhile)
    assert used.store.collect_garbage(now_us=now_us() + 10 * DAY_US).blobs == 0
    assert used.get("again") == LARGE * 3


def test_bytes_without_a_row_go_after_the_grace(used: Checkout) -> None:
    stage = used.store.stage()
    stage.write(LARGE * 2)
    staged = stage.finish()
    assert collect(used.store, 0.9) == Collected(is_complete=True)
    collected = collect(used.store, 1.1)
    assert (collected.blobs, collected.bytes) == (1, len(LARGE * 2))
    assert used.store._blobs.size(staged.digest) is None


def test_ended_and_expired_transactions_go_with_their_branches(used: Checkout) -> None:
    for name in ("open", "committed", "forgotten"):
        branch = used.fork(f"tx-{name}")
        branch.put(name, name.encode())
        state = "committed" if name == "committed" else "open"
        expires = now_us() + (-1 if name == "forgotten" else DAY_US)
        with used.store._database.transaction() as conn:
            conn.script(f"UPDATE branches SET transaction_id = '{name}' WHERE id = {branch.branch.id}")
            conn.script(
                "INSERT INTO transactions (id, repo_id, branch_id, target_id, base, author, message, metadata, "
                f"begun_us, expires_us, state, ended_us) SELECT '{name}', {used.branch.repo_id}, {branch.branch.id}, "
                f"{used.branch.id}, id, '', '', '', 1, {expires}, '{state}', {1 if state == 'committed' else 'NULL'} "
                "FROM commits WHERE seq = 0"
            )
    collected = collect(used.store)
    assert (collected.transactions, collected.branches, collected.commits) == (2, 0, 2)
    with used.store._database.connection() as conn:
        found = dict(conn.raw.execute("SELECT id, state FROM transactions").fetchall())
    assert found == {"open": "open", "forgotten": "expired"}
    assert collect(used.store, 8).transactions == 1
    assert collect(used.store, 16).transactions == 0
    assert rows(used.store, "transactions") == 0


def test_one_collection_at_a_time(used: Checkout) -> None:
    assert used.store.lease("collect-garbage", "another", 60)
    with pytest.raises(StoreBusy):
        used.store.collect_garbage()
    used.store.release("collect-garbage", "another")
    assert used.store.collect_garbage().is_complete


def test_a_collector_that_lost_its_lease_changes_nothing_more(used: Checkout) -> None:
    dev = used.fork("dev")
    dev.put("dev", b"dev")
    delete(dev)
    asked = 0

    def steal() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            with used.store._database.transaction() as conn:
                conn.script("UPDATE leases SET holder = 'thief'")
        return False

    with pytest.raises(StoreBusy):
        used.store.collect_garbage(now_us=now_us() + 8 * DAY_US, should_stop=steal)
    assert used.store.restore_branch(PROJECT, "images", "dev").result().name == "dev"


def test_a_collection_that_is_stopped_anywhere_goes_on_later(used: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfs.gc.BATCH", 2)
    dev = used.fork("dev")
    for number in range(7):
        dev.put(f"{number}", b"%d" % number)
    used.store.flatten(dev.branch)
    delete(dev)
    for limit in range(40):
        answers = chain(repeat(False, limit), repeat(True))
        collected = used.store.collect_garbage(now_us=now_us() + 8 * DAY_US, should_stop=answers.__next__)
        assert used.store.fsck().problems == []
    assert collected.is_complete
    assert rows(used.store, "commits") == 3
    assert collect(used.store, 10).blobs == 7
    assert used.get("large") == LARGE


def test_a_corrupt_manifest_stops_the_sweep(used: Checkout) -> None:
    with used.store._database.transaction() as conn:
        contents.insert_manifest(conn, inline(b"no manifest").digest, b"no manifest")
    with pytest.raises(Exception, match="manifest"):
        used.store.collect_garbage()
    with used.store._database.transaction() as conn:
        conn.script("DELETE FROM manifests")


def test_leases_run_out(store: Store) -> None:
    assert store.lease("work", "one", 0.0)
    assert store.lease("work", "two", 60)
    assert store.lease("work", "two", 60)
    assert not store.lease("work", "one", 60)
    store.release("work", "one")
    assert not store.lease("work", "one", 60)
    store.release("work", "two")
    assert store.lease("work", "one", 60)


def test_periods_are_the_stores_settings(config: StoreConfig) -> None:
    store = open_store(replace(config, retention_s=0, gc_grace_s=0, inline_threshold=0))
    main = Checkout.create(store, "images")
    dev = main.fork("dev")
    dev.put("dev", b"dev")
    delete(dev)
    assert store.collect_garbage().branches == 1
    assert store.collect_garbage().blobs == 1
    entry = main.put("dev", b"dev")
    assert content(store, entry, None) == b"dev"
    store.close()
