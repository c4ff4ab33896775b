"""The folders that jobs may read from: below the uploads folder, also when all symbolic links are followed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gateway.sync.model import Folder

_LONGEST = 1024
_MOST_FOLDERS = 1000


class BadSource(ValueError):
    """The source cannot be one; the message says why."""


class NoUploads(Exception):
    """There is no folder to read from; the message says what to do."""


def find_source(uploads: Path, source: str) -> Folder:
    """The folder that `source` names, which need not be there. Raises BadSource, NoUploads."""
    parts = _parts(source)
    root = os.path.realpath(uploads)
    if not os.path.isdir(root):
        raise NoUploads(f"The folder of uploads, {uploads}, is not there.")
    path = os.path.join(root, *parts)
    real = os.path.realpath(path)
    if os.path.commonpath([root, real]) != root or real == root:
        raise BadSource("leads out of the folder of uploads")
    _check_folder(path)
    return Folder(Path(path), beneath=Path(root))


def is_without_files(folder: Folder) -> bool:
    """Whether it is absent, or holds nothing but folders. What cannot be read may hold something."""
    waiting = [os.fspath(folder.path)]
    try:
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        return False
                    waiting.append(entry.path)
    except FileNotFoundError:
        return not os.path.lexists(folder.path)
    except OSError:
        return False
    return True


def folders_below(uploads: Path) -> Sequence[str]:
    """Sources to choose from: folders in the uploads folder, and in those, by name; the first `_MOST_FOLDERS`."""
    found: list[str] = []
    for first in _folders(uploads):
        found.append(first)
        found += [f"{first}/{second}" for second in _folders(uploads / first)]
        if len(found) >= _MOST_FOLDERS:
            break
    return found[:_MOST_FOLDERS]


def _folders(path: Path) -> Sequence[str]:
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # one that cannot be read offers nothing
    return sorted(name for name in names if name.isprintable())


def _parts(source: str) -> Sequence[str]:
    if not source:
        raise BadSource("may not be empty: name a folder below that of uploads")
    if "\0" in source:
        raise BadSource("holds a NUL")
    try:
        size = len(source.encode())
    except UnicodeEncodeError as exc:
        raise BadSource("is not Unicode") from exc
    if size > _LONGEST:
        raise BadSource(f"is longer than {_LONGEST} bytes")
    if source.startswith("/"):
        raise BadSource("is an absolute path: name a folder below that of uploads")
    parts = [part for part in source.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadSource("holds '..'")
    if not parts:
        raise BadSource("is the folder of uploads itself: name one below it")
    return parts


def _check_folder(path: str) -> None:
    """Raises BadSource for what is there and is no folder."""
    try:
        is_there = os.path.lexists(path)
        os.stat(path)
    except FileNotFoundError as exc:
        if is_there:
            raise BadSource("is a link to what is not there") from exc
        return
    except (OSError, ValueError) as exc:
        raise BadSource("cannot be looked at") from exc
    if not os.path.isdir(path):
        raise BadSource("is no folder")
