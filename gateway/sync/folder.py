"""A folder as a side of a sync.

A file is written under a temporary name beside its place, synced, given its mtime, and renamed: whoever looks sees the
old file or the new one. The writer holds a lock on it, so that the next run can tell what a killed one left. No link
is ever written through: a folder on the way that is a link is an error, a file that is one is replaced.
"""

from __future__ import annotations

import errno
import fcntl
import mimetypes
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from gateway.sync.control import Control
from gateway.sync.ends import Attributes, Small, piece_size
from gateway.sync.etags import OURS, etag_of_pieces
from gateway.sync.faults import FileChanged, FileFailed, FileFault, Halted, SyncFault
from gateway.sync.filters import IsIncluded
from gateway.sync.local import (
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    LocalFile,
    Scan,
    check_beneath,
    is_temporary,
    item_of,
    look_again,
    open_file,
    reason,
)
from gateway.sync.manifest import Item
from gateway.sync.memory import Memory
from gateway.sync.model import Folder, SyncError
from gateway.sync.progress import Meter, Tracker
from gateway.sync.times import MTIME, format_mtime

_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def name_of(folder: Folder) -> str:
    return f"folder {os.path.realpath(folder.path)}"


# ---------------------------------------------------------------- to be read


class FolderContent:
    """One of its files, open."""

    def __init__(self, file: LocalFile) -> None:
        self._file = file
        self.item, self.opened_ns = file.item, file.opened_ns
        self.attributes = attributes_of(file.item)

    def read(self, start: int, size: int, meter: Meter) -> bytes:
        return self._file.read(start, size)

    def check(self) -> None:
        self._file.check()

    def close(self) -> None:
        self._file.close()


def attributes_of(item: Item) -> Attributes:
    headers = {MTIME: format_mtime(item.mtime_ns)}
    content_type, encoding = mimetypes.guess_type(item.path)
    if content_type is not None and encoding is None:
        headers["content-type"] = content_type
    return Attributes(item.mtime_ns, headers)


class FolderSource:
    def __init__(self, folder: Folder, memory: Memory, tracker: Tracker) -> None:
        self.folder, self._memory, self._tracker = folder, memory, tracker
        self.name = name_of(folder)

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        def fail(path: str, fault: FileFault) -> None:
            if is_included(path):
                self._tracker.failed(path, fault)

        scan = Scan(self.folder, True, fail)
        found = (item for item in scan.items() if is_included(item.path))
        return self._memory.recalled(self.name, found, is_included)

    def open(self, item: Item, meter: Meter) -> FolderContent:
        return FolderContent(open_file(self.folder, item))

    def again(self, path: str) -> Item:
        return look_again(self.folder, path)


# ---------------------------------------------------------------- to be written


class FolderDestination:
    """Thread-safe. What killed runs left goes when it is listed."""

    batch_bytes = -1

    def __init__(self, folder: Folder, memory: Memory, tracker: Tracker, control: Control) -> None:
        self.folder, self._memory, self._tracker, self._control = folder, memory, tracker, control
        self.name = name_of(folder)
        self._lock = threading.Lock()
        self._unsettled: set[str] = set()

    def items(self, is_included: IsIncluded) -> Iterator[Item]:
        if not os.path.lexists(self.folder.path):
            return iter(())
        scan = Scan(self.folder, False, self._tracker.failed, _clear)
        found = (item for item in scan.items() if is_included(item.path))
        return self._memory.recalled(self.name, found, is_included)

    def begin(self) -> None:
        """Makes the folder where there is none. Raises SyncError."""
        try:
            os.makedirs(self.folder.path, exist_ok=True)
            descriptor = os.open(self.folder.path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            try:
                check_beneath(descriptor, str(self.folder.path), self.folder.beneath)
            finally:
                os.close(descriptor)
        except (OSError, FileFault) as exc:
            raise SyncError(f"the folder {self.folder.path} cannot be written: {reason(exc)}") from exc

    def put(self, file: Small, meter: Meter) -> str:
        sink = self.sink(file.item, file.attributes, meter)
        try:
            sink.write(0, file.data, meter)
            return sink.finish()
        except BaseException:
            sink.leave()
            raise

    def put_many(self, files: Sequence[Small], meter: Meter) -> Sequence[str] | None:
        return None

    def sink(self, item: Item, attributes: Attributes, meter: Meter) -> FileSink:
        with self._to_write(item.path) as (folder, name):
            return FileSink(self, item, attributes, os.dup(folder), name)

    def copies(self, item: Item) -> bool:
        return False

    def copy(self, item: Item) -> str:
        raise NotImplementedError("folders copy nothing by themselves")

    def delete(self, paths: Sequence[str]) -> Mapping[str, str]:
        failed = {}
        for path in paths:
            try:
                with self._parent(path, make=False) as (folder, name):
                    os.unlink(name, dir_fd=folder)
                self._changed(path)
                self._prune(path)
            except FileNotFoundError:
                continue
            except FileChanged:
                continue
            except (OSError, FileFault) as exc:
                failed[path] = reason(exc)
        return failed

    def settle(self) -> None:
        """Raises Halted."""
        with self._lock:
            unsettled, self._unsettled = self._unsettled, set()
        for path in sorted(unsettled):
            try:
                descriptor = os.open(os.path.join(self.folder.path, path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:  # pruned since
                continue
            try:
                os.fsync(descriptor)
            except OSError as exc:
                raise Halted(f"the folder {path or '.'} cannot be synced: {reason(exc)}") from exc
            finally:
                os.close(descriptor)

    # ---------------------------------------------------------------- inside

    def placed(self, item: Item, etag: str, looked_ns: int) -> None:
        self._memory.learn(self.name, item, etag, looked_ns)
        self._changed(item.path)

    def slice_bytes(self) -> int:
        return self._control.slice_bytes

    def check(self) -> None:
        self._control.check()

    def _changed(self, path: str) -> None:
        with self._lock:
            self._unsettled.add(path.rpartition("/")[0])

    @contextmanager
    def _to_write(self, path: str) -> Iterator[tuple[int, str]]:
        try:
            with self._parent(path, make=True) as found:
                yield found
        except OSError as exc:
            raise fault_of_writing(exc) from exc

    @contextmanager
    def _parent(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """The open folder that `path` is in, and its name there. Raises OSError, FileFailed."""
        *folders, name = _checked(path)
        descriptor = os.open(self.folder.path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            for depth, part in enumerate(folders):
                try:
                    below = self._enter(descriptor, part, make)
                except NotADirectoryError:
                    raise FileFailed(_in_the_way(folders[: depth + 1], descriptor, part)) from None
                if make:
                    self._changed("/".join(folders[: depth + 1]))
                os.close(descriptor)
                descriptor = below
            yield descriptor, name
        finally:
            os.close(descriptor)

    @staticmethod
    def _enter(descriptor: int, part: str, make: bool) -> int:
        try:
            return os.open(part, _FOLDER, dir_fd=descriptor)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):  # another thread was quicker
            os.mkdir(part, dir_fd=descriptor)
        return os.open(part, _FOLDER, dir_fd=descriptor)

    def _prune(self, path: str) -> None:
        """Removes the folders above that are empty now."""
        while path := path.rpartition("/")[0]:
            try:
                with self._parent(path, make=False) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:  # not empty; or gone already
                return
            self._changed(path)


class FileSink:
    """A file under its temporary name."""

    def __init__(
        self, destination: FolderDestination, item: Item, attributes: Attributes, folder: int, name: str
    ) -> None:
        self._destination, self._item, self._attributes = destination, item, attributes
        self._folder, self._name = folder, name
        self.piece = piece_size(item.size, attributes.proof)
        try:
            self._temporary, self._descriptor = _new_file(folder)
        except OSError as exc:
            os.close(folder)
            raise fault_of_writing(exc) from exc

    def write(self, number: int, data: bytes, meter: Meter) -> None:
        view, start = memoryview(data), number * self.piece
        step = self._destination.slice_bytes()
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
        self._destination.placed(item_of(self._item.path, facts), etag, time.time_ns())
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
        proof, size, check = self._attributes.proof, self._item.size, self._destination.check
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


def _clear(folder: int, name: str) -> None:
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


def _checked(path: str) -> list[str]:
    """The names that a path consists of. Raises FileFailed where they cannot be files' names."""
    names = path.split("/")
    for name in names:
        if name in ("", ".", "..") or "\0" in name or is_temporary(name):
            raise FileFailed(f"{name!r} can be no file's name")
    return names


def _in_the_way(folders: Sequence[str], descriptor: int, name: str) -> str:
    is_link = stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode)
    return f"{'/'.join(folders)} is {'a link, which is not written through' if is_link else 'a file, no folder'}"


def fault_of_writing(exc: OSError) -> SyncFault:
    return Halted(reason(exc)) if exc.errno in _FULL else FileFailed(reason(exc))
