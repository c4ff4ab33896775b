"""What a store can refuse or fail with.

    StoreError
    ├── CallerError            the caller's mistake; nothing was changed
    │   ├── InvalidName        a repo, branch or key that the grammar rules out
    │   ├── InvalidRevision    text that is no revision
    │   ├── NoSuchRepo, NoSuchBranch, NoSuchTag, RepoExists, BranchExists, TagExists
    │   ├── NoSuchCommit       a revision that names nothing here
    │   │   └── AmbiguousRevision   an id prefix that names several commits
    │   ├── NoSuchKey          absent, or deleted: `marker` tells which
    │   ├── NoSuchUpload, NoSuchPart, PartTooSmall
    │   ├── NoSuchTransaction
    │   ├── TransactionEnded   committed, abandoned or expired: the state tells
    │   ├── TransactionConflict    a key that it touched has moved on its target; it stays open
    │   ├── ProtectedBranch    a branch that takes merges only
    │   ├── NoSuchProtection
    │   ├── NoSuchWebhook
    │   ├── HistoryIsImmutable a change to what has been committed
    │   ├── HeadMoved          the head is not the one that the caller expected
    │   ├── Conflicted         a merge, cherry-pick or revert that both sides contradict
    │   └── GuardRefused       base for what a caller's own guard raises
    ├── TryAgain               the store is sound, this attempt failed
    │   ├── StoreBusy          a lock or a connection was not to be had in time
    │   ├── StoreFull          no room left on the disk; nothing was written
    │   └── StoreClosed
    └── Corruption             what was stored is not what is read; never a "not found"
        ├── MissingBlob
        └── BadRecord

Facts travel as attributes, for whoever translates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pfs.model import CommitId, Conflict, Entry, TransactionState


class StoreError(Exception):
    """Base of all errors that a store raises on purpose."""


class CallerError(StoreError):
    """The request cannot be carried out as asked; nothing was changed."""


class InvalidName(CallerError):
    def __init__(self, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(f"{name!r} is not a legal {what} name")


class InvalidRevision(CallerError):
    def __init__(self, rev: str) -> None:
        self.rev = rev
        super().__init__(f"{rev!r} is not a revision")


class NoSuchRepo(CallerError):
    def __init__(self, repo: str) -> None:
        self.repo = repo
        super().__init__(f"there is no repo {repo!r}")


class NoSuchBranch(CallerError):
    def __init__(self, repo: str, branch: str) -> None:
        self.repo, self.branch = repo, branch
        super().__init__(f"repo {repo!r} has no branch {branch!r}")


class NoSuchTag(CallerError):
    def __init__(self, repo: str, tag: str) -> None:
        self.repo, self.tag = repo, tag
        super().__init__(f"repo {repo!r} has no tag {tag!r}")


class RepoExists(CallerError):
    def __init__(self, repo: str, reason: str | None = None) -> None:
        self.repo = repo
        super().__init__(reason or f"there already is a repo {repo!r}")


class BranchExists(CallerError):
    def __init__(self, repo: str, branch: str) -> None:
        self.repo, self.branch = repo, branch
        super().__init__(f"repo {repo!r} already has a branch {branch!r}")


class TagExists(CallerError):
    def __init__(self, repo: str, tag: str) -> None:
        self.repo, self.tag = repo, tag
        super().__init__(f"repo {repo!r} already has a tag {tag!r}")


class NoSuchCommit(CallerError):
    def __init__(self, rev: str, reason: str | None = None) -> None:
        self.rev = rev
        super().__init__(reason or f"revision {rev!r} names no commit here")


class AmbiguousRevision(NoSuchCommit):
    """`candidates` are full commit ids, sorted, at most ten."""

    def __init__(self, rev: str, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(rev, f"revision {rev!r} is ambiguous: {', '.join(c[:16] for c in self.candidates)}")


class NoSuchKey(CallerError):
    """`marker` is the delete marker that hides the key, None where the key never was."""

    def __init__(self, key: str, marker: Entry | None = None) -> None:
        self.key, self.marker = key, marker
        super().__init__(f"there is no key {key!r}")


class NoSuchUpload(CallerError):
    def __init__(self, upload_id: str) -> None:
        self.upload_id = upload_id
        super().__init__(f"there is no upload {upload_id!r}")


class NoSuchPart(CallerError):
    """The part is absent, or is not the one that the caller described."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"part {number} is absent or differs")


class PartTooSmall(CallerError):
    """A part other than the last is below the caller's minimum."""

    def __init__(self, number: int, size: int, minimum: int) -> None:
        self.number, self.size, self.minimum = number, size, minimum
        super().__init__(f"part {number} has {size} bytes, below the minimum of {minimum}")


class NoSuchWebhook(CallerError):
    def __init__(self, webhook_id: str) -> None:
        self.webhook_id = webhook_id
        super().__init__(f"there is no webhook {webhook_id!r}")


class HistoryIsImmutable(CallerError):
    def __init__(self, commit_id: str) -> None:
        self.commit_id = commit_id
        super().__init__("a committed version can not be changed or removed")


class HeadMoved(CallerError):
    """`actual` is the head's id now; the caller expected another."""

    def __init__(self, branch: str, actual: CommitId) -> None:
        self.branch, self.actual = branch, actual
        super().__init__(f"the head of branch {branch!r} is {actual}")


class Conflicted(CallerError):
    """`conflicts` are all of them, in the keys' order."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        keys = [repr(conflict.key) for conflict in self.conflicts[:3]]
        more = f" and {len(self.conflicts) - 3} more" if len(self.conflicts) > 3 else ""
        super().__init__(f"both sides changed {', '.join(keys)}{more}")


class NoSuchTransaction(CallerError):
    def __init__(self, repo: str, transaction_id: str) -> None:
        self.repo, self.transaction_id = repo, transaction_id
        super().__init__(f"repo {repo!r} has no transaction {transaction_id!r}")


class TransactionEnded(CallerError):
    """`commit_id` is what it became, where it was committed and has changed anything."""

    def __init__(self, transaction_id: str, state: TransactionState, commit_id: CommitId | None) -> None:
        self.transaction_id, self.state, self.commit_id = transaction_id, state, commit_id
        super().__init__(f"transaction {transaction_id} is {state}")


class TransactionConflict(CallerError):
    """`keys` are all that the target no longer holds as the transaction found them, in order."""

    def __init__(self, transaction_id: str, keys: Sequence[str]) -> None:
        self.transaction_id, self.keys = transaction_id, tuple(keys)
        more = f" and {len(self.keys) - 3} more" if len(self.keys) > 3 else ""
        super().__init__(f"its target has changed {', '.join(map(repr, self.keys[:3]))}{more} meanwhile")


class ProtectedBranch(CallerError):
    """`pattern` is one of those that match its name, where it is known."""

    def __init__(self, repo: str, branch: str, pattern: str | None = None) -> None:
        self.repo, self.branch, self.pattern = repo, branch, pattern
        super().__init__(f"branch {branch!r} of repo {repo!r} is protected: it takes merges only")


class NoSuchProtection(CallerError):
    def __init__(self, repo: str, pattern: str) -> None:
        self.repo, self.pattern = repo, pattern
        super().__init__(f"repo {repo!r} has no protection {pattern!r}")


class GuardRefused(CallerError):
    """Base for what a guard raises to stop its change (see `pfs.model.Guard`)."""


class TryAgain(StoreError):
    """The store is sound; the same call may succeed later."""


class StoreBusy(TryAgain):
    pass


class StoreFull(TryAgain):
    pass


class StoreClosed(TryAgain):
    pass


class Corruption(StoreError):
    """Stored bytes are missing or are not what their name says."""


class MissingBlob(Corruption):
    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(f"blob {digest} is missing")


class BadRecord(Corruption):
    def __init__(self, what: str, detail: str) -> None:
        self.what = what
        super().__init__(f"{what}: {detail}")
