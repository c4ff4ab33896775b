"""A folder of this machine: what is in it, and its files opened to be read.

Everything is judged on opened descriptors, so that whoever swaps a file or a folder for a link meanwhile wins nothing.
Special files (pipes, sockets, devices) are passed over and never waited for.

Links are followed where a source is read (`follow`), not where a destination is looked at: there a link is something
that is no file. A linked folder that leads back to one that it lies in is passed over.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.sync.faults import FileChanged, FileFailed, FileFault
from gateway.sync.manifest import Item
from gateway.sync.model import Folder, SyncError

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".caret-sync-", ".part"
NO_FILE = -1  # the size of what is no file
_LARGEST_INODE = (1 << 63) - 1

_OPEN_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # a pipe does not keep us waiting
_OPEN_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY

Fail = Callable[[str, FileFault], None]
"""Is told of paths that cannot be taken part with."""


def is_temporary(name: str) -> bool:
    """Whether it is a file on its way in, or what a killed run left of one."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


# ---------------------------------------------------------------- what is in it


@dataclass(slots=True)
class _Level:
    """A folder on the way to where the scan is. `ids`: device and inode of it and of all above it."""

    prefix: str
    ids: tuple[tuple[int, int], ...]
    entries: Iterator[tuple[str, Item | None]]


@dataclass
class Scan:
    """The files below a folder, by path. What cannot be looked at goes to `fail`; what another run is writing, or a
    killed one left, to `unfinished`, by the open folder that it is in and its name."""

    folder: Folder
    follow: bool
    fail: Fail
    unfinished: Callable[[int, str], None] = field(default=lambda folder, name: None)

    def items(self) -> Iterator[Item]:
        """Raises SyncError where the folder itself cannot be read."""
        try:
            levels = [self._level("", ())]
        except (OSError, FileFault) as exc:
            raise SyncError(f"the folder {self.folder.path} cannot be read: {reason(exc)}") from exc
        while levels:
            level = levels[-1]
            found = next(level.entries, None)
            if found is None:
                levels.pop()
                continue
            path, item = found
            if item is not None:
                yield item
                continue
            try:
                below = self._level(f"{path}/", level.ids)
            except (OSError, FileFault) as exc:
                self.fail(path, fault_of(exc))
                continue
            if below is not None:
                levels.append(below)

    def _level(self, prefix: str, above: tuple[tuple[int, int], ...]) -> _Level:
        path = os.path.join(self.folder.path, prefix)
        flags = _OPEN_FOLDER if self.follow or not prefix else _OPEN_FOLDER | os.O_NOFOLLOW
        descriptor = os.open(path, flags)
        try:
            check_beneath(descriptor, path, self.folder.beneath)
            facts = os.fstat(descriptor)
            identity = facts.st_dev, facts.st_ino
            # One that is among those above it leads back: it is shown as empty.
            entries = [] if identity in above else self._entries(descriptor, prefix)
        finally:
            os.close(descriptor)
        return _Level(prefix, (*above, identity), iter(entries))

    def _entries(self, descriptor: int, prefix: str) -> list[tuple[str, Item | None]]:
        """Paths in order, each with its item; without one it is a folder."""
        found: list[tuple[str, str, Item | None]] = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                name = entry.name
                path = prefix + name
                if not name.isascii() and not _is_utf8(name):
                    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                    self.fail(shown, FileFailed("its name is not UTF-8"))
                elif is_temporary(name):
                    self.unfinished(descriptor, name)
                else:
                    try:
                        is_folder, item = self._look(entry, path)
                    except (OSError, FileFault) as exc:
                        self.fail(path, fault_of(exc))
                        continue
                    if is_folder or item is not None:
                        found.append((f"{name}/" if is_folder else name, path, item))
        found.sort()
        return [(path, item) for _, path, item in found]

    def _look(self, entry: os.DirEntry[str], path: str) -> tuple[bool, Item | None]:
        """Whether it is a folder, or else its item; neither for a special file."""
        if entry.is_symlink() and not self.follow:
            return False, Item(path, NO_FILE, inode=inode_of(entry.inode()))
        if entry.is_dir():
            return True, None
        if entry.is_file():
            return False, item_of(path, entry.stat())
        if entry.is_symlink() and not os.path.exists(os.path.join(self.folder.path, path)):
            raise FileFailed("it is a link that leads nowhere")
        return False, None


def item_of(path: str, facts: os.stat_result) -> Item:
    return Item(path, facts.st_size, facts.st_mtime_ns, inode_of(facts.st_ino))


def inode_of(number: int) -> int:
    """As SQLite can hold it, and never 0, which says that it is an object."""
    return number & _LARGEST_INODE or 1


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---------------------------------------------------------------- its files


class LocalFile:
    """A file that is open, and is as its item says. Threads may read it at the same time."""

    def __init__(self, item: Item, descriptor: int) -> None:
        self.item, self._descriptor = item, descriptor
        self.opened_ns = time.time_ns()

    def read(self, start: int, size: int) -> bytes:
        """So many bytes. Raises FileChanged where there are fewer by now, FileFailed."""
        pieces, at = [], start
        while at < start + size:
            try:
                piece = os.pread(self._descriptor, start + size - at, at)
            except OSError as exc:
                raise fault_of(exc) from exc
            if not piece:
                raise FileChanged("it became shorter while it was read")
            pieces.append(piece)
            at += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def check(self) -> None:
        """Raises FileChanged unless it is still as its item says: what was read before is its content then."""
        facts = os.fstat(self._descriptor)
        if not stat.S_ISREG(facts.st_mode) or item_of(self.item.path, facts).stamp != self.item.stamp:
            raise FileChanged("it changed while it was read")

    def close(self) -> None:
        """Once or more often."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def open_file(folder: Folder, item: Item) -> LocalFile:
    """Raises FileChanged where it is not what the item says, FileFailed."""
    path = os.path.join(folder.path, item.path)
    try:
        descriptor = os.open(path, _OPEN_FILE)
    except OSError as exc:
        raise fault_of(exc) from exc
    file = LocalFile(item, descriptor)
    try:
        check_beneath(descriptor, path, folder.beneath)
        file.check()
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def opened(folder: Folder, item: Item) -> Iterator[LocalFile]:
    file = open_file(folder, item)
    try:
        yield file
    finally:
        file.close()


def look_again(folder: Folder, path: str) -> Item:
    """What is there now. Raises FileChanged where it vanished, FileFailed."""
    try:
        return item_of(path, os.stat(os.path.join(folder.path, path)))
    except OSError as exc:
        raise fault_of(exc) from exc


# ---------------------------------------------------------------- what is wrong with it


def check_beneath(descriptor: int, path: str, beneath: Path | None) -> None:
    """Raises FileFailed unless what is open lies below that folder. `path` is how it was opened."""
    if beneath is None:
        return
    allowed = os.path.realpath(beneath)
    if os.path.commonpath([allowed, _real_path(descriptor, path)]) != allowed:
        raise FileFailed("it leads out of the folder that may be read")


def _real_path(descriptor: int, path: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:
        # No /proc here: where the name leads, if that is what is open.
        resolved = os.path.realpath(path)
        here, there = os.fstat(descriptor), os.stat(resolved)
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise FileChanged("it was swapped for something else") from None
        return resolved


def fault_of(exc: OSError | FileFault) -> FileFault:
    if isinstance(exc, FileFault):
        return exc
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        return FileChanged("it vanished")
    return FileFailed(reason(exc))


def reason(exc: OSError | FileFault) -> str:
    return str(exc) if isinstance(exc, FileFault) else exc.strerror or str(exc)
