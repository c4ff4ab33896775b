"""Waiting until the source of a sync has changed: `caret sync --watch`.

What changes while a sync runs counts for the next one: changes are gathered from `watched` on, and a bucket's head is
looked at before its objects are.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from watchfiles import watch
from watchfiles.main import FileChange

from gateway.client import Client
from gateway.s3.bucket import BucketName
from gateway.sync import Bucket, Folder

# What comes in quick succession is one change.
_QUIET_MS, _GATHERED_FOR_MS = 200, 2_000
_GATHERED_FOR_S = 0.5
_FIRST_LOOK_MS = 50

Wait = Callable[[], None]  # returns when there are changes that came after its last return
Watched = Callable[[], contextlib.AbstractContextManager[Wait]]


class CannotWatch(Exception):
    """The operating system does not tell of a folder's changes; the message says why."""


@contextlib.contextmanager
def watched_folder(folder: Folder, memory: Path, *, is_deep: bool) -> Iterator[Wait]:
    """`is_deep`: with the folders in it. Changes of files whose paths begin as the memory's are none.

    Raises CannotWatch, `wait` too.
    """
    ignored = os.path.realpath(memory)
    changes = watch(
        folder.path,
        watch_filter=lambda _, path: not os.path.realpath(path).startswith(ignored),
        step=_QUIET_MS,
        debounce=_GATHERED_FOR_MS,
        rust_timeout=_FIRST_LOOK_MS,
        yield_on_timeout=True,
        recursive=is_deep,
    )

    def wait() -> None:
        while not _next(changes, folder.path):
            pass

    with contextlib.closing(changes):
        _next(changes, folder.path)  # from here on changes are gathered
        yield wait


def _next(changes: Iterator[set[FileChange]], path: Path) -> bool:
    try:
        return bool(next(changes))
    except (OSError, RuntimeError) as error:  # the latter is what the library calls all that it does not know
        raise CannotWatch(
            f"changes of {path} cannot be seen: {error}. Where too many folders are watched, raise the system's "
            "fs.inotify.max_user_watches; where it tells of none, WATCHFILES_FORCE_POLLING=true looks for them"
        ) from error


@contextlib.contextmanager
def watched_bucket(bucket: Bucket, name: BucketName) -> Iterator[Wait]:
    """By the feed of its branch. Raises Refusal and Unreachable, `wait` too."""
    with Client(bucket.reach) as client:
        branch = name.branch or client.default_branch(name.repo)
        head = client.get_branch(name.repo, branch).head.id

        def wait() -> None:
            nonlocal head
            client.wait_for_commit(name.repo, branch, since=head)
            time.sleep(_GATHERED_FOR_S)
            head = client.get_branch(name.repo, branch).head.id

        yield wait
