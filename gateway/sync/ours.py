"""What only this kind of gateway can do for a sync: a source that stays as it is, a destination that changes at once.

A source is read at the commit that was its branch's head when the sync began. A destination is written in a
transaction: a bucket of its own, of which committing makes one commit on the branch, or none.

A transaction that an earlier run of the same sync left open is gone on with. The destination is then listed as the
branch is now, with what the transaction has already written laid over it, so that what was sent counts as there. Where
it has written something that is no longer wanted it is abandoned, and a new one begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gateway.api import model
from gateway.client.client import Client
from gateway.client.connection import Connection, Refusal
from gateway.s3.bucket import BucketName, format_bucket, parse_bucket
from gateway.s3.errors import InvalidBucketName
from gateway.sync.batches import Batches
from gateway.sync.control import Control
from gateway.sync.ends import Proof, Small
from gateway.sync.faults import Refused
from gateway.sync.filters import IsIncluded
from gateway.sync.manifest import Item
from gateway.sync.memory import Memory
from gateway.sync.model import Bucket, SyncError
from gateway.sync.objects import Objects, fault_of_destination, is_unauthenticated
from gateway.sync.plan import paired
from gateway.sync.progress import Meter
from gateway.sync.remote import BucketDestination, BucketSource, proof_of

_Result = TypeVar("_Result")

EXPIRES_IN_S = 3 * 86_400  # of a transaction: how long a sync that broke off can be gone on with
_MISSING = frozenset({"NoSuchRepo", "NoSuchBranch"})
_TAKEN = frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou"})
_GONE = -1  # the size of what a transaction has deleted


class Conflict(Exception):
    """Somebody wrote to the branch what the transaction wrote too; it is abandoned."""


@dataclass(frozen=True, slots=True)
class Place:
    """A branch, by names that are not defaults."""

    repo: str
    branch: str

    @property
    def bucket(self) -> str:
        return format_bucket(BucketName(self.repo, self.branch))


class Gateway:
    """The REST API as the engine uses it, for one bucket. Requests are tried again while they may yet succeed."""

    def __init__(self, side: Bucket, connection: Connection, control: Control) -> None:
        self.side, self.connection, self.control = side, connection, control
        self.client = Client(side.reach, connection)
        try:
            self.named = parse_bucket(side.bucket)
        except InvalidBucketName as exc:
            raise SyncError(f"{side.bucket!r} can be no bucket's name") from exc

    def ask(self, call: Callable[[], _Result]) -> _Result:
        """Raises Refusal for what the caller has to decide, SyncError where nobody with these credentials gets on."""
        try:
            return self.control.persist(call)
        except Refusal as exc:
            if is_unauthenticated(exc):
                raise SyncError(str(exc)) from exc
            raise

    def place(self) -> Place:
        """Raises Refusal, where there is none or it is not the caller's to know."""
        repo, branch = self.named.repo, self.named.branch
        return Place(repo, branch or self.ask(lambda: self.client.default_branch(repo)))

    def tree(self, place: Place, commit_id: str) -> Iterator[Item]:
        """What the bucket holds in a commit, by path. Raises Refusal, SyncError."""
        prefix, after = self.side.prefix, ""
        while True:
            page = self.ask(
                lambda after=after: self.client.ls(  # type: ignore[misc]
                    place.repo, branch=place.branch, rev=commit_id, prefix=prefix, after=after
                )
            )
            for entry in page.entries:
                if len(entry.key) > len(prefix):
                    yield _item(entry.key[len(prefix) :], entry.size, entry.etag, entry.modified)
            if page.next is None:
                return
            after = page.next


def _item(path: str, size: int, etag: str, modified: datetime) -> Item:
    return Item(path, size, int(modified.timestamp() * 1_000_000) * 1000, etags=(etag,))


# ---------------------------------------------------------------- a source


class PinnedSource(BucketSource):
    """A bucket as it was in one commit."""

    def __init__(self, gateway: Gateway, place: Place, commit_id: str) -> None:
        bucket = Objects(gateway.connection, place.bucket, gateway.control, version_id=commit_id, signs=False)
        super().__init__(gateway.side, bucket)
        self._gateway, self.place, self._commit_id = gateway, place, commit_id
        self.is_snapshot = gateway.named.is_snapshot

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        return (item for item in self._gateway.tree(self.place, self._commit_id) if is_included(item.path))


def pinned(gateway: Gateway) -> BucketSource:
    """The bucket at its present head, or at the revision that its name says. Who may only read objects there gets
    them as they are listed. Raises SyncError."""
    named = gateway.named
    try:
        place = gateway.place()
        commit_id = gateway.ask(lambda: gateway.client.resolve(place.repo, named.rev or "HEAD", branch=place.branch))
    except Refusal as exc:
        if exc.code not in _MISSING and exc.status != 403:
            raise SyncError(str(exc)) from exc
        return BucketSource(
            gateway.side, Objects(gateway.connection, gateway.side.bucket, gateway.control, signs=False)
        )
    return PinnedSource(gateway, place, commit_id)


# ---------------------------------------------------------------- a destination


class TransactionDestination(BucketDestination):
    """A branch that is written in a transaction.

    look ──► items ──► open ──► put, delete, … ──► commit ──► Conflict
     ▲                                                           │
     └── abandon ◄───────────────────────────────────────────────┘
    """

    def __init__(
        self, gateway: Gateway, memory: Memory, pair: str, source: BucketSource | None, *, is_exclusive: bool
    ) -> None:
        """`is_exclusive`: no other run of the same sync is going on, so that what the journal knows may be used."""
        if gateway.named.is_snapshot:
            raise SyncError(f"{gateway.side.bucket} is a snapshot, which can only be read")
        super().__init__(gateway.side, self._objects_of(gateway, gateway.side.bucket), memory, pair, source)
        self._gateway, self._is_exclusive = gateway, is_exclusive
        self.place: Place | None = None
        self._head = ""
        self._transaction: model.Transaction | None = None
        self._touched: dict[str, Item] = {}
        self._seen: set[str] = set()
        self._is_included: IsIncluded = lambda path: True
        self._batches = Batches(self.side.prefix)

    @property
    def is_open(self) -> bool:
        return self._transaction is not None

    @property
    def holds_deletions(self) -> bool:
        """Whether an earlier run came as far as to delete."""
        return any(item.size == _GONE for item in self._touched.values())

    def look(self) -> None:
        """Finds the branch's head, and the transaction to go on with. Raises Refused, Halted, SyncError."""
        self._seen = set()
        try:
            place = self._gateway.place()
            branch = self._gateway.ask(lambda: self._gateway.client.get_branch(place.repo, place.branch))
        except Refusal as exc:
            if exc.code not in _MISSING:
                raise fault_of_destination(exc) from exc
            self.place, self._head = None, ""
            return
        if branch.protected:
            raise Refused(f"the branch {place.branch} of {place.repo} is protected: it takes merges only")
        self.place, self._head = place, branch.head.id
        self._go_on(place)

    def _go_on(self, place: Place) -> None:
        """With the transaction that the journal knows, if it is still open."""
        known = self.memory.transaction(self.pair) if self._is_exclusive else None
        if known is None:
            return
        try:
            found = self._gateway.ask(lambda: self._gateway.client.get_transaction(*known))
        except Refusal as exc:
            if exc.status != 404:
                raise fault_of_destination(exc) from exc
            found = None
        if found is None or found.state != "open" or (found.repo, found.branch) != (place.repo, place.branch):
            self.memory.forget_transaction(self.pair)
            return
        self._use(found)
        prefix = self.side.prefix
        self._touched = {}
        after: str | None = ""
        while after is not None:
            page = self._gateway.ask(
                lambda after=after: self._gateway.client.diff(  # type: ignore[misc]
                    found.repo, found.base, branch=found.id, prefix=prefix, after=after
                )
            )
            for change in page.changes:
                path, version = change.key[len(prefix) :], change.after
                self._touched[path] = (
                    Item(path, _GONE) if version is None else _item(path, version.size, version.etag, version.modified)
                )
            after = page.next

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        self._is_included = is_included
        return self._laid_over() if self.place is not None else iter(())

    def _laid_over(self) -> Iterator[Item]:
        assert self.place is not None
        written = [self._touched[path] for path in sorted(self._touched)]
        for present, touched in paired(self._gateway.tree(self.place, self._head), written):
            item = touched or present
            assert item is not None
            if item.size != _GONE and self._is_included(item.path):
                yield item

    def watched(self, items: Iterator[Item]) -> Iterator[Item]:
        """The source's items; remembers which of them the transaction has touched."""
        for item in items:
            if item.path in self._touched:
                self._seen.add(item.path)
            yield item

    def is_spoilt(self, *, delete: bool) -> bool:
        """Whether the transaction, when all was listed, turns out to have changed what is to stay as it is."""
        return any(path not in self._seen and not (delete and self._is_included(path)) for path in self._touched)

    def open(self, message: str) -> bool:
        """Makes the bucket and the transaction, where there are none. Whether the branch is still as it was listed;
        if not all is to be listed again. Raises Refused, Halted, SyncError."""
        if self._transaction is not None:
            return True
        try:
            if self.place is None:
                self._create()
            place = self.place = self.place or self._gateway.place()
            begun = self._gateway.ask(
                lambda: self._gateway.client.begin_transaction(
                    place.repo, place.branch, message=message, expires_in_s=EXPIRES_IN_S
                )
            )
        except Refusal as exc:
            raise fault_of_destination(exc) from exc
        if self._is_exclusive:
            self.memory.keep_transaction(self.pair, begun.repo, begun.id)
        self._use(begun)
        # Of a bucket that was made just now there is nothing to list.
        return self._head in ("", begun.base)

    def _create(self) -> None:
        try:
            self.objects.create()
        except Refusal as exc:
            if exc.code in _TAKEN:
                raise Refused(f"{exc} Its repo's owners and administrators alone can begin a transaction.") from exc
            raise

    def commit(self, message: str) -> str | None:
        """The commit's id; None where all is as it was. Raises Conflict, Refused, SyncError."""
        transaction = self._transaction
        assert transaction is not None
        try:
            ended = self._gateway.ask(
                lambda: self._gateway.client.commit_transaction(transaction.repo, transaction.id, message=message)
            )
            commit_id: str | None = ended.commit_id
        except Refusal as exc:
            if exc.code == "TransactionConflict":
                self.abandon()
                raise Conflict(str(exc)) from exc
            if exc.code != "TransactionEnded" or exc.details.get("state") != "committed":
                raise fault_of_destination(exc) from exc
            commit_id = exc.details.get("commit_id")  # by a request whose answer was lost
        self._forget()
        return commit_id

    def leave(self) -> None:
        """Ends without a commit: a later run may go on with it."""
        if not self._is_exclusive:  # the journal does not know it
            self.abandon()

    def abandon(self) -> None:
        """Forgets the transaction and all that was written to it. Raises SyncError."""
        transaction = self._transaction
        if transaction is None:
            return
        try:
            self._gateway.ask(lambda: self._gateway.client.abandon_transaction(transaction.repo, transaction.id))
        except Refusal as exc:
            if exc.code not in ("NoSuchTransaction", "TransactionEnded"):
                raise fault_of_destination(exc) from exc
        self._forget()

    @property
    def batch_bytes(self) -> int:
        return self._batches.largest_bytes

    def put_many(self, files: Sequence[Small], meter: Meter) -> Sequence[str] | None:
        return self._batches.put(self.objects, files, meter)

    def proof(self, item: Item) -> Proof | None:
        if item.path in self._touched or self.place is None:
            return super().proof(item)
        objects = Objects(
            self._gateway.connection, self.place.bucket, self._gateway.control, version_id=self._head, signs=False
        )
        return proof_of(objects, self.key(item.path), item)

    def _use(self, transaction: model.Transaction) -> None:
        self._transaction = transaction
        self.objects = self._objects_of(self._gateway, transaction.bucket)

    def _forget(self) -> None:
        self._transaction, self._touched = None, {}
        self.objects = self._objects_of(self._gateway, self.side.bucket)
        if self._is_exclusive:
            self.memory.forget_transaction(self.pair)

    @staticmethod
    def _objects_of(gateway: Gateway, bucket: str) -> Objects:
        return Objects(gateway.connection, bucket, gateway.control, signs=False)
