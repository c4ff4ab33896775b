"""Mends what can be derived from what is whole: never a commit, a tag, or the bytes of anything.

Each repair looks for its damage itself, inside the transaction that mends it, so that it may run beside a serving
gateway. What it mends says nothing of its own: where a version ends follows from the next one, a flattened copy from
what it is of, a blob's record from its bytes, a branch's mark from the patterns; settings, uploads and parts of what
is not there are nobody's. All else is told by `pfs.fsck`, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from fnmatch import fnmatchcase
from itertools import groupby

from pfs.blobs.base import BlobStore
from pfs.commits.transaction import Transaction
from pfs.errors import BadRecord
from pfs.fsck import Problem, digest_of
from pfs.listing import visible_after
from pfs.meta import contents, entries, refs, repairs, uploads
from pfs.meta.refs import Timeline
from pfs.meta.settings import delete_entry_settings, stray_settings
from pfs.model import BLOB, OBJECT, Digest, Entry
from pfs.timelines import Timelines

_BATCH = 1_000

Submit = Callable[[Callable[[Transaction], Sequence[Problem]]], "Future[Sequence[Problem]]"]


def repair(submit: Submit, blobs: BlobStore, problems: Sequence[Problem]) -> Sequence[Problem]:
    """Mends what it can of a store with these problems; what was done, each with what it was done to."""
    found = _unrecorded(blobs, problems)
    done: list[Problem] = []
    for step in (_settings, _uploads, _parts, _intervals, _copies, _protected, lambda tx: _record(tx, found)):
        done += submit(step).result()
    return done


def _settings(tx: Transaction) -> Sequence[Problem]:
    done = []
    for key, commit in stray_settings(tx.conn):
        delete_entry_settings(tx.conn, key, commit)
        done.append(Problem("settings", repr(key), f"those of commit {commit.hex()}, which did not write it, removed"))
    return done


def _uploads(tx: Transaction) -> Sequence[Problem]:
    done = []
    for upload in repairs.stray_uploads(tx.conn):
        uploads.delete_upload(tx.conn, upload)
        done.append(Problem("upload", upload, "removed with its parts, since its branch is not there"))
    return done


def _parts(tx: Transaction) -> Sequence[Problem]:
    done = []
    for upload in repairs.stray_parts(tx.conn):
        uploads.delete_upload(tx.conn, upload)
        done.append(Problem("upload", upload, "parts removed, since their upload is not there"))
    return done


def _lines(tx: Transaction) -> Sequence[Timeline]:
    return [line for repo in refs.all_repos(tx.conn) for line in refs.timelines_of_repo(tx.conn, repo.id)]


def _intervals(tx: Transaction) -> Sequence[Problem]:
    done = []
    for line in _lines(tx):
        for key, rows in groupby(entries.intervals(tx.conn, line.id), key=lambda row: row[0]):
            next_seq = None
            for _, seq, until_seq, kind, *_ in rows:
                if until_seq != next_seq and not (kind != OBJECT and until_seq == seq):
                    repairs.set_until(tx.conn, line.id, key, seq, next_seq)
                    done.append(Problem("interval", repr(key), f"version {seq} ends at {next_seq}, not at {until_seq}"))
                next_seq = seq
    return done


def _copies(tx: Transaction) -> Sequence[Problem]:
    done: list[Problem] = []
    timelines = Timelines()
    for line in _lines(tx):
        if line.parent_id is None or not (line.flat or entries.count_at(tx.conn, line.id, line.fork_seq)):
            continue
        try:
            done += _copies_of(tx, timelines, line, line.parent_id)
        except BadRecord as exc:
            done.append(Problem("copy", f"timeline {line.id}", f"left as it is: {exc}"))
    return done


def _copies_of(tx: Transaction, timelines: Timelines, line: Timeline, parent_id: int) -> Sequence[Problem]:
    """Each copy as the timeline inherits it; all of them where it is flat, and no others."""
    levels = timelines.levels(tx.conn, parent_id, line.fork_seq, live=False)
    held = entries.keys_changed(tx.conn, line.id, line.fork_seq - 1, line.fork_seq)
    inherited: dict[bytes, Entry] = {}
    wrong: set[bytes] = set()
    after, seen = b"", set[bytes]()
    while page := visible_after(tx.conn, levels, after, _BATCH):
        for entry in page:
            key = entry.key.encode()
            seen.add(key)
            copy = entries.latest(tx.conn, line.id, key, line.fork_seq)
            if copy is None and line.flat:
                inherited[key] = entry
            elif copy is not None and copy._replace(seq=entry.seq, settings=entry.settings) != entry:
                inherited[key] = entry
                wrong.add(key)
        after = page[-1].key.encode() + b"\0"
    for key in wrong | (held - seen):
        repairs.drop_version(tx.conn, line.id, key, line.fork_seq)
    for key, entry in inherited.items():
        first = entries.first_seq(tx.conn, line.id, key)
        entries.insert_entry(tx.conn, line.id, key, entry._replace(seq=line.fork_seq), first)
    mended = sorted(inherited.keys() | (held - seen))
    return [Problem("copy", repr(key), f"timeline {line.id} has it as it inherits it") for key in mended]


def _protected(tx: Transaction) -> Sequence[Problem]:
    done = []
    for repo in refs.all_repos(tx.conn):
        patterns = repairs.patterns_of(tx.conn, repo.id)
        for branch, name, flag in repairs.protected_flags(tx.conn, repo.id):
            right = int(any(fnmatchcase(name, pattern) for pattern in patterns))
            if flag != right:
                tx.forget(branch)
                repairs.set_protected(tx.conn, branch, right)
                done.append(Problem("protection", f"{name} of {repo.name}", "marked as its repo's patterns say"))
    return done


def _unrecorded(blobs: BlobStore, problems: Sequence[Problem]) -> Sequence[Digest]:
    """Blobs with a problem whose bytes are in the blob store, and right."""
    digests = {Digest(bytes.fromhex(problem.subject)) for problem in problems if problem.kind == "blob"}
    return [
        digest for digest in sorted(digests) if blobs.size(digest) is not None and digest_of(blobs, digest) == digest
    ]


def _record(tx: Transaction, digests: Sequence[Digest]) -> Sequence[Problem]:
    done = []
    for digest in digests:
        if not contents.is_recorded(tx.conn, digest, BLOB):
            contents.insert_blob(tx.conn, digest, None)
            done.append(Problem("blob", digest.hex(), "recorded: its bytes are in the blob store, and right"))
    return done
