"""Commits told to webhooks: at least once, in order per branch, by one process at a time of all that share the store.

Every half second the branches that webhooks follow are compared with what was delivered last; writers do nothing
for it. Whoever finds something to do takes the lease, and renews it before each attempt for longer than an attempt may
take. What was delivered is on disk before the next commit's turn, so that a process that dies repeats one at most.

    POST url
    X-Caret-Event: commit
    X-Caret-Delivery: the same for each attempt at this commit of this branch
    X-Caret-Timestamp: seconds since the epoch
    X-Caret-Signature: sha256=HMAC-SHA256(secret, timestamp "." body) in hex
    {"webhook": …, "repo": …, "branch": …, "bucket": …, "commit": {…}}
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import random
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

import aiohttp
import msgspec

from gateway import metrics
from gateway.access.destinations import Destinations, host_of
from gateway.handlers.api import documents
from gateway.handlers.api.webhooks import may_be_told
from gateway.s3.bucket import snapshot_bucket
from pfs import Logged, Store, StoreError, Undelivered, Webhook

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()
_LEASE = "webhooks"
_AT_ONCE, _AT_ONCE_EACH = 64, 4  # deliveries, and those of one webhook: one that hangs leaves room for others
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Schedule:
    """How patient deliveries are. A commit whose attempts have waited `give_up_s` in all is passed over."""

    timeout_s: float = 10.0
    first_s: float = 1.0
    most_s: float = 3600.0
    give_up_s: float = 3 * 86_400.0
    look_every_s: float = 0.5
    spare_s: float = 2.0  # that a lease lasts beyond an attempt

    def pause_s(self, attempts: int) -> float:
        """Before the next attempt, after so many: doubling."""
        return min(self.most_s, self.first_s * 2.0 ** min(attempts - 1, 64))

    def is_over(self, attempts: int) -> bool:
        return sum(map(self.pause_s, range(1, attempts + 1))) > self.give_up_s

    @property
    def lease_s(self) -> float:
        """Long enough to be renewed for every other attempt only."""
        return 2 * (self.timeout_s + self.spare_s)


class Deliverer:
    """One per worker; those without the lease only look."""

    def __init__(
        self, store: Store, threads: Executor, destinations: Destinations, schedule: Schedule | None = None
    ) -> None:
        self._store, self._threads, self._destinations = store, threads, destinations
        self._schedule = schedule or Schedule()
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._held_until = self._ask_again = 0.0  # of the monotonic clock
        self._asking = asyncio.Lock()
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Delivers until cancelled; attempts that are under way then will be made again."""
        try:
            while True:
                try:
                    await self._start_due()
                except StoreError as exc:
                    _log.warning("webhooks have to wait: %s", exc)
                except Exception:  # noqa: BLE001 - logged with its traceback; the next look may go well
                    _log.exception("a look for what webhooks are to be told failed")
                await asyncio.sleep(self._schedule.look_every_s)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        running = tuple(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._held_until > time.monotonic():
            try:
                await self._work(self._store.release, _LEASE, self._holder)
            except StoreError as exc:
                _log.warning("the lease of webhooks stays until its time is over: %s", exc)

    async def _start_due(self) -> None:
        due = await self._work(self._store.due_deliveries, time.time_ns() // 1000)
        waiting = [found for found in due if found not in self._running]
        if not waiting or not await self._holds_lease():
            return
        busy = Counter(webhook_id for webhook_id, _ in self._running)
        for found in waiting:
            if len(self._running) < _AT_ONCE and busy[found[0]] < _AT_ONCE_EACH:
                busy[found[0]] += 1
                self._running[found] = asyncio.create_task(self._deliver(*found))

    async def _deliver(self, webhook_id: str, branch_id: int) -> None:
        try:
            await self._deliver_all(webhook_id, branch_id)
        except StoreError as exc:
            _log.warning("webhook %s has to wait: %s", webhook_id, exc)
        except Exception:  # noqa: BLE001 - logged with its traceback; others go on
            _log.exception("webhook %s failed", webhook_id)
        finally:
            del self._running[webhook_id, branch_id]

    async def _deliver_all(self, webhook_id: str, branch_id: int) -> None:
        """Commit after commit, until there are no more of them or one fails."""
        async with AsyncExitStack() as stack:
            session: aiohttp.ClientSession | None = None
            while await self._holds_lease():
                found = await self._work(self._store.undelivered, webhook_id, branch_id)
                if found is None:
                    return
                if found.next is None or not may_be_told(found):
                    if found.last != found.head:
                        await asyncio.wrap_future(self._store.delivered(found, found.head))
                    return
                if session is None:
                    session = await stack.enter_async_context(self._session(found.webhook))
                if not await self._attempt(session, found, found.next):
                    return

    async def _attempt(self, session: aiohttp.ClientSession, found: Undelivered, logged: Logged) -> bool:
        """Whether to go on with the next commit."""
        error = await self._post(session, found, logged)
        attempts, commit_id = found.attempts + 1, logged.commit.id
        if not error:
            metrics.WEBHOOK_DELIVERIES.labels("delivered").inc()
            return await asyncio.wrap_future(self._store.delivered(found, commit_id))
        if self._schedule.is_over(attempts):
            metrics.WEBHOOK_DELIVERIES.labels("skipped").inc()
            error = f"commit {commit_id} was passed over after {attempts} attempts: {error}"
            _log.error("webhook %s, branch %s: %s", found.webhook.id, found.branch.label, error)
            return await asyncio.wrap_future(self._store.delivered(found, commit_id, error=error))
        metrics.WEBHOOK_DELIVERIES.labels("failed").inc()
        pause_s = self._schedule.pause_s(attempts) * random.uniform(0.75, 1)  # noqa: S311 - spreads the attempts
        next_us = time.time_ns() // 1000 + round(pause_s * 1_000_000)
        await asyncio.wrap_future(self._store.delivery_failed(found, next_us=next_us, error=error))
        return False

    def _session(self, webhook: Webhook) -> aiohttp.ClientSession:
        host, _ = host_of(webhook.url)
        connector = aiohttp.TCPConnector(
            limit=1, use_dns_cache=False, socket_factory=partial(self._destinations.socket, host)
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._schedule.timeout_s),
            read_bufsize=1024,
            auto_decompress=False,
        )

    async def _post(self, session: aiohttp.ClientSession, found: Undelivered, logged: Logged) -> str:
        """What went wrong, "" for nothing. The answer's body is left alone, and so is where it redirects to."""
        body = _body(found, logged)
        headers = _headers(found, logged, body, int(time.time()))
        try:
            async with session.post(found.webhook.url, data=body, headers=headers, allow_redirects=False) as reply:
                return "" if 200 <= reply.status < 300 else f"answered {reply.status}"
        except TimeoutError:
            return f"no answer within {self._schedule.timeout_s:g} s"
        except aiohttp.ClientConnectorError as exc:
            return str(exc.os_error)[:_LONGEST_ERROR]  # it says more than the whole
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return f"{type(exc).__name__}: {exc}".replace("\0", "")[:_LONGEST_ERROR]

    async def _holds_lease(self) -> bool:
        """Whether it is ours for the length of one more attempt."""
        if self._is_held():
            return True
        async with self._asking:  # once for all that run
            if self._is_held():
                return True
            now = time.monotonic()
            if now < self._ask_again:
                return False
            if await self._work(self._store.lease, _LEASE, self._holder, self._schedule.lease_s):
                self._held_until = now + self._schedule.lease_s
                return True
            self._held_until, self._ask_again = 0.0, now + self._schedule.lease_s / 8
            return False

    def _is_held(self) -> bool:
        return self._held_until - time.monotonic() > self._schedule.timeout_s + self._schedule.spare_s

    async def _work(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))


def _body(found: Undelivered, logged: Logged) -> bytes:
    branch, commit = found.branch, documents.commit(logged.commit, logged.parents)
    return _encoder.encode(
        {
            "webhook": found.webhook.id,
            "repo": branch.repo,
            "branch": branch.name,
            "bucket": snapshot_bucket(branch.repo, branch.name, commit.id),
            "commit": commit,
        }
    )


def _headers(found: Undelivered, logged: Logged, body: bytes, now: int) -> Mapping[str, str]:
    subject = f"{found.webhook.id} {found.branch.id} {logged.commit.id}"
    signature = hmac.new(found.webhook.secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "caret",
        "X-Caret-Event": "commit",
        "X-Caret-Delivery": hashlib.sha256(subject.encode()).hexdigest()[:32],
        "X-Caret-Timestamp": str(now),
        "X-Caret-Signature": f"sha256={signature}",
    }
