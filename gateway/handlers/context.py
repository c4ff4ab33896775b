"""What every handler is given: the store, who is asking, and ways to wait for either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

from gateway.access.principals import Principal
from gateway.s3.operations import Owner, Payload
from gateway.s3.request import Request
from pfs import Branch, Content, Store

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Received:
    """A body that arrived whole and as announced. `checksums`: algorithm → verified base64 value."""

    content: Content
    checksums: dict[str, str]


class Sink(Protocol[T_co]):
    """What a body's content is passed to, by one thread at a time; it may block."""

    def write(self, data: bytes | memoryview) -> None:
        """The next piece; the view is the caller's, and not to be kept."""

    def finish(self) -> T_co:
        """All content has come and is as announced."""

    def discard(self) -> None:
        """Nothing will come of it; whatever fails leads here, `finish` too."""


class Body(Protocol):
    """A request's body, not read yet."""

    async def receive(self, payload: Payload) -> Received:
        """Streams the body into the store at constant memory, verifying all that was announced of it.

        Answers `Expect: 100-continue` first. Raises S3Error; then nothing stays behind.
        """

    async def receive_into(self, payload: Payload, sink: Sink[T]) -> tuple[T, dict[str, str]]:
        """Like `receive`, into a sink: what that makes of the content, and the verified checksums."""


@dataclass(frozen=True, slots=True)
class Call:
    """What any operation needs to reach the store for its caller."""

    store: Store
    threads: Executor
    caller: Principal

    async def read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A short read of the store: made here and now where the database is embedded, else in a thread."""
        if self.store.reads_are_local:
            return call(*args, **kwargs)
        return await self.work(call, *args, **kwargs)

    async def work(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that may block or compute for long, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, lambda: call(*args, **kwargs))

    async def durable(self, write: Future[T]) -> T:
        """Waits until a write is on disk. Once begun it is not undone when the waiter goes away."""
        return await asyncio.wrap_future(write)

    @property
    def owner(self) -> Owner:
        return Owner(self.caller.id, self.caller.display_name)


@dataclass(frozen=True, slots=True)
class Context(Call):
    """One S3 request's surroundings."""

    region: str
    body: Body
    request: Request
    operation: str
    # Branches that were looked up for this request, by repo and branch.
    branches: dict[tuple[str, str | None], Branch] = field(default_factory=dict)
