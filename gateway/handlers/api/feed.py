"""The feed of a branch's commits: a page, a page that is waited for, and a stream of server-sent events.

All read the commits from the store, a page at a time: nothing is queued for anybody, however slow. Before each
page the branch is looked up again, so that whoever may no longer see it learns no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import msgspec

from gateway.api import model
from gateway.handlers.api import documents
from gateway.handlers.api.faults import translate
from gateway.handlers.api.locate import branch_of
from gateway.handlers.context import Call
from gateway.handlers.heads import Follower, Heads
from gateway.s3.bucket import snapshot_bucket
from pfs import Branch, CallerError, CommitId, Logged, NoSuchBranch

_RETRY_MS = 1000
_ALIVE_EVERY_S = 15.0
_BATCH = 32
_encoder = msgspec.json.Encoder()


class FeedHandlers:
    """The endpoints' handlers; `heads` tells them of changes."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads

    async def feed(self, call: Call, request: model.Feed) -> model.FeedPage:
        """At once where there are commits, else when the first one comes, or none did in time."""
        branch = await branch_of(call, request.repo, request.branch)
        since = await _pinned(call, branch, request.since)
        page = await _page(call, branch, since, request.limit)
        if page.commits or not request.wait_s:
            return page
        loop = asyncio.get_running_loop()
        end = loop.time() + request.wait_s
        with self._heads.following(call, branch) as follower:
            while True:
                change = follower.change()
                branch = await _again(call, branch)
                page = await _page(call, branch, since, request.limit)
                left_s = end - loop.time()
                if page.commits or left_s <= 0 or self._heads.is_closed:
                    return page
                await Follower.wait(change, left_s)

    async def follow_feed(self, call: Call, request: model.FollowFeed) -> AsyncGenerator[bytes, None]:
        """The stream, once it is sure to begin."""
        branch = await branch_of(call, request.repo, request.branch)
        since = await _pinned(call, branch, request.last_event_id or request.since or "HEAD")
        return self._events(call, branch, since)

    async def _events(self, call: Call, branch: Branch, since: CommitId | None) -> AsyncGenerator[bytes, None]:
        yield f"retry: {_RETRY_MS}\n\n".encode()
        with self._heads.following(call, branch) as follower:
            while True:
                change = follower.change()
                try:
                    branch = await _again(call, branch)
                    page = await call.work(call.store.commits_since, branch, since, _BATCH)
                except CallerError as exc:
                    yield _end(exc)
                    return
                if page:
                    yield b"".join(map(_event, page))
                    since = page[-1].commit.id
                elif not await Follower.wait(change, _ALIVE_EVERY_S):
                    yield b": still here\n\n"


async def _pinned(call: Call, branch: Branch, since: str | None) -> CommitId | None:
    """The commit that the revision means now: `HEAD` must not move along while it is waited for something behind it."""
    return None if since is None else (await call.read(call.store.resolve, branch, since)).id


async def _again(call: Call, branch: Branch) -> Branch:
    """The branch as it is now. Raises NoSuchBranch, also where another one has got its name."""
    found = await branch_of(call, branch.repo, branch.name)
    if found.id != branch.id:
        raise NoSuchBranch(branch.repo, branch.name)
    return found


async def _page(call: Call, branch: Branch, since: CommitId | None, limit: int) -> model.FeedPage:
    # The head comes first: whatever is committed between the two reads is on this page or behind its `next`.
    head = await call.read(call.store.resolve, branch, "HEAD")
    page = await call.work(call.store.commits_since, branch, since, limit)
    newest = page[-1].commit.id if page else head.id
    return model.FeedPage(
        commits=_documents(page), next=newest, bucket=snapshot_bucket(branch.repo, branch.name, newest)
    )


def _documents(page: Sequence[Logged]) -> list[model.Commit]:
    return [documents.commit(found.commit, found.parents) for found in page]


def _event(found: Logged) -> bytes:
    data = _encoder.encode(documents.commit(found.commit, found.parents))
    return b"id: %s\nevent: commit\ndata: %s\n\n" % (found.commit.id.encode(), data)


def _end(exc: CallerError) -> bytes:
    error = translate(exc)
    return b"event: end\ndata: %s\n\n" % _encoder.encode({"code": error.code, "message": error.message})
