"""What a sync is told, what it tells while it runs, and what it comes to. No files, no network.

A side is a folder or a bucket; paths below it are relative, with `/` between the names, in UTF-8, and ordered by their
bytes. A path is the rest of an object's key behind the side's prefix.

    ready ──► planned ──► running ──► done        all is as the source was
                             ├──────► failed      some files could not be transferred: `failures` tells which
                             ├──────► changed     the source changed while it was read, nothing else went wrong
                             ├──────► refused     the destination would not have it: rights, a protected branch,
                             │                    a conflict, more deletions than `max_delete`
                             └──────► cancelled

Where the destination is a bucket of this gateway, one commit brings all changes or none: only `done` commits, and with
`partial` also `failed` and `changed`, then without deletions. What was transferred otherwise stays in an open
transaction, and the next run of the same sync goes on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from gateway.client.environment import Reach


class SyncError(Exception):
    """A sync that cannot begin or go on, through no fault of a single file; the message says why and what to do."""


# ---------------------------------------------------------------- what is to be done


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine. With `beneath`, nothing is read or written that does not lie below that folder once
    all symbolic links are followed."""

    path: Path
    beneath: Path | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """The objects of a bucket whose keys begin with `prefix`.

    `is_ours`: it is a gateway of this kind, so that a sync to it is a transaction. `address`: connections go to this IP
    address, whatever the endpoint's name means by then.
    """

    reach: Reach
    bucket: str
    prefix: str = ""
    is_ours: bool = True
    address: str | None = None


Side = Folder | Bucket


class Comparison(Enum):
    """How a file is recognised as unchanged.

    quick      by its content's digest, which is remembered for as long as size, mtime and inode stay
    checksum   by its content's digest, made anew
    size       by its size alone
    """

    QUICK = "quick"
    CHECKSUM = "checksum"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Filter:
    """A glob for whole paths, in which `*` matches `/` too. Of all that match a path the last one decides."""

    pattern: str
    is_included: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`jobs`: files and parts at a time. `rate_bytes_s`: of all together; None: no limit. `wait_s`: from one file's end
    to the next one's beginning, one file at a time. `max_delete`: more deletions than these are refused, before
    anything is done."""

    delete: bool = False
    max_delete: int | None = None
    filters: Sequence[Filter] = ()
    comparison: Comparison = Comparison.QUICK
    jobs: int = 8
    rate_bytes_s: float | None = None
    wait_s: float = 0.0
    message: str = ""
    partial: bool = False
    dry_run: bool = False


# ---------------------------------------------------------------- what is told


class ActionKind(Enum):
    ADD = "add"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done about one path. `size` in bytes, of what is transferred or deleted."""

    kind: ActionKind
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Transfers by path, then deletions by path; `unchanged` counts the paths that are left alone."""

    actions: Sequence[Action]
    unchanged: int = 0


class State(Enum):
    DONE = "done"
    FAILED = "failed"
    CHANGED = "changed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class FailureKind(Enum):
    """CHANGED: it changed or vanished while it was read. FAILED: anything else."""

    CHANGED = "changed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not transferred or deleted, and why."""

    path: str
    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Of the transfers and deletions that are planned. Bytes count when they have been sent; what an earlier run had
    sent of a large file counts at once."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    path: str = ""

    @property
    def fraction(self) -> float:
        """From 0 to 1, by bytes, each file counting as a few more of them; 1 where nothing is to be done."""
        weight = 4096
        total = self.bytes_total + weight * self.files_total
        return (self.bytes_done + weight * self.files_done) / total if total else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`commit_id`: what the sync became, None where nothing was committed. `bytes_sent`: of content, without what an
    earlier run had sent. `reason`: of a refusal."""

    state: State
    transferred: int = 0
    deleted: int = 0
    unchanged: int = 0
    bytes_sent: int = 0
    failures: Sequence[Failure] = ()
    commit_id: str | None = None
    reason: str = ""


class Observer(Protocol):
    """Told from any thread, one call at a time."""

    def planned(self, plan: Plan) -> None:
        """Once, before anything is done; with `dry_run` it is all."""

    def advanced(self, progress: Progress) -> None:
        """Again and again, some times a second, first when the plan is made, last when all is done."""

    def failed(self, failure: Failure) -> None:
        """Once for each."""
