"""Re-verifies a store: the hash chain, heads, intervals, and that every blob is there.

It only reads, in one snapshot, and may run beside a serving gateway. With `verify_data` every blob's bytes are read and
hashed as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from blake3 import blake3

from pfs.blobs.base import BlobStore
from pfs.commits.chain import commit_id
from pfs.errors import BadRecord, MissingBlob
from pfs.listing import visible_after
from pfs.manifest import decode_extents, decode_manifest
from pfs.meta import commits, contents, entries, protections, refs, tags, transactions, uploads
from pfs.meta.database import Connection
from pfs.meta.refs import Timeline
from pfs.meta.repairs import stray_parts, stray_uploads
from pfs.meta.settings import stray_settings
from pfs.model import BLOB, MANIFEST, OBJECT, Commit, CommitId, Digest, Entry, Extent, Repo
from pfs.timelines import Timelines

_BATCH = 1_000
_READ_SIZE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """`kind`: chain, head, tag, protection, transaction, interval, copy, settings, upload, blob, manifest, bundle.
    `subject` names the record, `detail` says what is wrong, or what was done about it."""

    kind: str
    subject: str
    detail: str


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong with it."""

    repos: int = 0
    branches: int = 0
    commits: int = 0
    entries: int = 0
    blobs: int = 0
    manifests: int = 0
    bytes_read: int = 0
    problems: list[Problem] = field(default_factory=list)
    repairs: list[Problem] = field(default_factory=list)

    def found(self, kind: str, subject: str, detail: str) -> None:
        self.problems.append(Problem(kind, subject, detail))


def check(conn: Connection, blobs: BlobStore, *, verify_data: bool) -> Report:
    report = Report()
    for repo in refs.all_repos(conn):
        report.repos += 1
        _check_repo(conn, repo, report)
    _check_settings(conn, report)
    _check_uploads(conn, report)
    _check_contents(conn, blobs, report, verify_data)
    return report


def _check_repo(conn: Connection, repo: Repo, report: Report) -> None:
    timelines = Timelines()
    lines = {line.id: line for line in refs.timelines_of_repo(conn, repo.id)}
    for line in lines.values():
        _check_chain(conn, repo, line, lines, report)
        _check_intervals(conn, line, report)
        try:
            _check_copies(conn, timelines, line, report)
        except BadRecord as exc:
            report.found("copy", f"timeline {line.id}", str(exc))
    _check_tags(conn, repo, report)
    _check_protections(conn, repo, report)
    _check_transactions(conn, repo, report)
    for branch in refs.all_branches_of_repo(conn, repo.id):
        report.branches += 1
        owner = _owner(lines, branch.timeline_id, branch.head_seq)
        if owner is None or commits.commit_at(conn, owner.id, branch.head_seq) is None:
            report.found("head", branch.label, f"its head, commit {branch.head_seq} of its timeline, is not there")
        if commits.commit_at(conn, branch.timeline_id, branch.head_seq + 1) is not None:
            report.found("head", branch.label, f"its head, commit {branch.head_seq}, is not its timeline's last")


def _check_tags(conn: Connection, repo: Repo, report: Report) -> None:
    after = ""
    while page := tags.tags_of_repo(conn, repo.id, after, _BATCH):
        for tag in page:
            if not commits.commits_by_prefix(conn, repo.id, tag.commit_id, 1):
                report.found("tag", f"{tag.name} of {repo.name}", f"its commit {tag.commit_id} is not there")
        after = page[-1].name


def _check_protections(conn: Connection, repo: Repo, report: Report) -> None:
    """What is kept with a branch is what the patterns say of its name."""
    patterns = protections.protections_of_repo(conn, repo.id)
    for branch in refs.branches_of_repo(conn, repo.id):
        if branch.protected != (protections.matching(patterns, branch.name) is not None):
            is_or_not = "is" if branch.protected else "is not"
            report.found("protection", branch.label, f"it {is_or_not} protected, other than the repo's patterns say")


def _check_transactions(conn: Connection, repo: Repo, report: Report) -> None:
    """One that has not ended has its branch, and such a branch its transaction."""
    branches = {branch.id: branch for branch in refs.all_branches_of_repo(conn, repo.id) if branch.transaction_id}
    for info in transactions.unended_of_repo(conn, repo.id):
        branch = branches.pop(info.branch_id, None)
        if branch is None or branch.transaction_id != info.id:
            report.found("transaction", info.id, "the branch that takes its writes is not there")
    for branch in branches.values():
        report.found("transaction", branch.label, "the transaction whose writes it takes has ended, or is not there")


def _owner(lines: dict[int, Timeline], timeline_id: int, seq: int) -> Timeline | None:
    line = lines.get(timeline_id)
    while line is not None and seq <= line.fork_seq:
        line = lines.get(line.parent_id) if line.parent_id is not None else None
    return line


def _check_chain(conn: Connection, repo: Repo, line: Timeline, lines: dict[int, Timeline], report: Report) -> None:
    expected = line.fork_seq + 1
    parent = None
    if line.parent_id is not None:
        owner = _owner(lines, line.parent_id, line.fork_seq)
        parent = commits.commit_at(conn, owner.id, line.fork_seq) if owner else None
        if parent is None:
            report.found("chain", f"timeline {line.id} of {repo.name}", "the commit that it forked from is not there")
            return
    for commit in _commits(conn, line):
        report.commits += 1
        if commit.seq != expected:
            report.found("chain", commit.id, f"commit {expected} before it is not there")
            return
        _check_commit(conn, repo, line, commit, parent, report)
        parent, expected = commit, expected + 1


def _commits(conn: Connection, line: Timeline) -> Iterator[Commit]:
    after = line.fork_seq
    while page := commits.commits_in_timeline(conn, line.id, after, _BATCH):
        yield from page
        after = page[-1].seq


def _check_commit(
    conn: Connection, repo: Repo, line: Timeline, commit: Commit, parent: Commit | None, report: Report
) -> None:
    try:
        changes = entries.changes(conn, line.id, commit.seq)
    except BadRecord as exc:
        report.found("chain", commit.id, str(exc))
        return
    merged = commits.merge_parents_of(conn, line.id, commit.seq)
    for other in merged:
        if not commits.commits_by_prefix(conn, repo.id, other, 1):
            report.found("chain", commit.id, f"its parent {other} is not there")
    if _recomputed(repo, line, commit, parent, merged, changes) != commit.id:
        report.found("chain", commit.id, "its recorded history does not give this id")
    wrote = {(entry.commit_id, entry.time_us) for entry in changes}
    if len(changes) != commit.change_count or wrote - {(commit.id, commit.time_us)}:
        report.found("chain", commit.id, "the changes that name it are not the ones that it made")


def _recomputed(
    repo: Repo,
    line: Timeline,
    commit: Commit,
    parent: Commit | None,
    merged: Sequence[CommitId],
    changes: Sequence[Entry],
) -> str:
    return commit_id(
        repo_uid=repo.uid,
        timeline_uid=line.uid,
        seq=commit.seq,
        parents=(*([parent.id] if parent else []), *merged),
        time_us=commit.time_us,
        author=commit.author,
        message=commit.message,
        metadata=commit.metadata,
        changes=[(entry.key.encode(), entry) for entry in changes],
    )


def _check_intervals(conn: Connection, line: Timeline, report: Report) -> None:
    """Each version ends where the next begins; only the newest may be open, or a marker closed at once."""
    for key, rows in groupby(entries.intervals(conn, line.id), key=lambda row: row[0]):
        next_seq = None
        for _, seq, until_seq, kind, _, digest, layout in rows:
            report.entries += 1
            closed_marker = kind != OBJECT and until_seq == seq
            if until_seq != next_seq and not closed_marker:
                report.found("interval", repr(key), f"version {seq} ends at {until_seq}, the next begins at {next_seq}")
            if kind == OBJECT:
                _check_content(conn, key, Digest(digest), layout, report)
            next_seq = seq


def _check_copies(conn: Connection, timelines: Timelines, line: Timeline, report: Report) -> None:
    """What a timeline has copied (see `pfs.flatten`) is what it inherits: all of it, once it is flat."""
    held = entries.count_at(conn, line.id, line.fork_seq)
    if line.parent_id is None or not (held or line.flat):
        return
    levels = timelines.levels(conn, line.parent_id, line.fork_seq, live=False)
    after, found = b"", 0
    while inherited := visible_after(conn, levels, after, _BATCH):
        for entry in inherited:
            copy = entries.latest(conn, line.id, entry.key.encode(), line.fork_seq)
            found += copy is not None
            as_inherited = copy._replace(seq=entry.seq, settings=entry.settings) == entry if copy else not line.flat
            if not as_inherited:
                report.found("copy", repr(entry.key), f"timeline {line.id} does not hold it as it inherits it")
        after = inherited[-1].key.encode() + b"\0"
    if found != held:
        report.found("copy", f"timeline {line.id}", f"{held - found} of its copies are of nothing that it inherits")


def _check_content(conn: Connection, key: bytes, digest: Digest, layout: int, report: Report) -> None:
    if layout == BLOB and contents.find_blob(conn, digest) is None:
        report.found("blob", digest.hex(), f"it is not recorded, but {key!r} holds it")
    if layout == MANIFEST and contents.find_manifest(conn, digest) is None:
        report.found("manifest", digest.hex(), f"it is not recorded, but {key!r} holds it")


def _check_settings(conn: Connection, report: Report) -> None:
    for key, commit in stray_settings(conn):
        report.found("settings", repr(key), f"commit {commit.hex()}, whose version they are of, did not write it")


def _check_uploads(conn: Connection, report: Report) -> None:
    for upload in stray_uploads(conn):
        report.found("upload", upload, "its branch is not there")
    for upload in stray_parts(conn):
        report.found("upload", upload, "it is not there, but parts of it are")


def _check_contents(conn: Connection, blobs: BlobStore, report: Report, verify_data: bool) -> None:
    after = 0
    while page := contents.blobs_after(conn, after, _BATCH):
        for _, digest, data in page:
            report.blobs += 1
            _check_blob(blobs, Digest(digest), data, report, verify_data)
        after = page[-1][0]
    last = b""
    while page := contents.manifests_after(conn, last, _BATCH):
        for digest, body in page:
            report.manifests += 1
            _check_manifest(conn, digest, body, report)
        last = page[-1][0]
    for (extents,) in uploads.all_extents(conn):
        _check_extents(conn, "a staged part", decode_extents(extents), report)


def _check_blob(blobs: BlobStore, digest: Digest, data: bytes | None, report: Report, verify_data: bool) -> None:
    if data is None and blobs.size(digest) is None:
        report.found("blob", digest.hex(), "its bytes are not in the blob store")
        return
    if verify_data and _digest_of(blobs, digest, data, report) != digest:
        report.found("blob", digest.hex(), "its bytes are not what its name says")


def digest_of(blobs: BlobStore, digest: Digest) -> bytes:
    """Of the bytes that the blob store holds under a name, as far as they can be read."""
    return _digest_of(blobs, digest, None, Report())


def _digest_of(blobs: BlobStore, digest: Digest, data: bytes | None, report: Report) -> bytes:
    hasher = blake3()
    if data is not None:
        report.bytes_read += len(data)
        return hasher.update(data).digest()
    offset = 0
    try:
        while piece := blobs.read(digest, offset, _READ_SIZE):
            hasher.update(piece)
            offset += len(piece)
    except (MissingBlob, OSError) as exc:
        report.found("blob", digest.hex(), f"it cannot be read: {exc}")
    report.bytes_read += offset
    return hasher.digest()


def _check_manifest(conn: Connection, digest: bytes, body: bytes, report: Report) -> None:
    if blake3(body).digest() != digest:
        report.found("manifest", digest.hex(), "its bytes are not what its name says")
        return
    try:
        parts = decode_manifest(body)
    except BadRecord as exc:
        report.found("manifest", digest.hex(), str(exc))
        return
    for part in parts:
        _check_extents(conn, f"manifest {digest.hex()}", part.extents, report)


def _check_extents(conn: Connection, holder: str, extents: Sequence[Extent], report: Report) -> None:
    for extent in extents:
        if contents.find_blob(conn, extent.digest) is None:
            report.found("blob", extent.digest.hex(), f"it is not recorded, but {holder} holds it")
