"""A folder as a side of a sync.

Whoever looks at a file sees the old one or the new one (`gateway.sync.placing`). No link is ever written through: a
folder on the way that is a link is an error, a file that is one is replaced.
"""

from __future__ import annotations

import mimetypes
import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from gateway.sync.control import Control
from gateway.sync.ends import Attributes, Small
from gateway.sync.faults import FileChanged, FileFailed, FileFault, Halted
from gateway.sync.filters import IsIncluded
from gateway.sync.local import (
    Fail,
    LocalFile,
    Scan,
    check_beneath,
    is_temporary,
    look_again,
    open_file,
    reason,
)
from gateway.sync.manifest import Item
from gateway.sync.memory import Memory
from gateway.sync.model import Folder, SyncError
from gateway.sync.placing import FileSink, clear, fault_of_writing
from gateway.sync.progress import Meter, Tracker
from gateway.sync.times import MTIME, format_mtime

_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


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
        scan = Scan(self.folder, True, _told(self._tracker, is_included))
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
        scan = Scan(self.folder, False, _told(self._tracker, is_included), clear)
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
            return FileSink(item, attributes, os.dup(folder), name, self._control, self._placed)

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

    def _placed(self, item: Item, etag: str, looked_ns: int) -> None:
        self._memory.learn(self.name, item, etag, looked_ns)
        self._changed(item.path)

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
            check_beneath(descriptor, str(self.folder.path), self.folder.beneath)
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


def _told(tracker: Tracker, is_included: IsIncluded) -> Fail:
    def fail(path: str, fault: FileFault) -> None:
        if is_included(path):
            tracker.failed(path, fault)

    return fail


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
