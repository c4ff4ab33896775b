"""A bundle read: verified by itself, or taken into a store.

An import writes into a hidden repo (see `pfs.meta.bundles`) in small transactions, so that other writers are not held
up, and shows it in a last one when all of the bundle was read and found right. Until then there is nothing to see. The
history comes before the contents that it refers to: nothing that an import has brought is ever garbage.
An import that was killed leaves a hidden repo behind; the next one of the same repo takes it away. So it does with what
one that is still at work has written, which then fails: of two, the later counts.

Which interval a version is visible in, and copies of flattened timelines, are not in a bundle: they follow from the
history, and are made as for any other write.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol, TypeVar

from blake3 import blake3

from pfs import protections
from pfs.blobs.staging import Stage
from pfs.bundle.checker import Checker
from pfs.bundle.records import (
    BlobRecord,
    BranchRecord,
    BundleSummary,
    CommitRecord,
    EntryRecord,
    ManifestRecord,
    ProtectionRecord,
    Reader,
    Record,
    RepoRecord,
    TagRecord,
    TimelineRecord,
)
from pfs.commits.transaction import Transaction, now_us, write_entry
from pfs.errors import BadRecord, RepoExists, StoreBusy, StoreError
from pfs.fsck import Report
from pfs.meta import bundles, commits, contents, refs, tags
from pfs.meta.settings import load_settings, set_branch_setting
from pfs.model import Branch, Commit, CommitId, Content, Digest, Tag
from pfs.names import check_name

_log = logging.getLogger(__name__)

_MARK = "importing "  # no repo's name can begin so
_BATCH_RECORDS = 1_000
_BATCH_BYTES = 4 * 1024 * 1024

T = TypeVar("T")
Submit = Callable[[Callable[[Transaction], T]], "Future[T]"]
Relabel = Callable[[Branch], str]


class _Writes(Protocol):
    """What an import asks of a store."""

    def submit(self, operation: Callable[[Transaction], T]) -> Future[T]: ...


def verify_bundle(file: BinaryIO) -> Report:
    """Re-verifies a bundle without a store, up to its first problem: its framing, all digests, ids, heads and tags."""
    report = Report()
    try:
        with contextlib.closing(Checker()) as checker:
            reader = Reader(file)
            for record in reader:
                checker.take(record)
                if isinstance(record, BlobRecord):
                    report.bytes_read += sum(map(len, reader.pieces(record)))
                _count(report, record)
            checker.end()
    except BadRecord as exc:
        report.found("bundle", exc.what, str(exc))
    return report


def _count(report: Report, record: Record) -> None:
    report.repos += isinstance(record, RepoRecord)
    report.commits += isinstance(record, CommitRecord)
    report.entries += isinstance(record, EntryRecord)
    report.manifests += isinstance(record, ManifestRecord)
    report.blobs += isinstance(record, BlobRecord)
    report.branches += isinstance(record, BranchRecord)


def load(
    file: BinaryIO,
    project: str,
    name: str | None,
    relabel: Relabel,
    *,
    writes: _Writes,
    stage: Callable[[], Stage],
) -> BundleSummary:
    """Blocks until the repo is there. Raises BadRecord, RepoExists, InvalidName, StoreBusy; then nothing is."""
    with contextlib.closing(Checker()) as checker:
        reader = Reader(file)
        records = _checked(reader, checker)
        repo = next(records, None)
        if not isinstance(repo, RepoRecord):
            raise BadRecord("bundle", "it holds no repo")
        hidden = _hide(writes, _Target(repo, project, check_name("repo", name or repo.name), relabel))
        try:
            _fill(writes, hidden, records, reader, stage)
            checker.end()
            assert reader.summary is not None
            writes.submit(hidden.show).result()
        except BaseException:
            _take_away(writes, hidden)
            raise
    return replace(reader.summary, repo=hidden.target.name)


def _checked(reader: Reader, checker: Checker) -> Iterator[Record]:
    for record in reader:
        checker.take(record)
        yield record


@dataclass(frozen=True, slots=True)
class _Target:
    repo: RepoRecord
    project: str
    name: str
    relabel: Relabel

    def check_free(self, tx: Transaction) -> None:
        if refs.find_repo(tx.conn, self.project, self.name) is not None:
            raise RepoExists(self.name)


def _hide(writes: _Writes, target: _Target) -> _Hidden:
    """A new hidden repo. What an earlier import of the same has left behind is taken away first."""
    mark = _MARK + secrets.token_hex(16)

    def operation(tx: Transaction) -> int | list[int]:
        target.check_free(tx)
        left = []
        for repo_id, project, name, deleted_us in bundles.repos_by_uid(tx.conn, target.repo.uid):
            if not name.startswith(_MARK):
                gone = "" if deleted_us is None else "; it was deleted, and its branches can be restored"
                raise RepoExists(target.name, f"this very repo is there already: {name!r} of project {project!r}{gone}")
            left.append(repo_id)
        if left:
            for repo_id in left:
                refs.rename_repo(tx.conn, repo_id, mark)
            return left
        return bundles.insert_hidden_repo(
            tx.conn,
            uid=target.repo.uid,
            project=target.project,
            mark=mark,
            default_branch=target.repo.default_branch,
            created_us=target.repo.created_us,
            now_us=now_us(),
        )

    while not isinstance(made := writes.submit(operation).result(), int):
        for repo_id in made:
            _purge(writes, repo_id, mark)
    return _Hidden(made, mark, target)


def _purge(writes: _Writes, repo_id: int, mark: str) -> None:
    """Deletes the hidden repo of that mark: once another has purged it, its number may be some other repo's."""

    def operation(tx: Transaction) -> bool:
        tx.timelines.forget()  # so may the numbers of its timelines
        return bundles.is_hidden(tx.conn, repo_id, mark) and bundles.purge_some(tx.conn, repo_id)

    while writes.submit(operation).result():
        pass


def _take_away(writes: _Writes, hidden: _Hidden) -> None:
    """After a failed import, as far as that is possible: what is left is hidden, and the next import's to purge."""
    try:
        _purge(writes, hidden.repo_id, hidden.mark)
    except StoreError as exc:
        _log.warning("what a failed import has written could not be taken away: %s", exc)


def _fill(
    writes: _Writes, hidden: _Hidden, records: Iterator[Record], reader: Reader, stage: Callable[[], Stage]
) -> None:
    batch: list[Record | Content] = []
    size = 0

    def flush() -> None:
        if batch:
            hidden.place = writes.submit(_operation(hidden, tuple(batch))).result()
            batch.clear()

    for record in records:
        item = _staged(record, reader, stage) if isinstance(record, BlobRecord) else record
        batch.append(item)
        size += _weight(item)
        if len(batch) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
            flush()
            size = 0
    flush()


def _operation(hidden: _Hidden, batch: tuple[Record | Content, ...]) -> Callable[[Transaction], _Place]:
    return lambda tx: hidden.write(tx, batch)


def _staged(record: BlobRecord, reader: Reader, stage: Callable[[], Stage]) -> Content:
    """The blob, durable unless its bytes are to go into the database."""
    staged = stage()
    try:
        for piece in reader.pieces(record):
            staged.write(piece)
        return staged.finish()
    except BaseException:
        staged.discard()
        raise


def _weight(item: Record | Content) -> int:
    if isinstance(item, Content):
        return len(item.pending or b"")
    if isinstance(item, EntryRecord):
        return len(item.attrs) + len(item.checksums) + len(item.settings)
    return len(item.data) if isinstance(item, ManifestRecord) else 0


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the history was written: its timelines so far, the last of them, and the last commit there."""

    timelines: dict[bytes, int]
    timeline_id: int = 0
    commit: CommitRecord | None = None


class _Hidden:
    """The repo that is being imported. Each method is an operation of the committer's, which may call it twice."""

    def __init__(self, repo_id: int, mark: str, target: _Target) -> None:
        self.repo_id, self.mark, self.target = repo_id, mark, target
        self.place = _Place({})

    def write(self, tx: Transaction, batch: tuple[Record | Content, ...]) -> _Place:
        self._check_there(tx)
        place = replace(self.place, timelines=dict(self.place.timelines)) if _has_timeline(batch) else self.place
        for item in batch:
            match item:
                case TimelineRecord():
                    place = self._timeline(tx, place, item)
                case CommitRecord():
                    place = replace(place, commit=item)
                    commits.insert_commit(tx.conn, _commit(place.timeline_id, item), item.merged)
                case EntryRecord():
                    self._entry(tx, place, item)
                case ManifestRecord():
                    digest = Digest(blake3(item.data).digest())
                    contents.insert_manifest(tx.conn, digest, item.data)
                case Content():
                    contents.insert_blob(tx.conn, item.digest, item.pending)
                case BranchRecord():
                    self._branch(tx, place, item)
                case TagRecord():
                    tag = Tag(item.name, item.commit_id, item.author, item.time_us, item.message)
                    tags.insert_tag(tx.conn, self.repo_id, tag)
                case ProtectionRecord():
                    bundles.insert_protection(tx.conn, self.repo_id, item.pattern, item.author, item.created_us)
        return place

    def show(self, tx: Transaction) -> None:
        self._check_there(tx)
        self.target.check_free(tx)
        bundles.show(tx.conn, self.repo_id, self.target.name)
        protections.mark_branches(tx, self.repo_id)

    def _check_there(self, tx: Transaction) -> None:
        if not bundles.is_hidden(tx.conn, self.repo_id, self.mark):
            raise StoreBusy("a later import of the same repo has taken over")

    def _timeline(self, tx: Transaction, place: _Place, record: TimelineRecord) -> _Place:
        parent_id = place.timelines.get(record.parent)
        made = refs.insert_timeline(
            tx.conn, uid=record.uid, repo_id=self.repo_id, parent_id=parent_id, fork_seq=record.fork_seq
        )
        place.timelines[record.uid] = made
        return _Place(place.timelines, made)

    def _entry(self, tx: Transaction, place: _Place, record: EntryRecord) -> None:
        assert place.commit is not None
        settings = load_settings(record.settings) if record.settings else {}
        levels = tx.timelines.levels(tx.conn, place.timeline_id, place.commit.seq, live=True) if record.kind else ()
        entry = record.entry(place.commit)._replace(settings=settings)
        write_entry(tx.conn, place.timeline_id, levels[1:], record.key, entry)

    def _branch(self, tx: Transaction, place: _Place, record: BranchRecord) -> None:
        target, timeline_id = self.target, place.timelines[record.timeline]
        named = Branch(
            id=0,
            project=target.project,
            repo=target.name,
            repo_id=self.repo_id,
            name=record.name,
            label=record.label,
            timeline_id=timeline_id,
            head_seq=record.head_seq,
            created_us=record.created_us,
        )
        branch_id = refs.insert_branch(
            tx.conn,
            project=target.project,
            repo_id=self.repo_id,
            name=record.name,
            label=target.relabel(named),
            timeline_id=timeline_id,
            head_seq=record.head_seq,
            created_us=record.created_us,
            deleted_us=now_us(),
        )
        for setting, value in record.settings:
            set_branch_setting(tx.conn, branch_id, setting, value)


def _has_timeline(batch: tuple[Record | Content, ...]) -> bool:
    return any(isinstance(item, TimelineRecord) for item in batch)


def _commit(timeline_id: int, record: CommitRecord) -> Commit:
    return Commit(
        CommitId(record.id),
        timeline_id,
        record.seq,
        record.author,
        record.time_us,
        record.message,
        record.metadata,
        record.change_count,
    )
