"""What the records of a bundle must say: one pass over them, told as they are written or read.

The order is fixed, so that a repo in one state has one spelling: the repo; the timelines by (fork seq, uid), which
puts parents first, each with its commits by seq and each commit with its changes by key; manifests and blobs by
digest; branches, tags and protections by name. Every commit's id is recomputed; everything that is referred
to must come, and nothing else may. What has to be remembered is kept on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from blake3 import blake3

from pfs.bundle.records import (
    NO_PARENT,
    BlobRecord,
    BranchRecord,
    CommitRecord,
    EntryRecord,
    ManifestRecord,
    ProtectionRecord,
    Record,
    RepoRecord,
    TagRecord,
    TimelineRecord,
)
from pfs.commits.chain import CommitHash
from pfs.errors import BadRecord, InvalidName
from pfs.manifest import decode_manifest
from pfs.meta.scratch import Scratch
from pfs.meta.settings import load_settings
from pfs.model import BLOB, MANIFEST, MARKER, OBJECT, CommitId, Digest, canonical_json
from pfs.names import is_name, key_bytes

_HISTORY = (TimelineRecord.type, CommitRecord.type, EntryRecord.type)
_MAX_COUNT = 2**31 - 1
_MAX_MERGED = 254  # the number of parents is one byte of what is hashed


class Checker:
    """`take` each record in order, then `end`; both raise BadRecord. To be closed."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._phase = 0
        self._last: Any = None
        self._repo_uid = b""
        self._line: TimelineRecord | None = None
        self._seq = 0
        self._parent: CommitId | None = None
        self._commit: CommitRecord | None = None
        self._hash: CommitHash | None = None
        self._key, self._changes_left = b"", 0

    def close(self) -> None:
        self._scratch.close()

    def wanted(self, layout: int) -> Iterator[Digest]:
        """The manifests or blobs that were referred to so far, by digest."""
        return map(Digest, self._scratch.wanted(layout))

    def take(self, record: Record) -> None:
        if self._commit is not None and not isinstance(record, EntryRecord):
            self._end_commit()
        self._check_phase(record)
        match record:
            case RepoRecord():
                self._repo(record)
            case TimelineRecord():
                self._timeline(record)
            case CommitRecord():
                self._begin_commit(record)
            case EntryRecord():
                self._entry(record)
            case ManifestRecord():
                self._manifest(record)
            case BlobRecord():
                self._in_order(record.digest)
                if not self._scratch.found(BLOB, record.digest, record.size):
                    _bad(f"blob {record.digest.hex()}", "nothing refers to it, or to more than there is of it")
            case BranchRecord():
                self._branch(record)
            case TagRecord():
                self._tag(record)
            case ProtectionRecord():
                self._in_order(record.pattern)

    def end(self) -> None:
        if self._commit is not None:
            self._end_commit()
        if self._line is None or self._seq < 0:
            _bad("bundle", "it holds no commit")
        if (absent := self._scratch.not_found()) is not None:
            _bad("bundle", f"it lacks the content {absent.hex()}")
        if (absent := self._scratch.merged_but_absent()) is not None:
            _bad("bundle", f"it lacks the commit {absent.hex()}, which was merged")

    def _check_phase(self, record: Record) -> None:
        """A repo comes first and once; then the types follow one another, but for those of the history."""
        phase = _HISTORY[0] if record.type in _HISTORY else record.type
        if phase < self._phase or (phase == RepoRecord.type) != (self._phase == 0):
            _bad("bundle", f"a record of type {record.type} is out of its place")
        if phase > self._phase:
            self._phase, self._last = phase, None

    def _in_order(self, name: Any) -> None:
        if self._last is not None and name <= self._last:
            _bad("bundle", f"{name!r} comes twice, or out of its order")
        self._last = name

    def _repo(self, record: RepoRecord) -> None:
        _check_names(record.name, record.default_branch)
        self._repo_uid = record.uid

    def _timeline(self, record: TimelineRecord) -> None:
        self._in_order((record.fork_seq, record.uid))
        parent = None
        if (record.parent == NO_PARENT) != (self._line is None) or (self._line is None and record.fork_seq != -1):
            _bad(f"timeline {record.uid.hex()}", "only the first one has no parent, and forks at -1")
        if self._line is not None:
            parent = self._scratch.commit_at(record.parent, record.fork_seq)
            if parent is None:
                _bad(f"timeline {record.uid.hex()}", "the commit that it forked from is absent")
        if not self._scratch.add_timeline(record.uid, record.fork_seq):
            _bad(f"timeline {record.uid.hex()}", "it comes twice")
        self._line, self._seq = record, record.fork_seq
        self._parent = None if parent is None else CommitId(parent.hex())

    def _begin_commit(self, record: CommitRecord) -> None:
        if self._line is None or record.seq != self._seq + 1:
            _bad(f"commit {record.id}", "it does not follow the one before it")
        if record.change_count > _MAX_COUNT or len(record.merged) > _MAX_MERGED:
            _bad(f"commit {record.id}", "it has too many changes or parents")
        if not self._scratch.add_commit(self._line.uid, record.seq, bytes.fromhex(record.id)):
            _bad(f"commit {record.id}", "it comes twice")
        for parent in record.merged:
            self._scratch.add_merged(bytes.fromhex(parent))
        self._hash = CommitHash(
            repo_uid=self._repo_uid,
            timeline_uid=self._line.uid,
            seq=record.seq,
            parents=(*([self._parent] if self._parent else []), *record.merged),
            time_us=record.time_us,
            author=record.author,
            message=record.message,
            metadata=record.metadata,
            change_count=record.change_count,
        )
        self._commit, self._seq, self._changes_left, self._key = record, record.seq, record.change_count, b""

    def _end_commit(self) -> None:
        assert self._commit is not None
        assert self._hash is not None
        if self._changes_left or self._hash.commit_id() != self._commit.id:
            _bad(f"commit {self._commit.id}", "its recorded history does not give this id")
        self._parent, self._commit, self._hash = self._commit.id, None, None

    def _entry(self, record: EntryRecord) -> None:
        if self._commit is None or self._hash is None or not self._changes_left:
            _bad(f"key {record.key!r}", "no commit wrote it")
        _check_key(record.key)
        if record.key <= self._key:
            _bad(f"key {record.key!r}", "it comes twice in a commit, or out of its order")
        self._key = record.key
        if record.kind not in (OBJECT, MARKER) or record.layout not in (BLOB, MANIFEST) or record.size < 0:
            _bad(f"key {record.key!r}", "it holds neither an object nor a delete marker")
        if canonical_json(load_settings(record.settings or "{}")) != record.settings:
            _bad(f"key {record.key!r}", "its settings are not as they are written")
        self._hash.add(record.key, record.entry(self._commit))
        self._changes_left -= 1
        if record.kind == OBJECT and not self._scratch.want(record.layout, record.digest, record.size):
            _bad(f"key {record.key!r}", "its size is not that of its content")

    def _manifest(self, record: ManifestRecord) -> None:
        digest = blake3(record.data).digest()
        self._in_order(digest)
        parts = decode_manifest(record.data)
        if not self._scratch.found(MANIFEST, digest, sum(part.size for part in parts)):
            _bad(f"manifest {digest.hex()}", "nothing refers to it, or with another size")
        for part in parts:
            if sum(extent.length for extent in part.extents) != part.size:
                _bad(f"manifest {digest.hex()}", f"the extents of part {part.number} are not its size")
            for extent in part.extents:
                if extent.offset + extent.length > 2**63 - 1:
                    _bad(f"manifest {digest.hex()}", "an extent is too large")
                self._scratch.want_part(BLOB, extent.digest, extent.offset + extent.length)

    def _branch(self, record: BranchRecord) -> None:
        _check_names(record.name)
        self._in_order(record.name)
        self._scratch.add_name(record.name)
        if not self._scratch.add_branch(record.timeline, record.head_seq):
            _bad(f"branch {record.name}", "its head is not its timeline's last commit, or another branch's too")
        names = [name for name, _ in record.settings]
        if names != sorted(set(names)):
            _bad(f"branch {record.name}", "its settings are not as they are written")

    def _tag(self, record: TagRecord) -> None:
        _check_names(record.name)
        self._in_order(record.name)
        if not self._scratch.add_name(record.name):
            _bad(f"tag {record.name}", "a branch has this name")
        if not self._scratch.has_commit(bytes.fromhex(record.commit_id)):
            _bad(f"tag {record.name}", f"its commit {record.commit_id} is absent")


def _check_names(*names: str) -> None:
    for name in names:
        if not is_name(name):
            _bad("bundle", f"{name!r} is no legal name")


def _check_key(key: bytes) -> None:
    try:
        key_bytes(key.decode())
    except (UnicodeDecodeError, InvalidName) as exc:
        raise BadRecord("bundle", f"{key!r} is no legal key") from exc


def _bad(what: str, detail: str) -> NoReturn:
    raise BadRecord(what, detail)
