"""A repo written as a bundle, from one snapshot of the database.

Every record is checked as it will be when it is read: what was written can be imported. Left out are deleted branches,
transactions, uploads and webhooks, and the timelines that only these lead to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

from pfs.blobs.base import BlobStore
from pfs.bundle.checker import Checker
from pfs.bundle.records import (
    NO_PARENT,
    PIECE,
    BlobRecord,
    BranchRecord,
    BundleSummary,
    CommitRecord,
    EntryRecord,
    ManifestRecord,
    ProtectionRecord,
    RepoRecord,
    Small,
    TagRecord,
    TimelineRecord,
    Writer,
)
from pfs.errors import MissingBlob
from pfs.meta import bundles, commits, contents, refs, tags
from pfs.meta.database import Connection
from pfs.meta.refs import Timeline
from pfs.model import BLOB, MANIFEST, Commit, Digest, Repo

_BATCH = 1_000


def export(conn: Connection, blobs: BlobStore, repo: Repo, file: BinaryIO) -> BundleSummary:
    """`conn` is a snapshot; `file` is written from front to end."""
    writer = Writer(file)
    with contextlib.closing(Checker()) as checker:

        def put(record: Small) -> None:
            checker.take(record)
            writer.put(record)

        put(RepoRecord(repo.uid, repo.created_us, repo.name, repo.default_branch))
        lines = _kept(conn, repo)
        for line in sorted(lines.values(), key=lambda line: (line.fork_seq, line.uid)):
            for record in _history(conn, line, lines):
                put(record)
        for digest in checker.wanted(MANIFEST):
            body = contents.find_manifest(conn, digest)
            if body is None:
                raise MissingBlob(digest.hex())
            put(ManifestRecord(body))
        for digest in checker.wanted(BLOB):
            blob, pieces = _blob(conn, blobs, digest)
            checker.take(blob)
            writer.put_blob(blob, pieces)
        for record in _names(conn, repo, lines):
            put(record)
        checker.end()
    return writer.end()


def _kept(conn: Connection, repo: Repo) -> dict[int, Timeline]:
    """The repo's timelines, but for those of deleted or hidden branches that nothing else leads to."""
    lines = {line.id: line for line in refs.timelines_of_repo(conn, repo.id)}
    left_out = bundles.timelines_left_out(conn, repo.id)
    waiting = [line.id for line in lines.values() if line.id not in left_out]
    waiting += bundles.tagged_timelines(conn, repo.id)
    kept: dict[int, Timeline] = {}
    while waiting:
        line = lines[waiting.pop()]
        if line.id in kept:
            continue
        kept[line.id] = line
        waiting += [] if line.parent_id is None else [line.parent_id]
        waiting += [merged for merged, _ in commits.merged_into(conn, line.id, line.fork_seq, _LAST_SEQ)]
    return kept


_LAST_SEQ = 2**63 - 1


def _history(conn: Connection, line: Timeline, lines: dict[int, Timeline]) -> Iterator[Small]:
    parent = NO_PARENT if line.parent_id is None else lines[line.parent_id].uid
    yield TimelineRecord(line.uid, line.fork_seq, parent)
    after = line.fork_seq
    while page := commits.commits_in_timeline(conn, line.id, after, _BATCH):
        for commit in page:
            merged = tuple(commits.merge_parents_of(conn, line.id, commit.seq))
            yield CommitRecord(
                commit.id,
                commit.seq,
                commit.time_us,
                commit.author,
                commit.message,
                commit.metadata,
                commit.change_count,
                merged,
            )
            yield from _changes(conn, commit)
        after = page[-1].seq


def _changes(conn: Connection, commit: Commit) -> Iterator[EntryRecord]:
    for row in bundles.changes(conn, commit):
        key, kind, size, digest, layout, etag, attrs, checksums, settings = row
        yield EntryRecord(kind, key, settings or "", size, layout, Digest(digest), etag, attrs, checksums)


def _blob(conn: Connection, blobs: BlobStore, digest: Digest) -> tuple[BlobRecord, Iterator[bytes]]:
    row = contents.find_blob(conn, digest)
    size = None if row is None else blobs.size(digest) if row[1] is None else len(row[1])
    if row is None or size is None:
        raise MissingBlob(digest.hex())
    pieces = _stored(blobs, digest) if row[1] is None else iter((row[1],))
    return BlobRecord(digest, size), pieces


def _stored(blobs: BlobStore, digest: Digest) -> Iterator[bytes]:
    offset = 0
    while piece := blobs.read(digest, offset, PIECE):
        yield piece
        offset += len(piece)


def _names(conn: Connection, repo: Repo, lines: dict[int, Timeline]) -> Iterator[Small]:
    for branch_id, name, label, timeline_id, head_seq, created_us in bundles.branches(conn, repo.id):
        settings = tuple(bundles.branch_settings_of(conn, branch_id))
        yield BranchRecord(lines[timeline_id].uid, head_seq, created_us, name, label, settings)
    after = ""
    while page := tags.tags_of_repo(conn, repo.id, after, _BATCH):
        for tag in page:
            yield TagRecord(tag.commit_id, tag.time_us, tag.name, tag.author, tag.message)
        after = page[-1].name
    for pattern, author, created_us in bundles.protections_of(conn, repo.id):
        yield ProtectionRecord(created_us, pattern, author)
