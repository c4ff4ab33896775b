"""A file on its way into a folder: under a temporary name beside its place, and then there, whole and durable.

Whoever writes it holds a lock on it, so that the next run can tell what a killed one left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from gateway.sync.control import Control
from gateway.sync.ends import Attributes, piece_size
from gateway.sync.etags import OURS, etag_of_pieces
from gateway.sync.faults import FileFailed, Halted, SyncFault
from gateway.sync.local import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, item_of, reason
from gateway.sync.manifest import Item
from gateway.sync.progress import Meter

_NEW = os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

Placed = Callable[[Item, str, int], None]
"""Is told what is at its place now, its ETag, and when it was looked at."""


class FileSink:
    """A file under its temporary name."""

    def __init__(
        self, item: Item, attributes: Attributes, folder: int, name: str, control: Control, placed: Placed
    ) -> None:
        """`folder`: the open one that it is to be in under `name`; closed at the end. Raises SyncFault."""
        self._item, self._attributes, self._control, self._placed = item, attributes, control, placed
        self._folder, self._name = folder, name
        self.piece = piece_size(item.size, attributes.proof)
        try:
            self._temporary, self._descriptor = _new_file(folder)
        except OSError as exc:
            os.close(folder)
            raise fault_of_writing(exc) from exc

    def has(self, number: int, size: int, meter: Meter) -> bool:
        return False

    def write(self, number: int, data: bytes, meter: Meter) -> None:
        view, start = memoryview(data), number * self.piece
        step = self._control.slice_bytes
        at = 0
        try:
            while at < len(data):
                meter.move(min(step, len(data) - at))
                end = min(at + step, len(data))
                while at < end:
                    at += os.pwrite(self._descriptor, view[at:end], start + at)
        except OSError as exc:
            raise fault_of_writing(exc) from exc

    def finish(self) -> str:
        etag = self._verified()
        try:
            os.utime(self._descriptor, ns=(time.time_ns(), self._attributes.mtime_ns))
            os.fsync(self._descriptor)
            facts = os.fstat(self._descriptor)
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except IsADirectoryError as exc:
            raise FileFailed("there is a folder of that name") from exc
        except OSError as exc:
            raise fault_of_writing(exc) from exc
        self._temporary = ""
        self.leave()
        self._placed(item_of(self._item.path, facts), etag, time.time_ns())
        return etag

    def drop(self) -> None:
        self.leave()

    def leave(self) -> None:
        """There is nothing to go on with later."""
        if self._descriptor < 0:
            return
        if self._temporary:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary, dir_fd=self._folder)
        os.close(self._descriptor)
        os.close(self._folder)
        self._descriptor = -1

    def _verified(self) -> str:
        """Its ETag. Raises FileFailed where what was written is not what one says that it came with."""
        proof, size, check = self._attributes.proof, self._item.size, self._control.check
        if proof is not None:
            proof.hold(self._read_at, size, check)
        if self._item.is_object:
            return self._item.etags[0]
        return etag_of_pieces(self._read_at, size, OURS, size, check)

    def _read_at(self, start: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, start)
        except OSError as exc:
            raise fault_of_writing(exc) from exc


def _new_file(folder: int) -> tuple[str, int]:
    """Name and descriptor of a file that is locked, so that no other run takes it for a leftover."""
    while True:
        name = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
        descriptor = os.open(name, _NEW, 0o666, dir_fd=folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)  # it was cleared away before it was locked


def clear(folder: int, name: str) -> None:
    """Removes what a killed run left, not what another is writing."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:  # it has reached its place meanwhile, or is no file of ours
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    except OSError:  # somebody is at it
        return
    finally:
        os.close(descriptor)


def fault_of_writing(exc: OSError) -> SyncFault:
    return Halted(reason(exc)) if exc.errno in _FULL else FileFailed(reason(exc))
