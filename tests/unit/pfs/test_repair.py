"""fsck's repairs: each kind of damage is seen, mended and gone, and nothing else has changed."""

from __future__ import annotations

import pytest

from pfs import inline
from pfs.commits.transaction import now_us
from tests.stores import AUTHOR, Checkout

LARGE = b"large" * 1000


@pytest.fixture
def used(main: Checkout) -> Checkout:
    """A branch, and a flat fork of it, with an open upload."""
    main.put("small", b"small")
    main.put("large", LARGE)
    main.put("small", b"smaller")
    main.delete("small")
    main.put("small", b"again")
    main.put("dir/other", b"other")
    flat = main.fork("flat")
    flat.put("small", b"flat")
    flat.put("own", b"own")
    main.store.flatten(flat.branch)
    upload = main.store.create_upload(main.branch, "pending", "", AUTHOR).result()
    main.store.put_part(upload, 1, inline(b"staged")).result()
    return main


def run(checkout: Checkout, statement: str) -> None:
    with checkout.store._database.transaction() as conn:
        conn.script(statement)


def everything(checkout: Checkout) -> object:
    """All that is read of every commit of both branches."""
    flat = Checkout(checkout.store, checkout.store.branch("default", "images", "flat"))
    seen: list[object] = []
    for branch in (checkout, flat):
        for age in range(6):
            revision = f"HEAD~{age}"
            seen.append({key: branch.get(key, revision) for key in branch.keys(revision)})
        seen.append({key: branch.get(key) for key in branch.keys()})  # noqa: SIM118 -- of a Checkout
        seen += [(entry.key, entry.commit_id, latest) for entry, latest in branch.versions()]
    return seen


FLAT = "timeline_id = (SELECT timeline_id FROM branches WHERE name = 'flat') AND seq = 6"
DAMAGE = {
    "an interval that is open": ("interval", "UPDATE entries SET until_seq = NULL WHERE seq = 1 AND timeline_id = 1"),
    "an interval that is too long": ("interval", "UPDATE entries SET until_seq = 99 WHERE seq = 3"),
    "a current version that was closed": ("interval", "UPDATE entries SET until_seq = 99 WHERE seq = 2"),
    "a wrong copy": ("copy", f"UPDATE entries SET size = 77 WHERE {FLAT} AND size = 5000"),
    "a wrong copy that was replaced": ("copy", f"UPDATE entries SET etag = 'x' WHERE {FLAT} AND until_seq IS NOT NULL"),
    "a lost copy": ("copy", f"DELETE FROM entries WHERE {FLAT} AND size = 5000"),
    "wrong copies of an unfinished flattening": (
        "copy",
        f"UPDATE entries SET etag = 'x' WHERE {FLAT} AND until_seq IS NULL; UPDATE timelines SET flat = 0",
    ),
    "a copy of nothing": (
        "copy",
        "INSERT INTO entries (timeline_id, key, seq, until_seq, kind, size, digest, layout, etag, attrs, checksums, "
        "commit_id, time_us) SELECT timeline_id, key, 6, seq, kind, size, digest, layout, etag, attrs, checksums, "
        "commit_id, time_us FROM entries WHERE size = 3",
    ),
    "stray settings": ("settings", "INSERT INTO entry_settings SELECT uid, uid, '{}' FROM repos"),
    "an upload without a branch": ("upload", "UPDATE uploads SET branch_id = 77"),
    "parts without an upload": ("upload", "DELETE FROM uploads"),
    "a blob without a record": ("blob", "DELETE FROM blobs WHERE data IS NULL"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_mended_and_nothing_else_changes(used: Checkout, damage: str) -> None:
    kind, statement = DAMAGE[damage]
    before = everything(used)
    for part in statement.split("; "):
        run(used, part)
    assert kind in {problem.kind for problem in used.store.fsck(verify_data=True).problems}
    report = used.store.repair(verify_data=True)
    assert report.problems == []
    assert {done.kind for done in report.repairs} == {kind}
    assert everything(used) == before
    assert used.store.repair().repairs == []
    used.put("after", b"the repair")
    assert used.store.fsck(verify_data=True).problems == []


def test_a_mark_of_protection_follows_the_patterns(used: Checkout) -> None:
    run(used, f"INSERT INTO protections VALUES ({used.branch.repo_id}, 'ma*', 'ann', {now_us()})")
    run(used, "UPDATE branches SET protected = 1 WHERE name = 'flat'")
    assert {done.kind for done in used.store.repair().repairs} == {"protection"}
    with used.store._database.connection() as conn:
        assert sorted(conn.raw.execute("SELECT name, protected FROM branches").fetchall()) == [("flat", 0), ("main", 1)]


UNSAFE = {
    "a commit": "UPDATE commits SET message = 'x' WHERE seq = 2",
    "a tag": "UPDATE tags SET commit_id = (SELECT digest FROM blobs WHERE data IS NULL)",
    "a head": "UPDATE branches SET head_seq = 99 WHERE name = 'flat'",
    "bytes in the database": "UPDATE blobs SET data = digest WHERE data IS NOT NULL",
    "a lost record of inline bytes": "DELETE FROM blobs WHERE data IS NOT NULL",
}


@pytest.mark.parametrize("damage", UNSAFE)
def test_what_cannot_be_derived_is_told_and_left(used: Checkout, damage: str) -> None:
    used.store.create_tag(used.branch, "v1", "HEAD^", author=AUTHOR).result()
    run(used, UNSAFE[damage])
    problems = used.store.fsck(verify_data=True).problems
    report = used.store.repair(verify_data=True)
    assert report.problems == problems != []
    assert report.repairs == []


def test_a_file_with_wrong_bytes_is_not_recorded(used: Checkout) -> None:
    path = used.store._blobs.path(used.store.entry(used.view(), "large").digest)
    assert path is not None
    path.write_bytes(LARGE[1:])
    run(used, "DELETE FROM blobs WHERE data IS NULL")
    report = used.store.repair()
    assert {problem.kind for problem in report.problems} == {"blob"}
    assert report.repairs == []
    assert path.read_bytes() == LARGE[1:]
