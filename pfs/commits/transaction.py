"""One write transaction: commits made one after the other on branch heads.

Heads are read once per transaction and written back at its end, however many commits it holds. An
operation that refuses (a StoreError) does so before its first write, so that its neighbours in the
transaction are not touched.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pfs.commits.chain import commit_id
from pfs.errors import HistoryIsImmutable, NoSuchBranch, ProtectedBranch, StoreBusy, StoreError
from pfs.meta import commits, contents, entries, protections, refs, settings, transactions
from pfs.meta.database import Connection
from pfs.model import (
    BLOB,
    MANIFEST,
    OBJECT,
    Branch,
    Change,
    Commit,
    CommitId,
    Committed,
    Content,
    Delete,
    Digest,
    Entry,
    Level,
    Put,
)
from pfs.names import key_bytes
from pfs.timelines import Timelines


def now_us() -> int:
    return time.time_ns() // 1000


def new_uid() -> bytes:
    return secrets.token_bytes(16)


def storable(text: str) -> str:
    """NUL, which no PostgreSQL text can hold, becomes U+FFFD."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


@dataclass(slots=True)
class Head:
    """A branch's head as this transaction sees it. `inherited` are the levels of what it forked from. `expires_us` is
    when a branch that takes a transaction's writes takes them no longer."""

    branch: Branch
    repo_uid: bytes
    timeline_uid: bytes
    fork_seq: int
    flat: bool
    inherited: tuple[Level, ...]
    seq: int
    commit_id: CommitId
    time_us: int
    expires_us: int | None = None
    moved: bool = False

    @property
    def level(self) -> Level:
        return Level(self.branch.timeline_id, self.seq, live=True)

    def branch_now(self) -> Branch:
        """The branch with the head that this transaction has given it."""
        return replace(self.branch, head_seq=self.seq)


class Transaction:
    """Handed to each operation of a group by the committer; used by its thread alone.

    `began_us` is the time by which the whole group judges what has expired."""

    def __init__(self, conn: Connection, timelines: Timelines) -> None:
        self.conn = conn
        self.timelines = timelines
        self.commit_count = 0
        self.began_us = now_us()
        self._heads: dict[int, Head] = {}

    def head(self, branch_id: int) -> Head:
        """Raises NoSuchBranch where the branch was deleted, or is that of a transaction which has expired."""
        head = self._heads.get(branch_id)
        if head is None:
            head = self._heads[branch_id] = self._load(branch_id)
        if head.expires_us is not None and head.expires_us <= self.began_us:
            raise NoSuchBranch(head.branch.repo, head.branch.name)
        return head

    def unprotected(self, branch_id: int) -> Head:
        """Like `head`, for whatever changes a branch and is no merge. Raises ProtectedBranch."""
        head = self.head(branch_id)
        branch = head.branch
        if branch.protected:
            raise ProtectedBranch(
                branch.repo, branch.name, protections.protecting(self.conn, branch.repo_id, branch.name)
            )
        return head

    def forget(self, branch_id: int) -> None:
        """After an operation deleted the branch; its pending head is written first."""
        self.flush()
        self._heads.pop(branch_id, None)

    def flush(self) -> None:
        """Writes moved heads back; the committer calls it before COMMIT."""
        for head in self._heads.values():
            if head.moved:
                refs.move_head(self.conn, head.branch.id, head.seq)
                head.moved = False

    def current(self, head: Head, key: bytes) -> Entry | None:
        """What the key holds at the head; None where absent or deleted."""
        for level in (head.level, *head.inherited):
            entry = entries.live(self.conn, level, key)
            if entry is not None:
                return None if entry.is_marker else entry
        return None

    def commit(
        self,
        branch_id: int,
        changes: Sequence[Change],
        *,
        author: str,
        message: str,
        metadata: str = "",
        merged: Sequence[CommitId] = (),
        merging: bool = False,
    ) -> Committed:
        """Applies the changes as one commit. A key that comes twice is changed once, the last way.

        A change that its guard refuses is left out and reported in its place; when all
        are refused there is no commit, but for one that records what it `merged`. NUL in the message
        becomes U+FFFD. Raises ProtectedBranch, unless it is `merging`.
        """
        message = storable(message)
        head = self.head(branch_id) if merging else self.unprotected(branch_id)
        accepted: dict[bytes, _Pending] = {}
        results: list[Exception | bytes] = []
        for change in changes:
            try:
                pending = self._examine(head, change)
            except StoreError as exc:
                results.append(exc)
            else:
                accepted[pending.key] = pending
                results.append(pending.key)
        if not accepted and not merged:
            return Committed(None, [result for result in results if isinstance(result, Exception)])
        commit, written = self._write(head, accepted, author, message, metadata, merged)
        return Committed(commit, [result if isinstance(result, Exception) else written[result] for result in results])

    def store_content(self, content: Content) -> None:
        """Records the content's blob or manifest, with the bytes that are pending. One that is recorded already is
        no garbage any more."""
        if content.is_reference:
            contents.absolve(self.conn, content.digest)
        elif content.layout == MANIFEST:
            assert content.pending is not None
            contents.insert_manifest(self.conn, content.digest, content.pending)
        else:
            contents.insert_blob(self.conn, content.digest, content.pending)

    def check_recorded(self, digest: Digest, layout: int = BLOB) -> None:
        """Raises StoreBusy where what a caller read a moment ago, to refer to it, has been collected since."""
        if not contents.is_recorded(self.conn, digest, layout):
            raise StoreBusy(f"the content {digest.hex()} was collected while it was copied: read its source again")

    def _examine(self, head: Head, change: Change) -> _Pending:
        key = key_bytes(change.key)
        if isinstance(change, Put | Delete):
            if change.guard is not None:
                change.guard(self.current(head, key))
            if isinstance(change, Put) and change.content.is_reference:
                self.check_recorded(change.content.digest, change.content.layout)
            return _Pending(key, change)
        return _Pending(key, self._restored(head, key, change.key, change.marker))

    def _restored(self, head: Head, key: bytes, name: str, marker: CommitId) -> Put | Delete:
        """The change that undoes the key's current deletion by `marker`."""
        found = self._latest(head, key, head.seq)
        if found is None or not found.is_marker or found.commit_id != marker:
            raise HistoryIsImmutable(marker)
        while found is not None and found.is_marker:
            found = self._latest(head, key, found.seq - 1)
        if found is None:
            return Delete(name)  # there was nothing before: its absence is recorded once more
        return Put(name, found.content, found.attrs, found.checksums, settings=found.settings)

    def _latest(self, head: Head, key: bytes, seq: int) -> Entry | None:
        for line, upto in self.timelines.lineage(self.conn, head.branch.timeline_id, seq):
            found = entries.latest(self.conn, line.id, key, upto)
            if found is not None:
                return found
        return None

    def _write(
        self,
        head: Head,
        accepted: dict[bytes, _Pending],
        author: str,
        message: str,
        metadata: str,
        merged: Sequence[CommitId],
    ) -> tuple[Commit, dict[bytes, Entry]]:
        seq, time_us = head.seq + 1, max(now_us(), 1 + self._latest_time(head, merged))
        ordered = sorted(accepted.items()) if len(accepted) > 1 else list(accepted.items())
        drafts = [(key, pending.entry(seq, time_us)) for key, pending in ordered]
        new_id = commit_id(
            repo_uid=head.repo_uid,
            timeline_uid=head.timeline_uid,
            seq=seq,
            parents=(head.commit_id, *merged),
            time_us=time_us,
            author=author,
            message=message,
            metadata=metadata,
            changes=drafts,
        )
        commit = Commit(new_id, head.branch.timeline_id, seq, author, time_us, message, metadata, len(drafts))
        written = {key: accepted[key].entry(seq, time_us, new_id) for key, _ in drafts}
        for key, entry in written.items():
            self._write_entry(head, key, accepted[key].change, entry)
        commits.insert_commit(self.conn, commit, merged)
        head.seq, head.commit_id, head.time_us, head.moved = seq, new_id, time_us, True
        self.commit_count += 1
        return commit, written

    def _latest_time(self, head: Head, merged: Sequence[CommitId]) -> int:
        """Of all the parents: each commit is later than they, whatever the clocks of those that wrote them said."""
        times = [head.time_us]
        for parent in merged:
            found = commits.commits_by_prefix(self.conn, head.branch.repo_id, parent, 1)
            times += [commit.time_us for commit in found]
        return max(times)

    def _write_entry(self, head: Head, key: bytes, change: Put | Delete, entry: Entry) -> None:
        if isinstance(change, Put):
            self.store_content(change.content)
        if head.flat and entry.is_marker:
            copied = entries.first_seq(self.conn, head.branch.timeline_id, key) == head.fork_seq
            _replace_entry(self.conn, head.branch.timeline_id, key, entry, hides=copied)
        else:
            write_entry(self.conn, head.branch.timeline_id, head.inherited, key, entry)

    def _load(self, branch_id: int) -> Head:
        branch = refs.branch_by_id(self.conn, branch_id)
        if branch is None:
            raise NoSuchBranch("", str(branch_id))
        timeline = self.timelines.get(self.conn, branch.timeline_id)
        owner = self.timelines.owner(self.conn, branch.timeline_id, branch.head_seq)
        commit = commits.commit_at(self.conn, owner, branch.head_seq)
        assert commit is not None
        levels = self.timelines.levels(self.conn, branch.timeline_id, branch.head_seq, live=True)
        pending = branch.transaction_id
        expires_us = None if pending is None else transactions.expiry(self.conn, pending)
        return Head(
            branch=branch,
            repo_uid=refs.repo_by_id(self.conn, branch.repo_id).uid,
            timeline_uid=timeline.uid,
            fork_seq=timeline.fork_seq,
            flat=bool(timeline.flat),
            inherited=levels[1:],
            seq=branch.head_seq,
            commit_id=commit.id,
            time_us=commit.time_us,
            expires_us=expires_us,
        )


def write_entry(conn: Connection, timeline_id: int, inherited: Sequence[Level], key: bytes, entry: Entry) -> None:
    """Makes it the key's latest version in the timeline, which is not flat; `inherited` are the levels below."""
    _replace_entry(conn, timeline_id, key, entry, hides=entry.is_marker and _shows_through(conn, inherited, key))


def _replace_entry(conn: Connection, timeline_id: int, key: bytes, entry: Entry, *, hides: bool) -> None:
    """A marker that `hides` nothing further down is closed at once."""
    entries.close(conn, timeline_id, key, entry.seq)
    entries.insert_entry(conn, timeline_id, key, entry, entry.seq if entry.is_marker and not hides else None)
    settings.insert_entry_settings(conn, key, entry.commit_id, entry.settings)


def _shows_through(conn: Connection, levels: Sequence[Level], key: bytes) -> bool:
    for level in levels:
        entry = entries.live(conn, level, key)
        if entry is not None:
            return not entry.is_marker
    return False


_NOT_YET = CommitId("")


@dataclass(slots=True)
class _Pending:
    """A change that was accepted."""

    key: bytes
    change: Put | Delete

    def entry(self, seq: int, time_us: int, new_id: CommitId = _NOT_YET) -> Entry:
        change = self.change
        if isinstance(change, Delete):
            return entries.marker(change.key, seq, new_id, time_us)
        content = change.content
        return Entry(
            change.key,
            seq,
            OBJECT,
            content.size,
            content.digest,
            content.layout,
            content.etag,
            change.attrs,
            change.checksums,
            new_id,
            time_us,
            change.settings,
        )


def make_repo(tx: Transaction, project: str, name: str, default_branch: str, author: str) -> int:
    """A repo with its root timeline and root commit (seq 0, no changes, no parent); its id."""
    created_us, uid, timeline_uid = now_us(), new_uid(), new_uid()
    repo_id = refs.insert_repo(
        tx.conn, uid=uid, project=project, name=name, default_branch=default_branch, created_us=created_us
    )
    timeline_id = refs.insert_timeline(tx.conn, uid=timeline_uid, repo_id=repo_id, parent_id=None, fork_seq=-1)
    changes: Iterable[tuple[bytes, Entry]] = ()
    root_id = commit_id(
        repo_uid=uid,
        timeline_uid=timeline_uid,
        seq=0,
        parents=(),
        time_us=created_us,
        author=author,
        message="",
        metadata="",
        changes=changes,
    )
    commits.insert_commit(tx.conn, Commit(root_id, timeline_id, 0, author, created_us, "", "", 0), ())
    return repo_id
