"""Revisions, resolved: git's meanings, on a real store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from pfs import (
    AmbiguousRevision,
    Commit,
    CommitId,
    InvalidRevision,
    NoSuchBranch,
    NoSuchCommit,
    Put,
    inline,
    to_datetime,
)
from pfs.meta import commits
from tests.stores import AUTHOR, Checkout


def chain(checkout: Checkout, length: int) -> Sequence[str]:
    """Ids of the root commit and of `length` commits on it; commit n holds "n" under "key"."""
    ids = [checkout.head()]
    ids += [checkout.put("key", str(number).encode()).commit_id for number in range(1, length + 1)]
    return ids


def resolved(checkout: Checkout, rev: str) -> str:
    return checkout.store.resolve(checkout.branch, rev).id


def merge(checkout: Checkout, *others: str) -> str:
    """A commit with second and further parents; a merge makes no third."""
    parents = tuple(CommitId(other) for other in others)
    changes = (Put("merged", inline(b"both")),)
    future = checkout.store._committer.submit(
        lambda tx: tx.commit(checkout.branch.id, changes, author=AUTHOR, message="", merged=parents)
    )
    commit = future.result().commit
    assert commit is not None
    return commit.id


def time_of(checkout: Checkout, rev: str, offset_us: int = 0) -> str:
    moment = to_datetime(checkout.store.resolve(checkout.branch, rev).time_us) + timedelta(microseconds=offset_us)
    return moment.isoformat().replace("+00:00", "Z")


def test_head_and_its_ancestors(main: Checkout) -> None:
    ids = chain(main, 5)
    spellings = {
        "HEAD": 5, "@": 5, "HEAD~0": 5, "HEAD^0": 5, "main": 5,
        "HEAD^": 4, "HEAD~": 4, "@^": 4, "HEAD^1": 4, "main~1": 4,
        "HEAD^^": 3, "HEAD~2": 3, "HEAD~1^": 3, "HEAD^0~2^0": 3,
        "HEAD~5": 0, "HEAD^^^^^": 0,
    }  # fmt: skip
    assert {rev: ids.index(resolved(main, rev)) for rev in spellings} == spellings


@pytest.mark.parametrize("rev", ["HEAD~6", "HEAD^^^^^^", "HEAD~999999999", "HEAD^2", "HEAD~5^", "nowhere", "main^3"])
def test_what_is_not_there_is_no_commit(main: Checkout, rev: str) -> None:
    chain(main, 5)
    with pytest.raises(NoSuchCommit) as refused:
        resolved(main, rev)
    assert refused.value.rev == rev


def test_text_outside_the_grammar_is_no_revision(main: Checkout) -> None:
    with pytest.raises(InvalidRevision):
        resolved(main, "HEAD!")


def test_ids_and_their_prefixes(main: Checkout) -> None:
    ids = chain(main, 3)
    for number, commit_id in enumerate(ids):
        assert resolved(main, commit_id) == commit_id
        assert resolved(main, commit_id[:16]) == commit_id
        assert resolved(main, commit_id[:15]) == commit_id
        if number:
            assert resolved(main, f"{commit_id[:20]}^") == ids[number - 1]
    with pytest.raises(NoSuchCommit):
        resolved(main, ids[0][:-1] + ("0" if ids[0][-1] != "0" else "1"))


def test_a_prefix_of_several_ids_is_ambiguous(main: Checkout) -> None:
    chain(main, 1)
    similar = [CommitId("ab12cd" + f"{number:058x}") for number in range(12)]
    with main.store._database.transaction() as conn:
        for number, commit_id in enumerate(reversed(similar)):
            commit = Commit(commit_id, main.branch.timeline_id, 1_000 + number, AUTHOR, 0, "", "", 0)
            commits.insert_commit(conn, commit, ())
    with pytest.raises(AmbiguousRevision) as refused:
        resolved(main, "ab12")
    assert refused.value.candidates == tuple(similar[:10])
    assert resolved(main, similar[3]) == similar[3]
    assert resolved(main, similar[0][:63] + "b") == similar[11]


def test_another_repos_commits_are_not_seen(main: Checkout) -> None:
    other = Checkout.create(main.store, "other")
    commit_id = other.put("key").commit_id
    for rev in (commit_id, commit_id[:12], "other"):
        with pytest.raises(NoSuchCommit):
            resolved(main, rev)


def test_branches_are_named_from_each_other(main: Checkout) -> None:
    ids = chain(main, 3)
    dev = main.fork("dev", "HEAD~2")
    own = [dev.put("key", b"d1").commit_id, dev.put("key", b"d2").commit_id]
    assert resolved(main, "dev") == own[1]
    assert resolved(main, "dev~1") == own[0]
    assert resolved(main, "dev~2") == ids[1]
    assert resolved(main, "dev~3") == ids[0]
    assert resolved(dev, "HEAD~2") == ids[1]
    assert resolved(dev, "main") == ids[3]
    assert dev.get("key", "main^") == b"2"


def test_a_branch_name_goes_before_an_id_prefix_and_a_whole_id_before_all(main: Checkout) -> None:
    ids = chain(main, 2)
    named = main.fork(ids[1][:8], "HEAD~2")
    assert resolved(main, ids[1][:8]) == named.head() == ids[0]
    assert resolved(main, ids[1][:9]) == ids[1]
    assert resolved(main, ids[1]) == ids[1]


def test_the_state_at_an_instant(main: Checkout) -> None:
    ids = chain(main, 4)
    for number in range(5):
        rev = f"HEAD~{4 - number}"
        assert resolved(main, f"@{time_of(main, rev)}") == ids[number]
        assert resolved(main, f"@{{{time_of(main, rev)}}}") == ids[number]
        assert resolved(main, f"main@{{{time_of(main, rev)}}}") == ids[number]
        if number:
            assert resolved(main, f"HEAD@{{{time_of(main, rev, -1)}}}") == ids[number - 1]
            assert resolved(main, f"@{time_of(main, rev)}^") == ids[number - 1]
    assert resolved(main, "@9999-12-31T23:59:59Z") == ids[4]
    for rev in (f"@{time_of(main, 'HEAD~4', -1)}", "@1970-01-01", "@0001-01-01"):
        with pytest.raises(NoSuchCommit):
            resolved(main, rev)


def test_an_instant_before_the_fork_is_on_the_parent(main: Checkout) -> None:
    ids = chain(main, 3)
    dev = main.fork("dev", "HEAD^")
    main.put("key", b"later on main")
    own = dev.put("key", b"dev").commit_id
    assert resolved(dev, f"@{time_of(dev, 'HEAD~2')}") == ids[1]
    assert resolved(main, f"dev@{{{time_of(dev, 'HEAD')}}}") == own
    assert resolved(main, f"dev@{{{time_of(dev, 'HEAD', -1)}}}") == ids[2]


def test_the_parents_of_a_merge(main: Checkout) -> None:
    ids = chain(main, 2)
    dev, fix = main.fork("dev", "HEAD^"), main.fork("fix", "HEAD~2")
    theirs, fixed = dev.put("dev").commit_id, fix.put("fix").commit_id
    merged = merge(main, theirs, fixed)
    expected = {
        "HEAD": merged, "HEAD^": ids[2], "HEAD^1": ids[2], "HEAD^2": theirs, "HEAD^3": fixed,
        "HEAD~1": ids[2], "HEAD^2^": ids[1], "HEAD^3^": ids[0], "HEAD^2~2": ids[0],
    }  # fmt: skip
    assert {rev: resolved(main, rev) for rev in expected} == expected
    with pytest.raises(NoSuchCommit):
        resolved(main, "HEAD^4")
    assert main.store.fsck().problems == []


def test_times_grow_with_every_commit_even_where_the_clock_stands_still(
    main: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = main.put("key").time_us
    monkeypatch.setattr("pfs.commits.transaction.now_us", lambda: 5)
    assert [main.put("key").time_us for _ in range(3)] == [before + 1, before + 2, before + 3]


def test_a_deleted_branch_has_no_revisions(main: Checkout) -> None:
    dev = main.fork("dev")
    main.store.delete_branch(dev.branch).result()
    with pytest.raises(NoSuchBranch):
        resolved(dev, "HEAD")
    with pytest.raises(NoSuchCommit):
        resolved(main, "dev")
