"""Waiting for a branch's head to move, whoever moves it: this process, another one, another machine.

Writes of this process are told to `nudge`; for the others the heads of the branches that somebody follows are looked at
five times a second, with a seek for each. All followers of a branch share it, they are no threads and no tasks,
and while there are none nothing is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from gateway import metrics
from gateway.handlers.context import Call
from pfs import Branch, Position, Store, StoreError

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.2
_LEAST_PAUSE_S = 0.01  # between looks, however many writes there are


@dataclass(slots=True)
class _Followed:
    """A branch, and the event of its next change: it is set once, and another takes its place."""

    followers: int = 0
    position: object = field(default_factory=object)  # at first like none that a look can find
    change: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        self.change.set()
        self.change = asyncio.Event()


class Follower:
    """One that follows a branch. Take `change()`, then look at the branch, then wait: so that no change is missed."""

    def __init__(self, followed: _Followed) -> None:
        self._followed = followed

    def change(self) -> asyncio.Event:
        """Set when the branch is no longer what it is now; at times without that, too."""
        return self._followed.change

    @staticmethod
    async def wait(change: asyncio.Event, timeout_s: float) -> bool:
        """Whether it came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await change.wait()
        except TimeoutError:
            return False
        return True


class Heads:
    """One per worker. All but `nudge` belong to its event loop."""

    def __init__(self) -> None:
        self._followed: dict[int, _Followed] = {}
        self._nudged = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[None] | None = None
        self.is_closed = False

    def nudge(self) -> None:
        """After a write of this process. From any thread; costs nothing while nobody follows."""
        if self._followed and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and its followers with it
                self._loop.call_soon_threadsafe(self._nudged.set)

    @contextlib.contextmanager
    def following(self, call: Call, branch: Branch) -> Iterator[Follower]:
        followed = self._followed.setdefault(branch.id, _Followed())
        followed.followers += 1
        metrics.FEED_FOLLOWERS.inc()
        if self._looking is None:
            self._loop = asyncio.get_running_loop()
            self._looking = self._loop.create_task(self._look_on(call.store, call.threads))
        try:
            yield Follower(followed)
        finally:
            metrics.FEED_FOLLOWERS.dec()
            followed.followers -= 1
            if not followed.followers:
                del self._followed[branch.id]

    def close(self) -> None:
        """Wakes everyone: whoever waits is to come to an end."""
        self.is_closed = True
        for followed in self._followed.values():
            followed.changed()

    async def _look_on(self, store: Store, threads: Executor) -> None:
        """Looks for as long as there are followers."""
        loop = asyncio.get_running_loop()
        try:
            while self._followed:
                self._nudged.clear()
                try:
                    found = await loop.run_in_executor(threads, store.positions, tuple(self._followed))
                except StoreError as exc:
                    _log.warning("the branches that are followed cannot be looked at: %s", exc)
                else:
                    self._compare(found)
                await asyncio.sleep(_LEAST_PAUSE_S)
                await Follower.wait(self._nudged, _LOOK_EVERY_S)
        finally:
            self._looking = None

    def _compare(self, found: Mapping[int, Position | None]) -> None:
        for branch_id, position in found.items():
            followed = self._followed.get(branch_id)
            if followed is not None and followed.position != position:
                followed.position = position
                followed.changed()
