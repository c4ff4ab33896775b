"""Bundles: what is exported is imported as it was, on either database; what is unsound leaves nothing behind."""

from __future__ import annotations

import io
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from pfs import (
    BadRecord,
    Branch,
    BundleSummary,
    Chosen,
    Completion,
    Digest,
    InvalidName,
    MissingBlob,
    NoSuchRepo,
    Put,
    RepoExists,
    Store,
    StoreBusy,
    StoreConfig,
    inline,
    open_store,
    verify_bundle,
)
from pfs.bundle import records
from pfs.bundle.records import (
    BlobRecord,
    BranchRecord,
    CommitRecord,
    EntryRecord,
    Reader,
    Record,
    RepoRecord,
    Small,
    TimelineRecord,
    Writer,
)
from tests.stores import AUTHOR, PROJECT, Checkout, content

LARGE = b"large" * 1000


def relabelled(branch: Branch) -> str:
    return f"{branch.name}.{branch.repo}" if "." in branch.label else branch.repo


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """Another store, on SQLite, with another inline threshold."""
    opened = open_store(StoreConfig(tmp_path / "other", inline_threshold=100))
    yield opened
    opened.close()


@pytest.fixture
def used(main: Checkout) -> Checkout:
    return fill(main)


def fill(main: Checkout) -> Checkout:
    """A repo with a bit of everything."""
    store = main.store
    main.put("small", b"small")
    first = main.put("large", LARGE)
    store.set_entry_setting(main.branch, first, "tags", '{"a":"b"}').result()
    main.put("nothing", b"")
    main.put("small", b"smaller")
    main.delete("small")
    main.delete("never was")
    composed(main, "composed")
    dev = main.fork("dev", "HEAD^")
    dev.delete("large")
    dev.put("dev", b"dev")
    flat = dev.fork("flat")
    store.flatten(flat.branch)
    flat.delete("dev")
    flat.put("large", b"flat")
    lost = main.put("lost", b"lost").commit_id
    store.reset_branch(main.branch, "HEAD^").result()
    main.branch = store.branch(PROJECT, "images")
    store.create_tag(main.branch, "kept", lost, author=AUTHOR, message="of a reset").result()
    store.merge(main.branch, "dev", author=AUTHOR, fast_forward=False).result()
    store.set_branch_setting(main.branch, "owner", "ann").result()
    store.set_branch_setting(main.branch, "cors", "<x/>").result()
    store.protect(store.repo(PROJECT, "images"), "de*", "ann").result()
    return main


def composed(main: Checkout, key: str) -> None:
    """An object of two parts, the second of which is a range of another object."""
    store = main.store
    upload = store.create_upload(main.branch, key, "", AUTHOR).result()
    stage = store.stage()
    stage.write(LARGE[1:])
    store.put_part(upload, 1, stage.finish()).result()
    copied, extents = store.cut(store.entry(main.view(), "large").content, 7, 100)
    store.put_part(upload, 2, copied, extents=extents).result()
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
    store.complete_upload(main.branch, key, upload.id, completion).result()


def exported(store: Store, repo: str = "images") -> bytes:
    file = io.BytesIO()
    store.export_repo(PROJECT, repo, file)
    return file.getvalue()


def imported(store: Store, bundle: bytes, name: str | None = None) -> BundleSummary:
    return store.import_repo(io.BytesIO(bundle), PROJECT, name, relabel=relabelled)


def everything(store: Store, repo: str = "images") -> object:
    """All that can be read of a repo, through every branch and at every commit, but for what a flattening renumbers."""
    found: list[object] = []
    for branch in store.repo_branches(store.repo(PROJECT, repo)):
        here = Checkout(store, branch)
        found.append((branch.name, branch.label, branch.head_seq, branch.created_us, dict(branch.settings)))
        found.append([(entry._replace(seq=0), latest) for entry, latest in here.versions()])
        for logged in store.log(branch, all_parents=True, limit=1000):
            commit = logged.commit
            found.append((replace(commit, timeline_id=0), logged.parents))
            for key in here.keys(commit.id):
                entry, data = store.read(here.view(commit.id), key)
                found.append((entry._replace(seq=0), dict(entry.settings), content(store, entry, data)))
        found.append([(entry._replace(seq=0), here.get(entry.key)) for entry in store.list(here.view()).entries])
    return found, store.tags(PROJECT, repo), store.repo(PROJECT, repo).uid


def is_clean(store: Store) -> bool:
    return store.fsck(verify_data=True).problems == []


def nothing_is_visible(store: Store) -> bool:
    return not store.repos(PROJECT) and not store.branches(PROJECT) and store.fsck().repos == 0


# ---------------------------------------------------------------- round trips


def test_a_repo_comes_back_as_it_was(used: Checkout, other: Store) -> None:
    bundle = exported(used.store)
    summary = imported(other, bundle)
    assert (summary.branches, summary.tags, summary.protections, summary.manifests) == (3, 1, 1, 1)
    assert everything(other) == everything(used.store)
    assert exported(other) == bundle
    assert is_clean(other)


def test_a_repo_comes_from_sqlite_as_it_was(store: Store, other: Store) -> None:
    fill(Checkout.create(other, "images"))
    bundle = exported(other)
    imported(store, bundle)
    assert everything(store) == everything(other)
    assert exported(store) == bundle
    assert is_clean(store)


def test_an_empty_repo_comes_back(main: Checkout, other: Store) -> None:
    imported(other, exported(main.store))
    assert everything(other) == everything(main.store)


def test_an_imported_repo_takes_writes_merges_forks_and_flattening(used: Checkout, other: Store) -> None:
    imported(other, exported(used.store))
    main = Checkout(other, other.branch(PROJECT, "images"))
    main.put("new", b"new")
    fork = main.fork("new")
    fork.delete("composed")
    other.flatten(fork.branch)
    assert "composed" not in set(fork.keys())
    other.merge(main.branch, "new", author=AUTHOR, fast_forward=False).result()
    assert main.get("new") == b"new"
    assert "composed" not in set(main.keys())
    assert is_clean(other)


def test_a_repo_is_imported_under_another_name(used: Checkout, other: Store) -> None:
    assert imported(other, exported(used.store), "photos").repo == "photos"
    labels = {branch.label for branch in other.branches(PROJECT)}
    assert labels == {"photos", "dev.photos", "flat.photos"}
    assert other.repo(PROJECT, "photos").uid == used.store.repo(PROJECT, "images").uid
    assert is_clean(other)


def test_flattened_copies_are_no_part_of_a_bundle(used: Checkout) -> None:
    before = exported(used.store)
    used.store.flatten(used.store.branch(PROJECT, "images", "dev"))
    assert exported(used.store) == before


def test_what_is_deleted_staged_or_pending_is_left_out(used: Checkout, other: Store) -> None:
    store, before = used.store, exported(used.store)
    gone = used.fork("gone")
    gone.put("secret", b"secret")
    pending = used.fork("pending")
    pending.put("unfinished", b"unfinished")
    upload = store.create_upload(used.branch, "k", "", AUTHOR).result()
    store.put_part(upload, 1, inline(b"part")).result()
    with store._database.transaction() as conn:
        conn.script(f"UPDATE branches SET transaction_id = 'tx' WHERE id = {pending.branch.id}")
    store.delete_branch(gone.branch).result()
    assert exported(store) == before


def test_a_deleted_branch_that_was_merged_or_tagged_stays_history(main: Checkout, other: Store) -> None:
    main.put("a")
    merged, tagged = main.fork("merged"), main.fork("tagged")
    merged.put("b")
    tagged.put("c")
    main.put("d")
    main.store.merge(main.branch, "merged", author=AUTHOR).result()
    main.store.create_tag(tagged.branch, "v1", author=AUTHOR).result()
    for fork in (merged, tagged):
        main.store.delete_branch(fork.branch).result()
    imported(other, exported(main.store))
    assert everything(other) == everything(main.store)
    assert "c" in Checkout(other, other.branch(PROJECT, "images")).keys("v1")


def test_a_commit_of_many_changes(main: Checkout, other: Store) -> None:
    names = [f"{number:05}" for number in range(2_500)]
    main.put_all(*names)
    main.put_all("00000")
    imported(other, exported(main.store))
    assert Checkout(other, other.branch(PROJECT, "images")).keys() == names
    assert exported(other) == exported(main.store)
    assert is_clean(other)


def test_markers_hide_what_is_inherited_and_leave_no_trace_where_nothing_is(used: Checkout, other: Store) -> None:
    imported(other, exported(used.store))
    for store in (used.store, other):
        flat = Checkout(store, store.branch(PROJECT, "images", "flat"))
        assert "dev" not in set(flat.keys())
        with store._database.connection() as conn:
            (closed,) = conn.raw.execute(
                "SELECT count(*) FROM entries WHERE kind = 1 AND until_seq = seq AND seq > 0"
            ).fetchone()
        assert closed >= 1


def test_a_deep_chain_of_forks_is_shortened(main: Checkout, tmp_path: Path) -> None:
    fork = main
    for number in range(6):
        fork.put(str(number))
        fork = fork.fork(f"f{number}")
    target = open_store(StoreConfig(tmp_path / "shallow", flatten_depth=3))
    imported(target, exported(main.store))
    deepest = target.branch(PROJECT, "images", "f5")
    target.close()
    target = open_store(StoreConfig(tmp_path / "shallow", flatten_depth=3))
    assert Checkout(target, deepest).keys() == fork.keys()
    assert is_clean(target)
    target.close()


# ---------------------------------------------------------------- export


def test_an_export_is_one_state_while_others_write(main: Checkout, other: Store) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            main.commit(Put("left", inline(b"%d" % number)), Put("right", inline(b"%d" % number)))
            number += 1

    main.put_all("left", "right")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        bundles = [exported(main.store) for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    imported(other, bundles[-1])
    here = Checkout(other, other.branch(PROJECT, "images"))
    assert here.get("left") == here.get("right") or here.get("left") == b"left"
    assert is_clean(other)


def test_an_unknown_repo_is_not_exported(store: Store) -> None:
    file = io.BytesIO()
    with pytest.raises(NoSuchRepo):
        store.export_repo(PROJECT, "none", file)
    assert file.getvalue() == b""


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ("UPDATE commits SET message = 'x' WHERE seq = 2", BadRecord),
        ("UPDATE entries SET size = size + 1 WHERE seq = 2", BadRecord),
        ("DELETE FROM entries WHERE seq = 3", BadRecord),
        ("DELETE FROM commits WHERE seq = 2", BadRecord),
        ("DELETE FROM manifests", MissingBlob),
        ("DELETE FROM blobs", MissingBlob),
    ],
)
def test_a_damaged_repo_is_not_exported(used: Checkout, damage: str, error: type[Exception]) -> None:
    with used.store._database.transaction() as conn:
        conn.script(damage)
    with pytest.raises(error):
        exported(used.store)


def test_a_damaged_blob_is_not_exported(used: Checkout, tmp_path: Path) -> None:
    path = next(path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file())
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(BadRecord, match="not what its name says"):
        exported(used.store)


# ---------------------------------------------------------------- import refused


def test_a_name_that_is_taken_is_refused_before_more_is_read(used: Checkout, other: Store) -> None:
    Checkout.create(other, "images")
    file = io.BytesIO(exported(used.store))
    with pytest.raises(RepoExists, match="already is a repo 'images'"):
        other.import_repo(file, PROJECT, relabel=relabelled)
    assert file.tell() < 200
    imported(other, file.getvalue(), "photos")


def test_a_repo_that_is_there_under_another_name_is_refused(used: Checkout) -> None:
    bundle = exported(used.store)
    with pytest.raises(RepoExists, match="this very repo is there already: 'images'"):
        imported(used.store, bundle, "photos")
    used.store.unprotect(used.store.repo(PROJECT, "images"), "de*").result()
    used.store.delete_repo(PROJECT, "images").result()
    with pytest.raises(RepoExists, match="it was deleted, and its branches can be restored"):
        imported(used.store, bundle)
    used.store.restore_branch(PROJECT, "images", "main").result()
    assert is_clean(used.store)


def test_a_name_that_is_none_is_refused(used: Checkout, other: Store) -> None:
    with pytest.raises(InvalidName):
        imported(other, exported(used.store), "No name")
    assert nothing_is_visible(other)


def test_a_name_taken_meanwhile_is_refused_at_the_end(used: Checkout, other: Store) -> None:
    bundle = exported(used.store)

    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(bundle) // 2 and not other.repos(PROJECT):
                Checkout.create(other, "images")
            return super().read(size)

    with pytest.raises(RepoExists):
        other.import_repo(Interrupted(bundle), PROJECT, relabel=relabelled)
    assert [branch.label for branch in other.branches(PROJECT)] == ["images"]
    assert is_clean(other)


def test_of_two_imports_of_one_repo_the_later_counts(used: Checkout, other: Store) -> None:
    bundle = exported(used.store)

    class Overtaken(io.BytesIO):
        overtaken = False

        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(bundle) // 2 and not self.overtaken:
                self.overtaken = True
                imported(other, bundle, "later")
            return super().read(size)

    with pytest.raises(StoreBusy, match="taken over"):
        other.import_repo(Overtaken(bundle), PROJECT, relabel=relabelled)
    assert [repo.name for repo in other.repos(PROJECT)] == ["later"]
    assert exported(other, "later")
    assert is_clean(other)


def test_what_a_killed_import_left_is_taken_away_by_the_next(used: Checkout, other: Store) -> None:
    bundle = exported(used.store)

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(bundle) - 100:
                other._committer.close()  # so that it cannot tidy up either
            return super().read(size)

    with pytest.raises(Exception, match="closed"):
        other.import_repo(Breaking(bundle), PROJECT, relabel=relabelled)
    again = open_store(other._config)
    assert nothing_is_visible(again)
    assert is_clean(again)
    imported(again, bundle)
    assert everything(again) == everything(used.store)
    assert is_clean(again)
    with again._database.connection() as conn:
        assert conn.raw.execute("SELECT count(*) FROM repos").fetchone() == (1,)
    again.close()


def parts_of(bundle: bytes) -> list[tuple[Record, bytes]]:
    reader = Reader(io.BytesIO(bundle))
    return [(record, b"".join(reader.pieces(record)) if isinstance(record, BlobRecord) else b"") for record in reader]


def written(parts: Sequence[tuple[Record, bytes]]) -> bytes:
    """A bundle of these records, sound in its bytes."""
    file = io.BytesIO()
    writer = Writer(file)
    for record, data in parts:
        if isinstance(record, BlobRecord):
            writer.put_blob(BlobRecord(record.digest, len(data)), iter((data,)))
        else:
            writer.put(record)
    writer.end()
    return file.getvalue()


def without(kind: type[Record]) -> object:
    """The first of these is left out."""

    def forge(parts: list[tuple[Record, bytes]]) -> None:
        parts.remove(next(part for part in parts if isinstance(part[0], kind)))

    return forge


def twice(kind: type[Record]) -> object:
    def forge(parts: list[tuple[Record, bytes]]) -> None:
        at = next(number for number, part in enumerate(parts) if isinstance(part[0], kind))
        parts.insert(at, parts[at])

    return forge


def altered(of: type[Small], /, number: int = 0, **changes: object) -> object:
    def forge(parts: list[tuple[Record, bytes]]) -> None:
        at = [at for at, part in enumerate(parts) if isinstance(part[0], of)][number]
        parts[at] = (replace(parts[at][0], **changes), b"")  # type: ignore[arg-type]

    return forge


def a_blob_more(parts: list[tuple[Record, bytes]]) -> None:
    at = next(number for number, part in enumerate(parts) if isinstance(part[0], BranchRecord))
    parts.insert(at, (BlobRecord(Digest(blake3(b"more").digest()), 4), b"more"))
    blobs = sorted(
        (part for part in parts if isinstance(part[0], BlobRecord)), key=lambda part: blake3(part[1]).digest()
    )
    first = next(number for number, part in enumerate(parts) if isinstance(part[0], BlobRecord))
    parts[first : first + len(blobs)] = blobs


FORGED = {
    "nothing at all": lambda parts: parts.clear(),
    "only a repo": lambda parts: parts.__delitem__(slice(1, None)),
    "no repo": without(RepoRecord),
    "two repos": twice(RepoRecord),
    "another repo's uid": altered(RepoRecord, uid=bytes(16)),
    "a bad repo name": altered(RepoRecord, name="../x"),
    "a bad default branch": altered(RepoRecord, default_branch="X"),
    "no root timeline": without(TimelineRecord),
    "a timeline twice": twice(TimelineRecord),
    "a root that forks": altered(TimelineRecord, fork_seq=5),
    "a timeline that is its own parent": altered(TimelineRecord, number=0, parent=b"p" * 16),
    "a timeline of an unknown parent": altered(TimelineRecord, number=1, parent=b"p" * 16),
    "a timeline without a parent": altered(TimelineRecord, number=1, parent=bytes(16)),
    "a gap in the seqs": without(CommitRecord),
    "a commit twice": twice(CommitRecord),
    "another message": altered(CommitRecord, number=2, message="x"),
    "another time": altered(CommitRecord, number=2, time_us=1),
    "another count of changes": altered(CommitRecord, number=2, change_count=2),
    "a huge count of changes": altered(CommitRecord, number=2, change_count=2**32 - 1),
    "another merge parent": altered(CommitRecord, number=2, merged=("ab" * 32,)),
    "a lost change": without(EntryRecord),
    "a change twice": twice(EntryRecord),
    "another key": altered(EntryRecord, key=b"x"),
    "a key that is no text": altered(EntryRecord, key=b"\xff"),
    "a long key": altered(EntryRecord, key=b"k" * 1025),
    "an empty key": altered(EntryRecord, key=b""),
    "a negative size": altered(EntryRecord, size=-1),
    "an unknown kind": altered(EntryRecord, kind=7),
    "an unknown layout": altered(EntryRecord, layout=7),
    "settings that are no JSON": altered(EntryRecord, settings="{"),
    "settings that are a list": altered(EntryRecord, settings="[]"),
    "no manifest": without(records.ManifestRecord),
    "a blob missing": without(BlobRecord),
    "a blob twice": twice(BlobRecord),
    "a blob that nothing refers to": a_blob_more,
    "a branch of an unknown timeline": altered(BranchRecord, timeline=bytes(16)),
    "a head that lags": altered(BranchRecord, head_seq=1),
    "a branch twice": twice(BranchRecord),
    "a bad branch name": altered(BranchRecord, name="A b"),
    "a tag of an unknown commit": altered(records.TagRecord, commit_id="ab" * 32),
    "a tag with a branch's name": altered(records.TagRecord, name="dev"),
    "a tag twice": twice(records.TagRecord),
    "a protection twice": twice(records.ProtectionRecord),
    "commits behind the branches": lambda parts: parts.append(parts[1]),
    "NUL in a text": altered(CommitRecord, number=2, message="a\0b"),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_bundle_is_refused(used: Checkout, other: Store, forgery: str) -> None:
    """Its bytes are as they were meant: only what they say is wrong."""
    parts = parts_of(exported(used.store))
    FORGED[forgery](parts)  # type: ignore[operator]
    bundle = written(parts)
    assert [problem.kind for problem in verify_bundle(io.BytesIO(bundle)).problems] == ["bundle"]
    with pytest.raises((BadRecord, InvalidName)):
        imported(other, bundle)
    assert nothing_is_visible(other)
    assert is_clean(other)
    with other._database.connection() as conn:
        for table in ("repos", "timelines", "commits", "entries", "branches", "tags", "protections", "entry_settings"):
            assert conn.raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_what_was_written_again_unaltered_is_the_same(used: Checkout) -> None:
    bundle = exported(used.store)
    assert written(parts_of(bundle)) == bundle


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        (b"", "does not begin as one"),
        (b"caret bundle 2\n", "another version"),
        (b"PK\x03\x04" * 100, "does not begin as one"),
        (records.MAGIC, "ends too early"),
        (records.MAGIC + b"\x01" + b"\xff" * 8, "type 1 and"),
        (records.MAGIC + b"\x63" + bytes(8), "type 99"),
        (records.MAGIC + b"\x06" + b"\xff" * 8 + bytes(100), "length is wrong"),
        (records.MAGIC + b"\x06" + (2**62).to_bytes(8, "big") + bytes(100), "out of its place"),
        (records.MAGIC + b"\x0a" + bytes(8), "length is wrong"),
    ],
)
def test_what_is_no_bundle_is_refused(other: Store, bundle: bytes, message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        imported(other, bundle)
    assert verify_bundle(io.BytesIO(bundle)).problems
    assert nothing_is_visible(other)


def test_a_lie_about_a_length_costs_no_memory(other: Store) -> None:
    bundle = records.MAGIC + b"\x01" + (records.MAX_BODY).to_bytes(8, "big") + bytes(1000)
    tracemalloc.start()
    try:
        with pytest.raises(BadRecord):
            imported(other, bundle)
        assert tracemalloc.get_traced_memory()[1] < 10 * 1024 * 1024
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------- verify


def test_a_sound_bundle_verifies(used: Checkout) -> None:
    bundle, report = exported(used.store), verify_bundle(io.BytesIO(exported(used.store)))
    assert report.problems == []
    assert (report.repos, report.branches, report.manifests) == (1, 3, 1)
    assert report.commits == sum(isinstance(record, CommitRecord) for record, _ in parts_of(bundle))
    assert report.bytes_read > len(LARGE)


def test_what_goes_on_behind_its_end_is_refused(used: Checkout, other: Store) -> None:
    bundle = exported(used.store) + b"\n"
    assert verify_bundle(io.BytesIO(bundle)).problems
    with pytest.raises(BadRecord, match="goes on"):
        imported(other, bundle)
    assert nothing_is_visible(other)


def test_a_pipe_that_gives_little_at_a_time_is_read(used: Checkout, other: Store) -> None:
    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 7))

    bundle = exported(used.store)
    with pytest.raises(BadRecord):
        other.import_repo(Pipe(b"caret"), PROJECT, relabel=relabelled)
    other.import_repo(Pipe(bundle), PROJECT, relabel=relabelled)
    assert exported(other) == bundle
