"""What all pages share: the settings, the people, and the gateway, which each visitor asks in his own name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from aiohttp import web

from gateway.access.audit import AuditLog
from gateway.access.directory import Directory
from gateway.access.keyring import Credential, Keyring
from gateway.access.vault import Vault
from gateway.client import Client, Credentials, Reach, Refusal
from gateway.config import Config
from gateway.server.access_log import AccessLog
from gateway.sync.jobs import Jobs
from gateway.sync.worker import Worker
from gateway.web.visitor import Visitor

T = TypeVar("T")

VISITOR = web.RequestKey("visitor", Visitor)
"""Who is logged in: set by the middleware on every page that asks for it."""
CREDENTIAL = web.RequestKey("credential", Credential)
"""What his key or session is good for at this moment; set along."""


@dataclass(frozen=True, slots=True)
class Site:
    """One per process. `keyring` is the event loop's; all else may be used from any thread. `root`: jobs' own keys."""

    config: Config
    directory: Directory
    keyring: Keyring
    vault: Vault
    audit: AuditLog
    access_log: AccessLog
    threads: Executor
    root: Credentials
    jobs: Jobs
    worker: Worker

    def reach(self, credentials: Credentials) -> Reach:
        """This gateway, as whoever has these credentials."""
        return Reach(self.config.endpoint, credentials, self.config.region, certificate=self.config.tls_cert)

    async def work(self, call: Callable[[], T]) -> T:
        """A call that blocks, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)


SITE = web.AppKey("site", Site)


async def ask(request: web.Request, question: Callable[[Client], T]) -> T:
    """What the gateway answers the visitor. Raises Refusal, Unreachable, which the middleware makes pages of; what the
    client does not even ask is refused as the gateway would."""
    site = request.app[SITE]

    def answer() -> T:
        with Client(site.reach(request[VISITOR].credentials)) as caret:
            try:
                return question(caret)
            except msgspec.ValidationError as exc:
                raise Refusal(400, "InvalidArgument", f"That cannot be sent: {exc}.", {}, "") from exc

    return await site.work(answer)
