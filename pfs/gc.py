"""What nobody needs any more goes: uploads, branches, repos and their commits, and then the bytes.

Any number of processes may write meanwhile. All is done in small transactions of the committer, each of which looks
again whether what it removes is still unneeded, and leaves a sound store: whoever is killed in between has done a part
of the work, and the next collection does the rest.

**History** goes commit by commit from a timeline's end, as long as no fork, tag or merge refers to the commit. Only
timelines made for a branch that is over lose any (see `pfs.meta.garbage`): what a reset left behind stays as long
as its branch.

**Blobs** go in three steps. *Mark*: one snapshot tells which of them no version, manifest or staged part refers to;
they are condemned. *Grace*: whoever refers to one again takes it off the list in its own transaction
(`pfs.meta.contents.absolve`). *Sweep*, in a later collection: what has been on the list for the grace period, is
unreferenced in that collection's own snapshot, and is on the list still inside the sweeping transaction. References
made before the snapshot are seen in it; those made after it have taken the blob off the list. The row goes first, and
then the bytes, unless somebody has stored them again meanwhile. Bytes without a row, which a crash leaves between the
two or between staging and commit, go once they are older than the grace period: that has to be longer than it takes
a writer from one to the other. A manifest holds its blobs until it is swept itself.

A mark's memory is one bit per blob.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Protocol, TypeVar

from pfs.blobs.base import BlobStore
from pfs.commits.transaction import Transaction, now_us
from pfs.errors import StoreBusy
from pfs.leases import confirm, lease, release
from pfs.manifest import decode_extents, decode_manifest
from pfs.meta import commits, contents, garbage, uploads
from pfs.meta.database import Connection, Database
from pfs.meta.garbage import Deadlines, Line
from pfs.model import BLOB, MANIFEST, Digest

T = TypeVar("T")

BATCH = 500
"""About as many rows are changed by one transaction; a single commit, upload or branch goes in one."""

_PAGE = 10_000
_WINDOW = 100_000  # manifests that one pass over the entries looks for
_LEASE, _LEASE_S = "collect-garbage", 120.0
_ALL = 2**63 - 1


@dataclass(slots=True)
class Collected:
    """What went, or would go. `blobs` are manifests too. Those that are condemned wait for their grace period to end.
    `is_complete` tells whether the collection came to its end."""

    uploads: int = 0
    transactions: int = 0
    branches: int = 0
    repos: int = 0
    commits: int = 0
    blobs: int = 0
    bytes: int = 0
    blobs_condemned: int = 0
    bytes_condemned: int = 0
    dry_run: bool = False
    is_complete: bool = False

    @property
    def counts(self) -> Mapping[str, int]:
        """What went, by kind."""
        return {
            kind: getattr(self, kind) for kind in ("uploads", "transactions", "branches", "repos", "commits", "blobs")
        }


class Submit(Protocol):
    """The committer's."""

    def __call__(self, operation: Callable[[Transaction], T]) -> Future[T]: ...


class _Stopped(Exception):
    """The caller wants no more of it."""


@dataclass(frozen=True, slots=True)
class Periods:
    """In seconds: see the settings of these names."""

    retention_s: float
    upload_expiry_s: float
    gc_grace_s: float

    def before(self, now: int) -> Deadlines:
        return Deadlines(now, *(now - round(getattr(self, row.name) * 1_000_000) for row in fields(self)))


class Collector:
    """One collection. `should_stop` is asked between any two transactions, and every few thousand rows."""

    def __init__(
        self,
        database: Database,
        submit: Submit,
        blobs: BlobStore,
        deadlines: Deadlines,
        should_stop: Callable[[], bool],
    ) -> None:
        self._database, self._submit, self._blobs = database, submit, blobs
        self._deadlines, self._should_stop = deadlines, should_stop
        self._holder = secrets.token_hex(16)
        self._renewed = 0.0
        self.collected = Collected()

    def run(self) -> Collected:
        """Raises StoreBusy where another process is collecting, or has taken over from this one."""
        if not self._submit(lambda tx: lease(tx, _LEASE, self._holder, _LEASE_S)).result():
            raise StoreBusy("garbage is being collected by another process")
        self._renewed = time.monotonic()
        try:
            self._remove_what_is_over()
            self._remove_history()
            self._change(lambda tx: garbage.drop_rows(tx.conn))
            with self._database.snapshot() as conn:
                for found in Mark(conn, self._deadlines.past, {}, self._go_on).pages():
                    self._judge(found)
            self._remove_unrecorded(dry_run=False)
            self.collected.is_complete = True
        except _Stopped:
            pass
        finally:
            self._submit(lambda tx: release(tx, _LEASE, self._holder)).result()
        return self.collected

    def rehearse(self) -> Collected:
        """What `run` would do now; changes nothing and holds up nobody."""
        collected, deadlines = self.collected, self._deadlines
        collected.dry_run = True
        try:
            with self._database.snapshot() as conn:
                collected.uploads = garbage.count_uploads_over(conn, deadlines)
                over, collected.transactions = garbage.count_branches_over(conn, deadlines)
                collected.branches = over - collected.transactions
                collected.repos = garbage.count_repos_over(conn, deadlines)
                keep: dict[int, int] = {}
                for repo_id in garbage.repos_with_nobodys(conn, deadlines):
                    self._go_on()
                    levels = _levels_to_keep(conn, repo_id, deadlines)
                    for line, upto in levels.items():
                        collected.commits += garbage.count_commits(conn, line, upto)
                    keep |= levels
                for found in Mark(conn, deadlines, keep, self._go_on).pages():
                    for blob in found.unreferenced:
                        self._count(blob, is_swept=self._is_ripe(blob))
            self._remove_unrecorded(dry_run=True)
            collected.is_complete = True
        except _Stopped:
            pass
        return collected

    # ------------------------------------------------------------ in small steps

    def _go_on(self) -> None:
        if self._should_stop():
            raise _Stopped
        if not self.collected.dry_run and time.monotonic() - self._renewed > _LEASE_S / 4:
            self._change(lambda tx: lease(tx, _LEASE, self._holder, _LEASE_S))
            self._renewed = time.monotonic()

    def _change(self, operation: Callable[[Transaction], T]) -> T:
        """One transaction, if the lease is still ours inside it."""

        def guarded(tx: Transaction) -> T:
            confirm(tx, _LEASE, self._holder)
            return operation(tx)

        return self._submit(guarded).result()

    def _step(self, operation: Callable[[Transaction], int]) -> int:
        self._go_on()
        return self._change(operation)

    # ------------------------------------------------------------ what is over

    def _remove_what_is_over(self) -> None:
        collected, deadlines = self.collected, self._deadlines
        self._change(lambda tx: garbage.expire_transactions(tx.conn, deadlines))
        while done := self._step(self._drop_uploads):
            collected.uploads += done
        while done := self._step(self._drop_branch):
            collected.branches += done == _BRANCH
            collected.transactions += done == _TRANSACTION
        while done := self._step(self._drop_repo):
            collected.repos += done
        self._change(lambda tx: garbage.forget_ended_transactions(tx.conn, deadlines))

    def _drop_uploads(self, tx: Transaction) -> int:
        dropped = rows = 0
        for upload, parts in garbage.uploads_over(tx.conn, self._deadlines, BATCH):
            if rows and rows + parts > BATCH:
                break
            uploads.delete_upload(tx.conn, upload)
            dropped, rows = dropped + 1, rows + parts
        return dropped

    def _drop_branch(self, tx: Transaction) -> int:
        for branch, was_transaction in garbage.branches_over(tx.conn, self._deadlines, 1):
            tx.forget(branch)
            garbage.drop_branch(tx.conn, branch, self._deadlines.now)
            return _TRANSACTION if was_transaction else _BRANCH
        return 0

    def _drop_repo(self, tx: Transaction) -> int:
        found = garbage.repos_over(tx.conn, self._deadlines, 1)
        for repo in found:
            garbage.drop_repo(tx.conn, repo)
        return len(found)

    # ------------------------------------------------------------ history

    def _remove_history(self) -> None:
        with self._database.connection() as conn:
            repo_ids = garbage.repos_with_nobodys(conn, self._deadlines.past)
        for repo_id in repo_ids:
            with self._database.snapshot() as conn:
                levels = _levels_to_keep(conn, repo_id, self._deadlines.past)
            # One timeline's commits may have to go before another's can: forks mostly have higher numbers.
            waiting = sorted(levels.items(), reverse=True)
            while sum(self._shorten(repo_id, line, upto) for line, upto in waiting):
                pass

    def _shorten(self, repo_id: int, line_id: int, upto: int) -> int:
        """How much of the timeline went."""
        went = 0
        while done := self._step(lambda tx: self._drop_commits(tx, repo_id, line_id, upto)):
            self.collected.commits += done
            went += done
        while done := self._step(lambda tx: self._drop_line(tx, repo_id, line_id)):
            went += done
        return went

    def _drop_commits(self, tx: Transaction, repo_id: int, line_id: int, upto: int) -> int:
        """The last of the timeline's commits, if they are no more needed than they were when that was planned."""
        if not garbage.is_nobodys(tx.conn, line_id):
            return 0
        found = commits.commits_down(tx.conn, line_id, upto, _ALL, BATCH)
        if not found:
            return 0
        needed = garbage.needed_upto(tx.conn, repo_id, line_id, found[-1].seq)
        dropped = rows = 0
        for commit in found:
            rows += 1 + commit.change_count
            if commit.seq <= needed or (dropped and rows > BATCH):
                break
            garbage.drop_commit(tx.conn, line_id, commit.seq)
            dropped += 1
        return dropped

    def _drop_line(self, tx: Transaction, repo_id: int, line_id: int) -> int:
        """What a timeline without commits and forks has copied, in steps, and at last itself."""
        if (
            not garbage.is_nobodys(tx.conn, line_id)
            or garbage.last_seq(tx.conn, line_id) is not None
            or garbage.needed_upto(tx.conn, repo_id, line_id, 0) >= 0
        ):
            return 0
        copies = garbage.drop_copies(tx.conn, line_id, BATCH)
        if not copies:
            garbage.retire_timeline(tx.conn, line_id)
        return copies or 1

    # ------------------------------------------------------------ blobs

    def _is_ripe(self, blob: Unreferenced) -> bool:
        return blob.since_us is not None and blob.since_us <= self._deadlines.condemned

    def _count(self, blob: Unreferenced, *, is_swept: bool) -> None:
        size = blob.size if blob.size is not None else self._blobs.size(blob.digest) or 0
        if is_swept:
            self.collected.blobs += 1
            self.collected.bytes += size
        else:
            self.collected.blobs_condemned += 1
            self.collected.bytes_condemned += size

    def _judge(self, found: Judged) -> None:
        ripe = [blob for blob in found.unreferenced if self._is_ripe(blob)]
        new = [blob for blob in found.unreferenced if blob.since_us is None]

        def operation(tx: Transaction) -> Sequence[Unreferenced]:
            for digest, since_us in found.absolved:
                garbage.absolve(tx.conn, digest, since_us)
            for blob in new:
                garbage.condemn(tx.conn, blob.digest, self._deadlines.now)
            return [
                blob for blob in ripe if garbage.execute(tx.conn, blob.digest, blob.layout, self._deadlines.condemned)
            ]

        self._go_on()
        for blob in found.unreferenced:
            if not self._is_ripe(blob):
                self._count(blob, is_swept=False)
        if new or ripe or found.absolved:
            for blob in self._change(operation):
                self._count(blob, is_swept=True)
                if blob.size is None:
                    self._blobs.delete_if_older(blob.digest, self._deadlines.condemned)

    def _remove_unrecorded(self, *, dry_run: bool) -> None:
        """Bytes in the blob store that no row tells of."""
        page: list[tuple[Digest, int]] = []
        for digest, size, stored_us in self._blobs.held():
            if stored_us <= self._deadlines.condemned:
                page.append((digest, size))
            if len(page) == BATCH:
                self._remove_if_unrecorded(page, dry_run=dry_run)
                page = []
        self._remove_if_unrecorded(page, dry_run=dry_run)

    def _remove_if_unrecorded(self, page: Sequence[tuple[Digest, int]], *, dry_run: bool) -> None:
        self._go_on()
        with self._database.connection() as conn:
            found = [blob for blob in page if not contents.is_recorded(conn, blob[0], BLOB)]
        for digest, size in found:
            if dry_run or self._blobs.delete_if_older(digest, self._deadlines.condemned):
                self.collected.blobs += 1
                self.collected.bytes += size


_BRANCH, _TRANSACTION = 1, 2  # what a branch that went was for


# ---------------------------------------------------------------- which commits stay


def _levels_to_keep(conn: Connection, repo_id: int, deadlines: Deadlines) -> Mapping[int, int]:
    """Of each timeline that is nobody's, the last seq that has to stay; -1 where none of it has to."""
    lines = {line.id: line for line in garbage.lines_of(conn, repo_id, deadlines)}
    merged = garbage.merged(conn, repo_id)
    tagged = garbage.tagged(conn, repo_id, deadlines)
    keep = levels_to_keep(lines, tagged, merged)
    return {
        line.id: keep[line.id] if keep[line.id] > line.fork_seq else -1 for line in lines.values() if line.is_nobodys
    }


def levels_to_keep(
    lines: Mapping[int, Line], tagged: Sequence[tuple[int, int]], merged: Sequence[tuple[int, int, int, int]]
) -> Mapping[int, int]:
    """Per timeline the last seq that is reached from what stays by itself, along first and further parents: timelines
    that are somebody's, tags, and the root commit. Its fork_seq where nothing is. Pure."""
    merges = {line: [row[1:] for row in rows] for line, rows in groupby(sorted(merged), key=lambda row: row[0])}
    keep = {line.id: line.fork_seq for line in lines.values()}
    waiting = [*tagged, *((line.id, 0) for line in lines.values() if line.is_root)]
    waiting += [(line.id, _ALL) for line in lines.values() if not line.is_nobodys]
    while waiting:
        line_id, upto = waiting.pop()
        above, line = keep[line_id], lines[line_id]
        if upto <= above:
            continue
        keep[line_id] = upto
        if line.parent_id is not None:
            waiting.append((line.parent_id, line.fork_seq))
        waiting += [(other, at) for seq, other, at in merges.get(line_id, ()) if above < seq <= upto]
    return keep


# ---------------------------------------------------------------- which blobs stay


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """`size` is None where the bytes are in the blob store; `since_us` tells since when it is condemned."""

    digest: Digest
    layout: int
    size: int | None
    since_us: int | None


@dataclass(frozen=True, slots=True)
class Judged:
    """`absolved` are condemned, and referred to: (digest, since when)."""

    unreferenced: Sequence[Unreferenced]
    absolved: Sequence[tuple[Digest, int]] = ()


class Mark:
    """Tells in one snapshot what nothing refers to. Of the timelines in `keep` only what is written up to a
    seq counts, and of uploads those that have not expired."""

    def __init__(
        self, conn: Connection, deadlines: Deadlines, keep: Mapping[int, int], go_on: Callable[[], None]
    ) -> None:
        self._conn, self._deadlines, self._keep, self._go_on = conn, deadlines, keep, go_on
        self._bits = bytearray(garbage.max_blob(conn) // 8 + 1)

    def pages(self) -> Iterator[Judged]:
        """In pages that one transaction can deal with."""
        self._mark_entries()
        self._mark_parts()
        yield from self._manifests()
        yield from self._blobs()
        yield from self._condemned()

    def _counts(self, timeline_id: int, seq: int) -> bool:
        return seq <= self._keep.get(timeline_id, _ALL)

    def _mark(self, number: int) -> None:
        self._bits[number >> 3] |= 1 << (number & 7)

    def _is_marked(self, number: int) -> bool:
        return bool(self._bits[number >> 3] & 1 << (number & 7))

    def _mark_entries(self) -> None:
        after = 0
        while page := garbage.held_blobs(self._conn, after, _PAGE):
            self._go_on()
            for _, timeline_id, seq, number in page:
                if number is not None and self._counts(timeline_id, seq):
                    self._mark(number)
            after = page[-1][0]

    def _mark_parts(self) -> None:
        after = ("", 0)
        while page := garbage.held_parts(self._conn, self._deadlines, after, _PAGE):
            self._go_on()
            for _, _, extents in page:
                self._mark_all({extent.digest for extent in decode_extents(extents)})
            after = page[-1][0], page[-1][1]

    def _mark_all(self, digests: set[Digest]) -> None:
        for digest in digests:
            number = garbage.blob_id(self._conn, digest)
            if number is not None:
                self._mark(number)

    def _manifests(self) -> Iterator[Judged]:
        """Whatever refers to them, manifests that are recorded hold their blobs."""
        after = b""
        while window := garbage.manifests_by_digest(self._conn, after, _WINDOW):
            sizes = dict(window)
            referenced = self._referenced(sizes)
            unreferenced: list[Unreferenced] = []
            absolved: list[tuple[Digest, int]] = []
            for digest, size in sizes.items():
                body = contents.find_manifest(self._conn, digest)
                assert body is not None
                self._mark_all({extent.digest for part in decode_manifest(body) for extent in part.extents})
                since_us = garbage.condemned_since(self._conn, digest)
                if digest not in referenced:
                    unreferenced.append(Unreferenced(digest, MANIFEST, size, since_us))
                elif since_us is not None:
                    absolved.append((digest, since_us))
                if len(unreferenced) + len(absolved) >= BATCH:
                    yield Judged(unreferenced, absolved)
                    unreferenced, absolved = [], []
            yield Judged(unreferenced, absolved)
            after = window[-1][0]

    def _referenced(self, window: Mapping[Digest, int]) -> set[bytes]:
        """Those of these manifests that an entry holds."""
        first, last, after, found = min(window), max(window), 0, set[bytes]()
        while page := garbage.held_manifests(self._conn, after, first, last, _PAGE):
            self._go_on()
            found |= {digest for _, timeline_id, seq, digest in page if self._counts(timeline_id, seq)}
            after = page[-1][0]
        return found

    def _blobs(self) -> Iterator[Judged]:
        after = 0
        while page := garbage.blobs_by_id(self._conn, after, BATCH):
            self._go_on()
            yield Judged(
                [
                    Unreferenced(digest, BLOB, size, garbage.condemned_since(self._conn, digest))
                    for number, digest, size in page
                    if not self._is_marked(number)
                ]
            )
            after = page[-1][0]

    def _condemned(self) -> Iterator[Judged]:
        """Blobs on the list that something refers to, and what is on it but nowhere else."""
        after = b""
        while page := garbage.condemned_after(self._conn, after, BATCH):
            yield Judged(
                (),
                [
                    (digest, since_us)
                    for digest, since_us, number, manifest in page
                    if manifest is None and (number is None or self._is_marked(number))
                ],
            )
            after = page[-1][0]


def deadlines(periods: Periods, at_us: int | None) -> Deadlines:
    return periods.before(now_us() if at_us is None else at_us)
