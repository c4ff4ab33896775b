"""What an engine needs of the two sides, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.sync.etags import Form, ReadAt, etag_of_pieces
from gateway.sync.faults import FileFailed
from gateway.sync.filters import IsIncluded
from gateway.sync.manifest import Item
from gateway.sync.progress import Meter

MIB = 1024 * 1024
PIECE_BYTES = 16 * MIB  # what is in memory of one file at a time; larger ones are transferred in such pieces
LEAST_PART_BYTES, LARGEST_PART_BYTES = 5 * MIB, 64 * MIB  # of parts that are kept as they are; S3 wants 5 MiB
MOST_PIECES = 10_000  # S3's limit for the parts of an upload


@dataclass(frozen=True, slots=True)
class Proof:
    """An ETag that content can be held against, and how it was made."""

    etag: str
    form: Form
    part_size: int

    def hold(self, read: ReadAt, size: int, check: Callable[[], None]) -> None:
        """Raises FileFailed where the content is another. `check` is called now and then."""
        if etag_of_pieces(read, size, self.form, self.part_size, check) != self.etag:
            raise FileFailed("what came is not what its ETag says")


@dataclass(frozen=True, slots=True)
class Attributes:
    """What goes along with content. `headers`: as a put sends them."""

    mtime_ns: int
    headers: Mapping[str, str]
    proof: Proof | None = None


def piece_size(size: int, proof: Proof | None = None) -> int:
    """Of a file of this size: grows with it, by doubling. Where it came in parts that will do as well, theirs."""
    if proof is not None and proof.form.parts > 1 and LEAST_PART_BYTES <= proof.part_size <= LARGEST_PART_BYTES:
        return proof.part_size
    step = PIECE_BYTES
    while size > step * MOST_PIECES:
        step *= 2
    return step


class Content(Protocol):
    """A file or object that is open for reading. Threads may read at the same time."""

    item: Item
    attributes: Attributes
    opened_ns: int

    def read(self, start: int, size: int, meter: Meter) -> bytes:
        """So many bytes. Raises FileFault."""

    def check(self) -> None:
        """Raises FileChanged unless what was read is what the item says."""

    def close(self) -> None: ...


class Source(Protocol):
    name: str

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        """By path. Raises SyncError where it cannot be read at all."""

    def open(self, item: Item, meter: Meter) -> Content:
        """Raises FileFault. What is read at once goes by `meter`."""

    def again(self, path: str) -> Item:
        """What is there by now. Raises FileFault."""


class Sink(Protocol):
    """A large file on its way in, piece by piece. One of finish, drop and leave ends it."""

    piece: int

    def has(self, number: int, size: int, meter: Meter) -> bool:
        """Whether an earlier run has brought the piece, so that it need not even be read."""

    def write(self, number: int, data: bytes, meter: Meter) -> None:
        """The piece with this number, from 0 on. Thread-safe; raises SyncFault."""

    def finish(self) -> str:
        """All pieces are there. When it returns the file is at its place, whole and durable; its ETag."""

    def drop(self) -> None:
        """Nothing will come of it."""

    def leave(self) -> None:
        """A later run may go on with it."""


@dataclass(frozen=True, slots=True)
class Small:
    """A file that is in memory as a whole."""

    item: Item
    data: bytes
    attributes: Attributes


class Destination(Protocol):
    name: str

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        """By path. Raises SyncError."""

    def put(self, file: Small, meter: Meter) -> str:
        """When it returns the file is at its place, whole and durable; its ETag. Raises SyncFault."""

    def put_many(self, files: Sequence[Small], meter: Meter) -> Sequence[str] | None:
        """The same for all of them in one round trip, or for none; None where it takes none so. The bytes that go by
        `meter` are more than the files'."""

    def sink(self, item: Item, attributes: Attributes, meter: Meter) -> Sink:
        """Raises SyncFault."""

    def copies(self, item: Item) -> bool:
        """Whether `copy` is possible."""

    def copy(self, item: Item) -> str:
        """The item of the source, without its bytes passing through here; its ETag."""

    def delete(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Those that could not be deleted, with the reason. What is not there is deleted."""

    def settle(self) -> None:
        """When it returns all that was put and deleted is durable."""

    @property
    def batch_bytes(self) -> int:
        """The largest file that `put_many` is for; -1 where one by one is as good."""
