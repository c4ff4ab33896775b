"""Settings of branches and of versions of keys, which lie beside the history."""

from __future__ import annotations

import pytest

from pfs import BadRecord, Entry, GuardRefused, NoSuchBranch, Put, StoreConfig, inline, open_store
from tests.stores import PROJECT, Checkout


def entry(branch: Checkout, key: str, rev: str | None = None) -> Entry:
    return branch.store.entry(branch.view(rev), key)


def put_with(branch: Checkout, key: str, **settings: str) -> Entry:
    (result,) = branch.commit(Put(key, inline(b"x"), settings=settings)).results
    assert isinstance(result, Entry)
    return result


def assign(branch: Checkout, version: Entry, name: str, value: str | None) -> None:
    branch.store.set_entry_setting(branch.branch, version, name, value).result()


# ---------------------------------------------------------------- of a branch


def test_a_branch_setting_is_kept_replaced_and_taken_away(main: Checkout) -> None:
    store, branch = main.store, main.branch
    assert store.branch_setting(branch, "tags") is None
    store.set_branch_setting(branch, "tags", "one").result()
    store.set_branch_setting(branch, "cors", "").result()
    store.set_branch_setting(branch, "tags", "two").result()
    assert (store.branch_setting(branch, "tags"), store.branch_setting(branch, "cors")) == ("two", "")
    store.set_branch_setting(branch, "tags", None).result()
    store.set_branch_setting(branch, "tags", None).result()
    assert store.branch_setting(branch, "tags") is None


def test_a_branch_begins_with_the_settings_that_it_is_given(main: Checkout) -> None:
    store = main.store
    made = store.create_branch(
        PROJECT, "images", "dev", label="dev.images", author="ann", settings={"tags": "t"}
    ).result()
    assert (store.branch_setting(made, "tags"), store.branch_setting(made, "cors")) == ("t", None)


def test_a_branch_setting_is_that_branchs_own(main: Checkout) -> None:
    store = main.store
    store.set_branch_setting(main.branch, "tags", "main").result()
    dev = main.fork("dev")
    assert store.branch_setting(dev.branch, "tags") is None
    store.set_branch_setting(dev.branch, "tags", "dev").result()
    assert store.branch_setting(main.branch, "tags") == "main"


def test_a_branch_made_anew_begins_without_settings(main: Checkout) -> None:
    store = main.store
    store.set_branch_setting(main.branch, "tags", "old").result()
    store.delete_branch(main.branch).result()
    with pytest.raises(NoSuchBranch):
        store.set_branch_setting(main.branch, "tags", "new").result()
    again = Checkout.create(store, "images")
    assert store.branch_setting(again.branch, "tags") is None


def test_settings_outlive_the_store_that_set_them(config: StoreConfig) -> None:
    with_settings = open_store(config)
    branch = Checkout.create(with_settings, "images")
    with_settings.set_branch_setting(branch.branch, "tags", "b").result()
    put_with(branch, "k", tags="e")
    with_settings.close()
    store = open_store(config)
    found = store.branch(PROJECT, "images")
    assert store.branch_setting(found, "tags") == "b"
    assert store.entry(store.head(found), "k").settings == {"tags": "e"}
    store.close()


# ---------------------------------------------------------------- of a version


def test_settings_given_with_a_put_are_its_versions(main: Checkout) -> None:
    put = put_with(main, "k", tags="t", acl="a")
    assert put.settings == {"tags": "t", "acl": "a"}
    assert entry(main, "k") == put
    read, _ = main.store.read(main.view(), "k")
    assert read == put


def test_a_version_without_settings_has_none(main: Checkout) -> None:
    main.put("k")
    assert entry(main, "k").settings == {}


def test_settings_change_one_by_one(main: Checkout) -> None:
    put = put_with(main, "k", tags="t")
    assign(main, put, "acl", "a")
    assert entry(main, "k").settings == {"tags": "t", "acl": "a"}
    assign(main, put, "tags", "u")
    assign(main, put, "acl", None)
    assert entry(main, "k").settings == {"tags": "u"}
    assign(main, put, "tags", None)
    assert entry(main, "k").settings == {}


def test_changing_a_setting_makes_no_commit_and_leaves_the_chain_whole(main: Checkout) -> None:
    put = put_with(main, "k", tags="t")
    head = main.head()
    assign(main, put, "tags", "u")
    main.store.set_branch_setting(main.branch, "cors", "c").result()
    assert main.head() == head
    assert (entry(main, "k").commit_id, entry(main, "k").time_us) == (put.commit_id, put.time_us)
    assert main.store.fsck().problems == []


def test_a_new_version_does_not_inherit_settings(main: Checkout) -> None:
    put_with(main, "k", tags="old")
    main.put("k", b"new")
    assert entry(main, "k").settings == {}
    assert entry(main, "k", "HEAD^").settings == {"tags": "old"}


def test_an_older_version_has_settings_of_its_own(main: Checkout) -> None:
    old = main.put("k", b"1")
    put_with(main, "k", tags="new")
    assign(main, old, "tags", "old")
    assert entry(main, "k", "HEAD^").settings == {"tags": "old"}
    assert entry(main, "k").settings == {"tags": "new"}


def test_keys_of_one_commit_have_settings_of_their_own(main: Checkout) -> None:
    main.commit(Put("a", inline(b"x"), settings={"tags": "a"}), Put("b", inline(b"x")))
    assert (entry(main, "a").settings, entry(main, "b").settings) == ({"tags": "a"}, {})


def test_a_fork_shows_the_settings_of_what_it_inherits(main: Checkout) -> None:
    put = put_with(main, "k", tags="t")
    dev = main.fork("dev")
    assign(dev, entry(dev, "k"), "tags", "u")
    assert entry(dev, "k").settings == {"tags": "u"}
    assert entry(main, "k").settings == {"tags": "u"}, "it is one and the same version"
    assert entry(main, "k").commit_id == put.commit_id


def test_a_flattened_branch_shows_settings_set_before_and_after(main: Checkout) -> None:
    put_with(main, "a", tags="1")
    put = main.put("b")
    dev = main.fork("dev")
    main.store.flatten(dev.branch)
    assign(main, put, "tags", "2")
    assert (entry(dev, "a").settings, entry(dev, "b").settings) == ({"tags": "1"}, {"tags": "2"})
    assert main.store.fsck().problems == []


def test_a_restored_key_has_its_settings_back(main: Checkout) -> None:
    put_with(main, "k", tags="t")
    restored = main.restore("k", main.delete("k"))
    assert entry(main, "k").settings == restored.settings == {"tags": "t"}
    assign(main, restored, "tags", "u")
    assert entry(main, "k", "HEAD~2").settings == {"tags": "t"}


def test_a_refused_put_leaves_no_settings(main: Checkout) -> None:
    def refuse(_current: Entry | None) -> None:
        raise GuardRefused("no")

    main.commit(Put("k", inline(b"x"), guard=refuse, settings={"tags": "t"}), Put("other", inline(b"x")))
    main.put("k")
    assert entry(main, "k").settings == {}


def test_fsck_finds_settings_of_what_is_not_there(main: Checkout) -> None:
    put = put_with(main, "k", tags="t")
    main.store.flatten(main.fork("dev").branch)
    assign(main, put._replace(key="stray"), "tags", "t")
    (problem,) = main.store.fsck().problems
    assert (problem.kind, problem.subject) == ("settings", repr(b"stray"))


def test_a_record_that_can_not_be_read_is_corruption(main: Checkout) -> None:
    main.put("k")
    put_with(main, "k", tags="t")
    with main.store._database.transaction() as conn:
        conn.script("UPDATE entry_settings SET settings = '{'")
    with pytest.raises(BadRecord):
        entry(main, "k")
    assert entry(main, "k", "HEAD^").settings == {}


def test_settings_can_not_be_set_through_a_branch_that_is_gone(main: Checkout) -> None:
    put = main.put("k")
    dev = main.fork("dev")
    main.store.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchBranch):
        assign(dev, put, "tags", "t")
    assert entry(main, "k").settings == {}


def test_settings_hold_any_text(main: Checkout) -> None:
    text = '\u2028"\\\x01é\U0001f600'
    put_with(main, "\x00key/é", tags=text)
    main.store.set_branch_setting(main.branch, "tags", text.replace("\x01", "")).result()
    assert entry(main, "\x00key/é").settings == {"tags": text}
    assert main.store.branch_setting(main.branch, "tags") == text.replace("\x01", "")
