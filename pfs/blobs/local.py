"""Blobs as files on a local disk.

    <root>/blobs/ab/cd/<64 hex digits>    a blob; ab, cd are its first four digits
    <root>/tmp/<random>                   a blob on its way in, locked (flock) by its writer
    <root>/blobs.lock                     shared by who moves a blob in, exclusive to who deletes one by its age

Durability: the file is synced, renamed, and both the folder that it enters and any folder made for
it are synced, before `commit` returns. A temporary file whose lock is free belongs to a process that is
gone; opening the store removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pfs.blobs.base import Buffer, Held
from pfs.blobs.disk import full_disk, sync_folder, write_all
from pfs.errors import MissingBlob
from pfs.model import Digest


class LocalBlobs:
    def __init__(self, root: Path) -> None:
        self._blobs, self._tmp, self._lock_file = root / "blobs", root / "tmp", root / "blobs.lock"
        for folder in (self._blobs, self._tmp):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(root)
        self._durable: set[bytes] = set()
        self._sweep()

    def create(self) -> _FileWriter:
        return _FileWriter(self, self._tmp / secrets.token_hex(16))

    def read(self, digest: Digest, offset: int, length: int) -> bytes:
        try:
            fd = os.open(self._where(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as exc:
            raise MissingBlob(digest.hex()) from exc
        try:
            return os.pread(fd, length, offset)
        finally:
            os.close(fd)

    def size(self, digest: Digest) -> int | None:
        try:
            return self._where(digest).stat().st_size
        except FileNotFoundError:
            return None

    def path(self, digest: Digest) -> Path | None:
        return self._where(digest)

    def delete(self, digest: Digest) -> None:
        self._where(digest).unlink(missing_ok=True)

    def delete_if_older(self, digest: Digest, time_us: int) -> bool:
        path = self._where(digest)
        with self._locked(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime_ns // 1000 <= time_us:
                path.unlink()
                return True
        return False

    def digests(self) -> Iterator[Digest]:
        return (Digest(bytes.fromhex(path.name)) for path in self._files())

    def held(self) -> Iterator[Held]:
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # it went a moment ago
                found = path.stat()
                yield Held(Digest(bytes.fromhex(path.name)), found.st_size, found.st_mtime_ns // 1000)

    def _files(self) -> Iterator[Path]:
        for outer in _folders(self._blobs):
            for inner in _folders(outer):
                yield from (inner / name for name in os.listdir(inner))

    def close(self) -> None:
        """Nothing is held open between calls."""

    def adopt(self, temporary: Path, digest: Digest) -> None:
        """Moves a synced temporary file to its blob's place, where it may replace the same bytes.

        Its time is that of the move: whoever deletes by age, which the lock keeps out meanwhile, spares it.
        """
        target = self._where(digest)
        self._make_durable(target.parent.parent, digest[:1])
        self._make_durable(target.parent, digest[:2])
        with self._locked(fcntl.LOCK_SH):
            os.utime(temporary)
            temporary.rename(target)
        sync_folder(target.parent)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Holds the lock between those that move blobs in and those that delete by age, of all processes."""
        fd = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, how)
            yield
        finally:
            os.close(fd)

    def _make_durable(self, folder: Path, prefix: bytes) -> None:
        """Makes the folder of all digests that begin with `prefix`. One that is there was perhaps made by
        another writer a moment ago, who has not synced it yet: each process sees to that once by itself."""
        if prefix not in self._durable:
            folder.mkdir(exist_ok=True, mode=0o700)
            sync_folder(folder.parent)
            self._durable.add(prefix)

    def _where(self, digest: Digest) -> Path:
        name = digest.hex()
        return self._blobs / name[:2] / name[2:4] / name

    def _sweep(self) -> None:
        """Removes what writers left that are no more."""
        for path in self._tmp.iterdir():
            with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


class _FileWriter:
    def __init__(self, store: LocalBlobs, path: Path) -> None:
        self._store, self._path = store, path
        self._fd = -1
        with full_disk():
            while self._fd < 0:
                self._fd = self._create_locked()

    def _create_locked(self) -> int:
        """A new file under its lock; -1 where a sweep took it between the two."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)
        return -1

    def write(self, data: Buffer) -> None:
        with full_disk():
            write_all(self._fd, data)

    def commit(self, digest: Digest) -> None:
        with full_disk():
            os.fsync(self._fd)
            self._store.adopt(self._path, digest)
        os.close(self._fd)
        self._fd = -1

    def abort(self) -> None:
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.abort()


def _folders(parent: Path) -> Iterator[Path]:
    with os.scandir(parent) as found:
        yield from (Path(entry.path) for entry in found if entry.is_dir())
