"""One sync, from the first look at both sides to its outcome."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

from gateway.client.connection import Connection, Refusal
from gateway.sync.compare import Comparer
from gateway.sync.control import Control
from gateway.sync.faults import Cancelled, Halted, Refused
from gateway.sync.filters import IsIncluded, compile_filters
from gateway.sync.folder import FolderDestination, FolderSource
from gateway.sync.folder import name_of as folder_name
from gateway.sync.manifest import Item
from gateway.sync.memory import Memory
from gateway.sync.model import Bucket, FailureKind, Folder, Observer, Options, Outcome, Side, State, SyncError
from gateway.sync.objects import Objects
from gateway.sync.ours import Conflict, Gateway, PinnedSource, TransactionDestination, pinned
from gateway.sync.plan import Work, make_plan
from gateway.sync.progress import Tracker
from gateway.sync.remote import BucketDestination, BucketSource, connect
from gateway.sync.remote import name_of as bucket_name
from gateway.sync.transfer import Transfers

_MOST_RUNS = 2  # what is planned anew after a conflict may conflict again; then somebody has to look
_MESSAGE = "sync"


def never() -> bool:
    return False


def synchronise(
    source: Side,
    destination: Side,
    options: Options,
    memory: Memory,
    *,
    observer: Observer | None = None,
    should_stop: Callable[[], bool] = never,
) -> Outcome:
    """Makes the destination hold what the source does, as `options` say. Returns when that is durable, or why not.

    `should_stop` is asked before each file and each part, from any thread. Raises SyncError for what cannot begin or go
    on at all; what was done until then stays as it is, and where the destination is a bucket of this gateway nothing is
    visible of it.
    """
    _check_apart(source, destination)
    with ExitStack() as stack:
        control = Control(should_stop, options.rate_bytes_s)
        tracker = Tracker(observer)
        pair = f"{_name(source)} > {_name(destination)}"
        is_exclusive = stack.enter_context(memory.exclusively(pair))
        ends = _Ends(control, tracker, memory, options, stack)
        source_end = ends.source(source)
        destination_end = ends.destination(destination, source, source_end, pair, is_exclusive=is_exclusive)
        return _Sync(source_end, destination_end, options, memory, control, tracker).run()


# ---------------------------------------------------------------- its sides


@dataclass(frozen=True)
class _Ends:
    """Makes the two sides; what they hold open is closed by `stack`."""

    control: Control
    tracker: Tracker
    memory: Memory
    options: Options
    stack: ExitStack

    def source(self, side: Side) -> FolderSource | BucketSource:
        if isinstance(side, Folder):
            return FolderSource(side, self.memory, self.tracker)
        connection = self._connection(side)
        if side.is_ours:
            return pinned(Gateway(side, connection, self.control))
        return BucketSource(side, Objects(connection, side.bucket, self.control, signs=True))

    def destination(
        self, side: Side, source_side: Side, source: FolderSource | BucketSource, pair: str, *, is_exclusive: bool
    ) -> FolderDestination | BucketDestination:
        if isinstance(side, Folder):
            return FolderDestination(side, self.memory, self.tracker, self.control)
        is_near = isinstance(source_side, Bucket) and _account(source_side) == _account(side)
        near = source if is_near and isinstance(source, BucketSource) else None
        connection = self._connection(side)
        if side.is_ours:
            gateway = Gateway(side, connection, self.control)
            return TransactionDestination(gateway, self.memory, pair, near, is_exclusive=is_exclusive)
        objects = Objects(connection, side.bucket, self.control, signs=True)
        return BucketDestination(side, objects, self.memory, pair, near)

    def _connection(self, side: Bucket) -> Connection:
        return self.stack.enter_context(closing(connect(side, self.options.jobs)))


def _account(side: Bucket) -> tuple[str, object]:
    return side.reach.endpoint.rstrip("/"), side.reach.credentials


def _name(side: Side) -> str:
    return folder_name(side) if isinstance(side, Folder) else bucket_name(side)


def _check_apart(source: Side, destination: Side) -> None:
    """Raises SyncError where one side is the other, or inside it."""
    if isinstance(source, Folder) and isinstance(destination, Folder):
        folders = [os.path.realpath(side.path) for side in (source, destination)]
        is_apart = os.path.commonpath(folders) not in folders
    elif isinstance(source, Bucket) and isinstance(destination, Bucket):
        is_same = _account(source)[0] == _account(destination)[0] and source.bucket == destination.bucket
        is_apart = not is_same or not _overlap(source, destination)
    else:
        return
    if not is_apart:
        raise SyncError("source and destination are the same, or one lies inside the other")


def _overlap(one: Bucket, other: Bucket) -> bool:
    return one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)


# ---------------------------------------------------------------- its course


@dataclass
class _Sync:
    source: FolderSource | BucketSource
    destination: FolderDestination | BucketDestination
    options: Options
    memory: Memory
    control: Control
    tracker: Tracker

    unchanged: int = 0
    transfers: Transfers | None = None

    def run(self) -> Outcome:
        """Raises SyncError."""
        try:
            commit_id = self._run_until_it_fits()
        except Refused as exc:
            return self._outcome(State.REFUSED, reason=str(exc))
        except Halted as exc:
            return self._outcome(State.FAILED, reason=str(exc))
        except Cancelled:
            return self._outcome(State.CANCELLED)
        finally:
            self.tracker.end()
        kinds = {failure.kind for failure in self.tracker.failures}
        if FailureKind.FAILED in kinds:
            return self._outcome(State.FAILED, commit_id=commit_id)
        return self._outcome(State.CHANGED if kinds else State.DONE, commit_id=commit_id)

    def _run_until_it_fits(self) -> str | None:
        """The commit's id."""
        for _ in range(_MOST_RUNS):
            try:
                return self._run()
            except Conflict as exc:
                conflict = exc
        raise Refused(f"{conflict}; it was tried {_MOST_RUNS} times")

    def _run(self) -> str | None:
        work = self._planned()
        transaction = self.destination if isinstance(self.destination, TransactionDestination) else None
        is_needed = bool(work.plan.actions) or (transaction is not None and transaction.is_open)
        if self.options.dry_run or not is_needed:
            self.tracker.planned(work.plan)
            return None
        if not self._begin():  # the branch has moved since it was listed
            work = self._planned()
        self.tracker.planned(work.plan)
        self.transfers = Transfers(
            self.source,
            self.destination,
            self.memory,
            self.control,
            self.tracker,
            jobs=self.options.jobs,
            wait_s=self.options.wait_s,
        )
        self.transfers.run(work.transfers)
        if not self.tracker.failures:
            self.transfers.delete([action.path for action in work.deletions])
        self.destination.settle()
        return None if transaction is None else self._commit(transaction, self.transfers)

    # ---------------------------------------------------------------- planning

    def _planned(self) -> Work:
        """What is to be done, and may be. Raises Refused, SyncError, Cancelled."""
        if not isinstance(self.destination, TransactionDestination):
            return self._checked(self._listed())
        self.destination.look()
        self._check_other_branch(self.destination)
        work = self._listed()
        if self.destination.is_spoilt(delete=self.options.delete) and not self.options.dry_run:
            self.destination.abandon()
            self.destination.look()
            work = self._listed()
        return self._checked(work)

    def _listed(self) -> Work:
        self.tracker.failures.clear()
        is_included = self._filter()
        comparer = Comparer(self.source, self.destination, self.options.comparison, self.memory, self.control)
        source = _refusals(self.source.items(is_included), lambda text, status: SyncError(text))
        if isinstance(self.destination, TransactionDestination):
            source = self.destination.watched(source)
        destination = _refusals(
            self.destination.items(is_included),
            lambda text, status: Refused(text) if status == 403 else SyncError(text),
        )
        work = make_plan(source, destination, comparer.is_same, delete=self.options.delete)
        self.memory.flush()
        self.unchanged = work.plan.unchanged
        return work.sparing({failure.path for failure in self.tracker.failures})

    def _filter(self) -> IsIncluded:
        chosen = compile_filters(self.options.filters)
        if not isinstance(self.source, FolderSource) and not isinstance(self.destination, FolderDestination):
            return chosen
        # Keys that stand for folders, as consoles make them: a folder of files has them by itself.
        return lambda path: not path.endswith("/") and chosen(path)

    def _checked(self, work: Work) -> Work:
        most = self.options.max_delete
        if most is not None and len(work.deletions) > most:
            raise Refused(f"{len(work.deletions)} files would be deleted, and no more than {most} may be")
        return work

    def _check_other_branch(self, destination: TransactionDestination) -> None:
        """Two spellings may name one branch. What is pinned by its name may be brought back to it."""
        source = self.source
        if not isinstance(source, PinnedSource) or source.is_snapshot or source.place != destination.place:
            return
        is_near = _account(source.side)[0] == _account(destination.side)[0]
        if is_near and _overlap(source.side, destination.side):
            raise SyncError("source and destination are the same, or one lies inside the other")

    # ---------------------------------------------------------------- beginning and ending

    def _begin(self) -> bool:
        if isinstance(self.destination, TransactionDestination):
            return self.destination.open(self.options.message or _MESSAGE)
        self.destination.begin()
        return True

    def _commit(self, destination: TransactionDestination, transfers: Transfers) -> str | None:
        """Raises Conflict, Refused, SyncError."""
        if self.tracker.failures:
            has_deleted = transfers.deleted or destination.holds_deletions
            if not self.options.partial or has_deleted:
                destination.leave()
                return None
        return destination.commit(self.options.message or _MESSAGE)

    def _outcome(self, state: State, *, reason: str = "", commit_id: str | None = None) -> Outcome:
        return Outcome(
            state=state,
            transferred=self.transfers.transferred if self.transfers else 0,
            deleted=self.transfers.deleted if self.transfers else 0,
            unchanged=self.unchanged,
            bytes_sent=self.tracker.bytes_sent,
            failures=tuple(self.tracker.failures),
            commit_id=commit_id,
            reason=reason,
        )


def _refusals(items: Iterator[Item], fault: Callable[[str, int], Exception]) -> Iterator[Item]:
    """The items; a refusal of their listing becomes what it means for that side."""
    try:
        yield from items
    except Refusal as exc:
        raise fault(str(exc), exc.status) from exc
