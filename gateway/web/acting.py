"""Who acts where a page does not ask the gateway but the directory or the audit log itself, and the record of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from gateway.access.administration import Administrator
from gateway.access.chain import Record
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError
from gateway.web.site import CREDENTIAL, SITE, VISITOR


def record(request: web.Request, operation: str, **facts: Any) -> Record:
    """An act of the visitor's, in his project."""
    visitor, address = request[VISITOR], request.remote or ""
    key = {"session": visitor.access_key} if visitor.token else {"access_key": visitor.access_key}
    return Record(operation, **{"project": visitor.project, "who": visitor.name, "address": address, **key, **facts})


async def note(request: web.Request, operation: str, **facts: Any) -> None:
    """Durable when it returns. Raises StoreError: what cannot be recorded is not to be done."""
    await keep(request, record(request, operation, **facts))


async def keep(request: web.Request, *records: Record) -> None:
    site = request.app[SITE]
    await site.work(partial(site.audit.append, records))


async def note_refusal(request: web.Request, operation: str, exc: DirectoryError, **facts: Any) -> None:
    await note(request, operation, outcome="refused", code=type(exc).__name__, **facts)


def directory(request: web.Request) -> Directory:
    """As which the visitor changes what is his."""
    return request.app[SITE].directory.acting_as(record(request, "", project=""))


def administrator(request: web.Request) -> Administrator:
    """Raises Forbidden for anybody else."""
    return Administrator.of(directory(request), request[CREDENTIAL].principal)
