"""fsck: silent on a healthy store, and loud about every kind of damage."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from pfs import Chosen, Committed, Completion, Digest, Extent, Problem, Put, Report, Store, fsck, inline
from pfs.manifest import encode_extents
from pfs.meta import contents, entries, uploads
from tests.stores import AUTHOR, Checkout, content

LARGE = b"large" * 1000


@pytest.fixture
def used(main: Checkout) -> Checkout:
    """A branch with a bit of everything; a fork, a flat fork, an upload, a deleted branch beside it."""
    main.put("small", b"small")
    main.put("large", LARGE)
    main.put("small", b"smaller")
    main.delete("small")
    main.delete("small")
    main.put("small", b"again")
    upload = main.store.create_upload(main.branch, "composed", "", AUTHOR).result()
    for number, data in enumerate((LARGE[1:], b"tail"), start=1):
        stage = main.store.stage()
        stage.write(data)
        main.store.put_part(upload, number, stage.finish()).result()
    completion = Completion(
        chosen=[Chosen(1, lambda part: True), Chosen(2, lambda part: True)],
        minimum_part_size=1,
        describe=lambda parts, whole: "",
        record=lambda entry: entry.commit_id,
        attrs="",
        guard=None,
        author=AUTHOR,
        message="",
    )
    main.store.complete_upload(main.branch, "composed", upload.id, completion).result()
    dev = main.fork("dev", "HEAD^")
    dev.delete("large")
    dev.put("dev", b"dev")
    flat = dev.fork("flat")
    main.store.flatten(flat.branch)
    flat.put("small", b"flat")
    gone = main.fork("gone")
    main.store.delete_branch(gone.branch).result()
    Checkout.create(main.store, "other").put("key", b"v")
    pending = main.store.create_upload(main.branch, "pending", "", AUTHOR).result()
    main.store.put_part(pending, 1, inline(b"staged")).result()
    return main


def run(store: Store, *statements: str) -> None:
    with store._database.transaction() as conn:
        for statement in statements:
            conn.script(statement)


def problems(store: Store, *, verify_data: bool = False) -> list[Problem]:
    return store.fsck(verify_data=verify_data).problems


def kinds(store: Store, *, verify_data: bool = False) -> set[str]:
    return {problem.kind for problem in problems(store, verify_data=verify_data)}


@pytest.mark.parametrize("verify_data", [False, True])
def test_a_healthy_store_has_no_problems(used: Checkout, verify_data: bool) -> None:
    report = used.store.fsck(verify_data=verify_data)
    assert report.problems == []
    assert (report.repos, report.branches, report.manifests) == (2, 4, 1)
    assert report.commits == 8 + 2 + 1 + 2
    assert report.blobs == 10
    assert (report.bytes_read > len(LARGE)) == verify_data


def test_an_empty_store_has_no_problems(store: Store) -> None:
    assert store.fsck(verify_data=True) == Report()


TAMPERED = {
    "a message": "UPDATE commits SET message = 'x' WHERE seq = 2",
    "an author": "UPDATE commits SET author = 'x' WHERE seq = 2",
    "a time": "UPDATE commits SET time_us = time_us + 1 WHERE seq = 2",
    "the root commit": "UPDATE commits SET author = 'x' WHERE seq = 0",
    "an entry's size": "UPDATE entries SET size = size + 1 WHERE seq = 2",
    "an entry's etag": "UPDATE entries SET etag = 'x' WHERE seq = 2",
    "an entry's headers": "UPDATE entries SET attrs = '{}' WHERE seq = 1",
    "an entry's checksums": "UPDATE entries SET checksums = '{}' WHERE seq = 1",
    "an entry's key": "UPDATE entries SET key = (SELECT key FROM entries WHERE size = 5003) WHERE seq = 2",
    "an entry's key, which is no text": "UPDATE entries SET key = digest WHERE seq = 2",
    "an entry's version id": "UPDATE entries SET commit_id = digest WHERE seq = 2",
    "an entry's time": "UPDATE entries SET time_us = time_us - 1 WHERE seq = 2",
    "an old delete marker": "UPDATE entries SET kind = 0 WHERE seq = 4 AND kind = 1",
    "a count of changes": "UPDATE commits SET change_count = 7 WHERE seq = 2",
    "a timeline's uid": "UPDATE timelines SET uid = (SELECT uid FROM repos WHERE name = 'images') WHERE id = 1",
    "a merge parent": "INSERT INTO merge_parents SELECT timeline_id, seq, 2, id FROM commits WHERE seq = 2",
    "a forgotten entry": "DELETE FROM entries WHERE seq = 3",
    "a forgotten commit": "DELETE FROM commits WHERE seq = 2",
}


@pytest.mark.parametrize("damage", TAMPERED)
def test_what_was_tampered_with_breaks_the_chain(used: Checkout, damage: str) -> None:
    run(used.store, TAMPERED[damage])
    assert "chain" in kinds(used.store)


def test_every_later_id_vouches_for_the_commit_before(used: Checkout) -> None:
    """An id made up to fit its own commit does not fit what follows."""
    run(used.store, "UPDATE commits SET id = (SELECT digest FROM blobs WHERE id = 1) WHERE seq = 2 AND timeline_id = 1")
    assert len([problem for problem in problems(used.store) if problem.kind == "chain"]) >= 2


def test_a_head_that_is_not_there(used: Checkout) -> None:
    run(used.store, "UPDATE branches SET head_seq = head_seq + 1 WHERE name = 'dev'")
    assert kinds(used.store) == {"head"}


def test_a_tag_of_a_commit_that_is_not_there(used: Checkout) -> None:
    used.store.create_tag(used.branch, "v1", "HEAD^", author=AUTHOR).result()
    assert problems(used.store) == []
    run(used.store, "UPDATE tags SET commit_id = (SELECT digest FROM blobs WHERE id = 1)")
    assert kinds(used.store) == {"tag"}


def test_a_merged_commit_that_is_not_there(used: Checkout) -> None:
    fork = used.fork("merged")
    fork.put("x")
    gone = fork.put("y").commit_id
    used.store.merge(used.branch, "merged", author=AUTHOR, fast_forward=False).result()
    assert problems(used.store) == []
    run(
        used.store,
        f"DELETE FROM commits WHERE timeline_id = {fork.branch.timeline_id} AND message = '' AND seq = "
        f"{fork.store.resolve(used.branch, gone).seq}",
    )
    assert f"its parent {gone} is not there" in {problem.detail for problem in problems(used.store)}


def test_a_head_that_lags_behind_its_commits(used: Checkout) -> None:
    run(used.store, "UPDATE branches SET head_seq = head_seq - 1 WHERE name = 'dev'")
    assert kinds(used.store) == {"head"}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET until_seq = until_seq + 1 WHERE seq = 1",
        "UPDATE entries SET until_seq = NULL WHERE seq = 1",
        "UPDATE entries SET until_seq = 99 WHERE seq = 2 AND until_seq IS NULL",
        "UPDATE entries SET until_seq = 99 WHERE kind = 1 AND until_seq IS NULL",
    ],
)
def test_a_broken_interval(used: Checkout, damage: str) -> None:
    run(used.store, damage)
    assert "interval" in kinds(used.store)


@pytest.mark.parametrize("damage", ["size = 77", "etag = 'x'", "commit_id = digest", "until_seq = NULL"])
def test_a_damaged_copy_of_a_flat_branch(used: Checkout, damage: str) -> None:
    flat = used.store.branch("default", "images", "flat").timeline_id
    run(used.store, f"UPDATE entries SET {damage} WHERE timeline_id = {flat} AND seq = 8 AND until_seq IS NOT NULL")
    assert kinds(used.store) == ({"interval"} if "until" in damage else {"copy"})


def test_a_lost_copy_of_a_flat_branch(used: Checkout) -> None:
    flat = used.store.branch("default", "images", "flat").timeline_id
    run(used.store, f"DELETE FROM entries WHERE timeline_id = {flat} AND seq = 8 AND until_seq IS NOT NULL")
    assert kinds(used.store) == {"copy"}


def test_a_blob_that_is_not_recorded(used: Checkout) -> None:
    run(used.store, "DELETE FROM blobs WHERE data IS NOT NULL")
    assert kinds(used.store) == {"blob"}
    with pytest.raises(Exception, match="is missing"):
        content(used.store, used.store.entry(used.view(), "small"), None)


def test_versions_are_not_held_in_memory_all_at_once(main: Checkout) -> None:
    for _ in range(6):
        main.commit(*(Put(f"{number:04}", inline(b"")) for number in range(1_000)))
    with main.store._database.snapshot() as conn:
        rows = entries.intervals(conn, main.branch.timeline_id)
        tracemalloc.start()
        try:
            assert sum(1 for _ in rows) == 6_000
            assert tracemalloc.get_traced_memory()[1] < 500_000
        finally:
            tracemalloc.stop()


def test_a_missing_file(used: Checkout) -> None:
    path = blob_file(used, "large")
    data = path.read_bytes()
    path.unlink()
    assert kinds(used.store) == kinds(used.store, verify_data=True) == {"blob"}
    path.write_bytes(data)
    assert problems(used.store, verify_data=True) == []


@pytest.mark.parametrize("damaged", [b"x" + LARGE[1:], LARGE[:-1], LARGE + b"x", b""])
def test_a_damaged_file_shows_when_data_is_verified(used: Checkout, damaged: bytes) -> None:
    blob_file(used, "large").write_bytes(damaged)
    (problem,) = problems(used.store, verify_data=True)
    digest = used.store.entry(used.view(), "large").digest
    assert (problem.kind, problem.subject) == ("blob", digest.hex())


def test_damaged_bytes_in_the_database_show_when_data_is_verified(used: Checkout) -> None:
    run(used.store, "UPDATE blobs SET data = digest WHERE data IS NOT NULL")
    assert problems(used.store) == []
    assert {problem.kind for problem in problems(used.store, verify_data=True)} == {"blob"}


@pytest.mark.parametrize(
    "damage", ["UPDATE manifests SET body = digest", "DELETE FROM manifests", "UPDATE manifests SET digest = body"]
)
def test_a_damaged_manifest(used: Checkout, damage: str) -> None:
    run(used.store, damage)
    assert kinds(used.store) == {"manifest"}


def test_a_manifest_that_is_none(main: Checkout) -> None:
    forged = inline(b"no manifest")
    with main.store._database.transaction() as conn:
        contents.insert_manifest(conn, forged.digest, b"no manifest")
    (problem,) = problems(main.store)
    assert (problem.kind, problem.subject) == ("manifest", forged.digest.hex())


def test_a_staged_part_without_its_blob(used: Checkout) -> None:
    upload = used.store.uploads(used.branch)[0]
    lost = Extent(Digest(b"\7" * 32), 0, 6)
    with used.store._database.transaction() as conn:
        raw = encode_extents([lost])
        uploads.put_part(conn, upload.id, number=2, size=6, digest=lost.digest, extents=raw, checksum="", modified_us=0)
    (problem,) = problems(used.store)
    assert (problem.kind, problem.subject) == ("blob", "07" * 32)


def test_fsck_looks_at_one_moment_while_writers_go_on(used: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a growing store nothing looks half done."""
    real = fsck._check_intervals
    written: list[Committed] = []

    def write_meanwhile(*args: object) -> None:
        written.append(used.commit(Put("small", inline(b"%d" % len(written))), Put("new", inline(b""))))
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fsck, "_check_intervals", write_meanwhile)
    assert problems(used.store) == []
    assert len(written) == 5


def blob_file(checkout: Checkout, key: str) -> Path:
    path = checkout.store._blobs.path(checkout.store.entry(checkout.view(), key).digest)
    assert path is not None
    return path
