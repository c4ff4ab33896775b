"""The store's values: what goes in, what comes out. All frozen; times are µs since the epoch, UTC."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, NewType

CommitId = NewType("CommitId", str)
"""64 lower-case hex digits: the BLAKE3 digest of the commit's canonical bytes."""

Digest = NewType("Digest", bytes)
"""32 bytes of BLAKE3: a blob's or a manifest's name."""

BLOB, MANIFEST = 0, 1
"""Layouts: an object's digest names one blob, or a manifest."""

OBJECT, MARKER = 0, 1
"""Kinds of entry: a key's content, or the record of its deletion."""


NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def from_datetime(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def canonical_json(document: Mapping[str, Any]) -> str:
    """One spelling per value, so that it can be hashed: sorted keys, no spaces, ASCII. Empty is ""."""
    if not document:
        return ""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


TransactionState = Literal["open", "committed", "abandoned", "expired"]


@dataclass(frozen=True, slots=True)
class Repo:
    id: int
    uid: bytes
    project: str
    name: str
    default_branch: str
    created_us: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A movable name for a head commit. `label` is the name under which it is listed to
    people: free text for the store, given when the branch was made. A protected one takes merges only. `settings`
    are those of its settings that every reader asks for (`pfs.meta.refs.TOLD`), as they were when it was read.

    `transaction_id` is of the transaction whose writes it takes; such a branch is named like it, and in no list."""

    id: int
    project: str
    repo: str
    repo_id: int
    name: str
    label: str
    timeline_id: int
    head_seq: int
    created_us: int
    protected: bool = False
    transaction_id: str | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: NO_SETTINGS, compare=False)


Position = tuple[int, int]
"""Where a head is: its branch's timeline, and its seq. Equal positions of a branch are one and the same head."""


@dataclass(frozen=True, slots=True)
class Commit:
    """`seq` counts first parents since the repo's root commit, which is 0."""

    id: CommitId
    timeline_id: int
    seq: int
    author: str
    time_us: int
    message: str
    metadata: str
    change_count: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for one commit, for ever the same. `author`, `time_us` and `message` are the tagging's own."""

    name: str
    commit_id: CommitId
    author: str
    time_us: int
    message: str


@dataclass(frozen=True, slots=True)
class Protection:
    """Branches of the repo whose names match the glob pattern take merges only."""

    pattern: str
    author: str
    created_us: int


@dataclass(frozen=True, slots=True)
class TransactionInfo:
    """A transaction, open or ended. Its writes go to the branch `branch_id`, which is named like it and labelled
    `label`; they are meant for the branch `target_id`, of the name `target`, whose head was `base` when it began.
    `commit_id` is what it became: None where it has changed nothing, or is not committed."""

    id: str
    repo_id: int
    repo: str
    branch_id: int
    label: str
    target_id: int
    target: str
    base: CommitId
    author: str
    message: str
    metadata: str
    begun_us: int
    expires_us: int
    state: TransactionState
    ended_us: int | None = None
    commit_id: CommitId | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One timeline's part of a view: its rows up to and with `seq`; `live` means whatever is current."""

    timeline_id: int
    seq: int
    live: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A whole tree of keys as one commit, or a branch's moving head, shows it.

    Levels are searched in order; the first that knows a key decides. `commit` is None for a
    head, which is read as it is at that moment.
    """

    branch: Branch
    levels: tuple[Level, ...]
    commit: Commit | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that an entry can hold. `pending` are bytes, or a manifest's, that the entry's own transaction is
    to store; `staged` ones have just been put into the blob store. A content that is neither refers to what
    is recorded already."""

    size: int
    digest: Digest
    etag: str
    layout: int = BLOB
    pending: bytes | None = None
    staged: bool = field(default=False, compare=False)

    @property
    def is_reference(self) -> bool:
        return self.pending is None and not self.staged


class Entry(NamedTuple):
    """What a key holds at a commit. `commit_id` wrote it, at `time_us`.

    `etag` is `<64 hex>-<parts>`. `attrs` and `checksums` are canonical JSON of the
    caller's making ("" for none); the store keeps and hashes them, and reads neither.
    `settings` lie beside the history (see `Store.set_entry_setting`): they are the version's own wherever
    it shows, a fork included, and are told by `Store.entry` and `Store.read`; a listing leaves them out, unless
    it is one of chosen entries (`Keep`).

    A tuple, since a page of a listing makes a thousand of them.
    """

    key: str
    seq: int
    kind: int
    size: int
    digest: Digest
    layout: int
    etag: str
    attrs: str
    checksums: str
    commit_id: CommitId
    time_us: int
    settings: Mapping[str, str] = NO_SETTINGS

    @property
    def is_marker(self) -> bool:
        return self.kind == MARKER

    @property
    def content(self) -> Content:
        return Content(self.size, self.digest, self.etag, self.layout)


Guard = Callable[[Entry | None], None]
"""A caller's precondition: called inside the transaction with the entry that is live for the
key (None: absent or deleted); raises a StoreError (a `GuardRefused`, say) to refuse the change."""


Keep = Callable[[Entry], bool]
"""A caller's choice of what a listing shows: asked of each entry, settings and all; what it does not choose is left out
as if it were not there."""


@dataclass(frozen=True, slots=True)
class Put:
    """`settings` are given to the new version in the commit's own transaction, but are no part of it."""

    key: str
    content: Content
    attrs: str = ""
    checksums: str = ""
    guard: Guard | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """Always leaves a delete marker, also where the key never was."""

    key: str
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Restore:
    """Undoes a deletion: the key gets back what it held before its current delete marker,
    which must be the one that `marker` wrote; otherwise HistoryIsImmutable."""

    key: str
    marker: CommitId


Change = Put | Delete | Restore


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a set of changes. `results` has, per change in order, its new entry or
    the StoreError that refused it. `commit` is None when every change was refused."""

    commit: Commit | None
    results: Sequence[Entry | Exception]


@dataclass(frozen=True, slots=True)
class Extent:
    """`length` bytes of a blob from `offset`."""

    digest: Digest
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Part:
    """A staged part of an upload, or a part of a finished object. `digest` names its content
    in its ETag; `checksum` is the caller's text ("" for none)."""

    number: int
    size: int
    digest: Digest
    extents: tuple[Extent, ...]
    checksum: str = ""
    modified_us: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload. `result` is the caller's record of its completion ("" while open)."""

    id: str
    branch_id: int
    key: str
    attrs: str
    author: str
    initiated_us: int
    result: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing, entries and prefixes interleaved in byte order. `last` is the name
    (a key or a prefix) that the next page follows; None when nothing is left."""

    entries: Sequence[Entry]
    prefixes: Sequence[str]
    last: str | None


@dataclass(frozen=True, slots=True)
class VersionListing:
    """A page of versions: each with whether it is its key's latest. `last` is the (key,
    commit id) that the next page follows; the id is None behind a prefix."""

    versions: Sequence[tuple[Entry, bool]]
    prefixes: Sequence[str]
    last: tuple[str, CommitId | None] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that two trees do not hold alike; None where one does not hold it."""

    key: str
    before: Entry | None
    after: Entry | None

    @property
    def kind(self) -> Literal["added", "changed", "removed"]:
        if self.before is None:
            return "added"
        return "changed" if self.after is not None else "removed"


@dataclass(frozen=True, slots=True)
class Differences:
    """A page of differences, in byte order. `last` is the key that the next page follows; None when
    nothing is left."""

    changes: Sequence[Difference]
    last: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A key that both sides of a merge changed, to different things; None is its absence."""

    key: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None


Side = Literal["ours", "theirs"]
"""Whose entry a conflicting key is to hold: the branch's that is merged into, or the other's."""

Strategy = Side | Mapping[str, Side]
"""One side for all conflicts, or one for each of these keys."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge, cherry-pick or revert does to a branch.

    `kind`: "nothing" where the branch has it all already; "fast-forward" where its head moves to the
    other side's; "commit" where `changes` are made as one commit. `base` is the merge base; the other
    sides differ from it. `conflicts` are those that no strategy has decided: with any, nothing is done.
    """

    kind: Literal["nothing", "fast-forward", "commit"]
    base: Commit
    changes: Sequence[Difference] = ()
    conflicts: Sequence[Conflict] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """`head` is the branch's afterwards, which `branch` has; what was done is `merge`."""

    branch: Branch
    head: Commit
    merge: Merge


@dataclass(frozen=True, slots=True)
class Logged:
    """A commit with its parents' ids, the first one first; the root commit has none."""

    commit: Commit
    parents: Sequence[CommitId]


@dataclass(frozen=True, slots=True)
class RepoSummary:
    """`objects` and `size_bytes` are what the default branch's head holds; 0 where that was deleted."""

    repo: Repo
    branches: int
    tags: int
    commits: int
    objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is to be told of commits on the branches whose names match the glob pattern `branches`. `author` is the
    caller's text. The secret signs what is sent."""

    id: str
    repo_id: int
    branches: str
    url: str
    secret: str = field(repr=False)
    author: str
    created_us: int

    def concerns(self, branch: str) -> bool:
        return fnmatchcase(branch, self.branches)


@dataclass(frozen=True, slots=True)
class WebhookState:
    """`pending`: commits of all its branches that are still to be delivered. `last_error`: by branch, of those whose
    last attempt failed, or that had to pass a commit over; "" for none."""

    webhook: Webhook
    pending: int
    last_error: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What a webhook is to be told next of a branch. `last` is the commit that it was told of last; `attempts` have
    been made at `next`, which is None where there is nothing behind `last`. `head` is the branch's."""

    webhook: Webhook
    branch: Branch
    last: CommitId
    attempts: int
    next: Logged | None
    head: CommitId
