"""Webhooks: list, create, show, delete. They are their author's and the administrators' to see."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket

from gateway.access.destinations import Destinations, ForbiddenDestination, host_of
from gateway.access.principals import ROOT
from gateway.api import model
from gateway.api.errors import ApiError
from gateway.handlers.api.locate import repo_of
from gateway.handlers.attributes import dump_owner, load_owner
from gateway.handlers.context import Call
from gateway.handlers.ownership import bucket_owner
from pfs import NoSuchWebhook, Repo, Undelivered, Webhook, WebhookState, to_datetime

_LOOK_UP_S = 5.0
_PATTERN = re.compile(r"[a-z0-9*?\[\]!-]{1,63}")
_SECRET = re.compile(r"[!-~]+")


class WebhookHandlers:
    """The endpoints' handlers; `destinations` tells where a webhook may lead."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    async def list_webhooks(self, call: Call, request: model.OfRepo) -> model.Webhooks:
        repo = await repo_of(call, request.repo)
        return model.Webhooks(webhooks=[_document(state) for state in await _visible(call, repo)])

    async def create_webhook(self, call: Call, request: model.CreateWebhook) -> model.Webhook:
        await repo_of(call, request.repo)
        if not _PATTERN.fullmatch(request.branches):
            raise ApiError("InvalidArgument", "branches is no glob pattern of branches' names.", at="branches")
        if request.secret is not None and not _SECRET.fullmatch(request.secret):
            raise ApiError("InvalidArgument", "A secret has printable ASCII characters without spaces.", at="secret")
        await self._check(request.url)
        webhook = await call.durable(
            call.store.create_webhook(
                call.caller.project,
                request.repo,
                branches=request.branches,
                url=request.url,
                secret=request.secret or secrets.token_urlsafe(32),
                author=dump_owner(call.owner),
            )
        )
        return _document(WebhookState(webhook, 0, ""), secret=webhook.secret)

    async def get_webhook(self, call: Call, request: model.OfWebhook) -> model.Webhook:
        return _document(await _webhook(call, request))

    async def delete_webhook(self, call: Call, request: model.OfWebhook) -> None:
        await _webhook(call, request)
        await call.durable(call.store.delete_webhook(call.caller.project, request.repo, request.id))

    async def _check(self, url: str) -> None:
        """Raises ApiError for what could never be delivered to. A name without an address may get one later."""
        try:
            host, port = host_of(url)
        except ValueError as exc:
            raise ApiError("InvalidArgument", f"The URL {exc}.", at="url") from exc
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            return
        try:
            self._destinations.check_name(host, [str(info[4][0]) for info in found])
        except ForbiddenDestination as exc:
            raise ApiError("InvalidArgument", f"The URL cannot be used: {exc.strerror}.", at="url") from exc


async def _visible(call: Call, repo: Repo) -> list[WebhookState]:
    states = await call.work(call.store.webhooks, repo)
    return [state for state in states if call.caller.is_admin or author_id(state.webhook) == call.caller.id]


async def _webhook(call: Call, request: model.OfWebhook) -> WebhookState:
    repo = await repo_of(call, request.repo)
    for state in await _visible(call, repo):
        if state.webhook.id == request.id:
            return state
    raise NoSuchWebhook(request.id)


def author_id(webhook: Webhook) -> str:
    return load_owner(webhook.author).id


def may_be_told(found: Undelivered) -> bool:
    """Whether the branch is the webhook's author's to see: one that somebody else has made in the repo is not."""
    return author_id(found.webhook) in (ROOT.id, bucket_owner(found.branch).id)


def _document(state: WebhookState, secret: str | None = None) -> model.Webhook:
    webhook = state.webhook
    return model.Webhook(
        id=webhook.id,
        branches=webhook.branches,
        url=webhook.url,
        author=load_owner(webhook.author).display_name,
        created=to_datetime(webhook.created_us),
        secret=secret,
        pending=state.pending,
        last_error=state.last_error or None,
    )
