"""The audit log: searched by the operator, and by a project's administrator as far as it is of that project.

Whoever reads it leaves a record too, before he is answered.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args

import aiohttp_jinja2
from aiohttp import web
from yarl import URL

from gateway.access import audit_text
from gateway.access.administration import Administrator
from gateway.access.chain import Entry, Outcome, Query
from gateway.access.errors import DirectoryError
from gateway.web import acting
from gateway.web.forms import read_form, sentence
from gateway.web.site import SITE, VISITOR
from pfs import StoreError

routes = web.RouteTableDef()

_log = logging.getLogger(__name__)

_MOST = 100
_MOST_OF_A_DOWNLOAD = 1000  # records at a time
_LONGEST = 1024  # characters asked for; no key is longer
_FIELDS = ("project", "who", "operation", "outcome", "key", "since", "until")
_SIMPLE = ("project", "who", "operation", "outcome", "code", "bucket", "key", "version_id", "source", "bytes")
_COLUMNS = ("seq", "time", *_SIMPLE, "address", "request_id", "access_key", "session", "about", "hash")
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # for spreadsheets, which would carry them out


@dataclass(frozen=True, slots=True)
class _Search:
    """What was asked for, as typed, and what that is."""

    typed: Mapping[str, str]
    query: Query
    before: int | None

    @property
    def facts(self) -> dict[str, object]:
        """For its own record."""
        given: dict[str, object] = {name: value for name, value in self.typed.items() if value}
        return given if self.before is None else {**given, "before": self.before}

    def at(self, path: str, **more: object) -> str:
        given = {name: value for name, value in self.typed.items() if value}
        return str(URL(path).with_query({**given, **{name: str(value) for name, value in more.items()}}))


@routes.get("/audit")
async def search_audit(request: web.Request) -> web.Response:
    desk = await _desk(request, "SearchAudit")
    try:
        search = _search(request, desk)
    except ValueError as exc:
        typed = _typed(request)
        return _page(request, _Search(typed, Query(), None), [], None, problem=sentence(exc), status=400)
    await acting.note(request, "SearchAudit", about=search.facts, **_place(desk, search))
    found = await request.app[SITE].work(
        partial(request.app[SITE].audit.newest, search.query, search.before, most=_MOST)
    )
    return _page(request, search, found.entries, found.before)


@routes.get("/audit/download", allow_head=False)
async def download_audit(request: web.Request) -> web.StreamResponse:
    """All that a search finds, the newest first, as it is read."""
    desk = await _desk(request, "DownloadAudit")
    kind = request.query.get("format", "csv")
    if kind not in _WRITERS:
        raise web.HTTPBadRequest(text=f"The format is one of {', '.join(_WRITERS)}.")
    try:
        search = _search(request, desk)
    except ValueError as exc:
        raise web.HTTPBadRequest(text=sentence(exc)) from exc
    about = {**search.facts, "format": kind}
    await acting.note(request, "DownloadAudit", about=about, **_place(desk, search))
    writer = _WRITERS[kind]()
    name = f"audit-{datetime.now(UTC):%Y-%m-%d}.{kind}"
    response = web.StreamResponse(
        headers={
            "Content-Type": writer.content_type,
            "Content-Disposition": f'attachment; filename="{name}"',
        }
    )
    pages = partial(request.app[SITE].audit.newest, search.query, most=_MOST_OF_A_DOWNLOAD)
    work = request.app[SITE].work
    page = await work(partial(pages, search.before))
    await response.prepare(request)
    try:
        await response.write(writer.begin())
        while True:
            await response.write(await work(partial(writer.write, page.entries)))
            if page.before is None:
                break
            page = await work(partial(pages, page.before))
        await response.write(writer.end())
        await response.write_eof()
    except (StoreError, ConnectionResetError) as exc:
        _log.warning("a download of the audit log broke off: %r", exc)
        if request.transport is not None:
            request.transport.abort()  # a file that ends early must not look whole
    return response


@routes.post("/audit/verify")
async def verify_audit(request: web.Request) -> web.Response:
    """Computes all of the chain anew, which takes its time: the operator's to ask for."""
    desk = await _desk(request, "VerifyAudit")
    try:
        desk.check_operator()
    except DirectoryError as exc:
        await acting.note_refusal(request, "VerifyAudit", exc)
        raise
    noted = (await read_form(request)).get("head", "").strip()
    try:
        head = audit_text.parse_hash(noted) if noted else None
    except ValueError as exc:
        return _verified(request, noted, problem=sentence(exc), status=400)
    site = request.app[SITE]
    found = await site.work(partial(site.audit.verify, head))
    outcome: Outcome = "allowed" if found.is_whole else "failed"
    await acting.note(request, "VerifyAudit", outcome=outcome, project="", about={"records": found.records})
    return _verified(request, noted, found=found, told=audit_text.told(found))


def _verified(request: web.Request, noted: str, status: int = 200, **facts: object) -> web.Response:
    shown = {"noted": noted, "problem": "", "found": None, "told": "", **facts}
    return aiohttp_jinja2.render_template("verified.html", request, shown, status=status)


async def _desk(request: web.Request, operation: str) -> Administrator:
    """Raises Forbidden, which is recorded, for whoever administers nothing."""
    try:
        return acting.administrator(request)
    except DirectoryError as exc:
        await acting.note_refusal(request, operation, exc)
        raise


def _search(request: web.Request, desk: Administrator) -> _Search:
    """Raises ValueError for what can be no search; Unknown for a project that is not his."""
    typed = _typed(request)
    for name, value in typed.items():
        if len(value) > _LONGEST:
            raise ValueError(f"{name} is too long: it has {_LONGEST} characters at most")
    if typed["outcome"] and typed["outcome"] not in get_args(Outcome):
        raise ValueError(f"an outcome is one of {', '.join(get_args(Outcome))}")
    times = {f"{name}_us": audit_text.parse_time(typed[name]) for name in ("since", "until") if typed[name]}
    texts = {name: typed[name] or None for name in ("who", "operation", "outcome", "key")}
    before = request.query.get("before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise ValueError("before is the number of a record")
    query = Query(project=desk.audited(typed["project"]), **texts, **times)  # type: ignore[arg-type]
    return _Search(typed, query, None if before is None else int(before))


def _typed(request: web.Request) -> Mapping[str, str]:
    return {name: request.query.get(name, "").strip() for name in _FIELDS}


def _place(desk: Administrator, search: _Search) -> Mapping[str, str]:
    """The project whose log was read: the record of that belongs there. All of them are none."""
    return {"project": search.query.project or ""}


def _page(
    request: web.Request,
    search: _Search,
    entries: Sequence[Entry],
    before: int | None,
    problem: str = "",
    status: int = 200,
) -> web.Response:
    records = [audit_text.document(entry) for entry in entries]
    facts = {
        "records": [
            {
                **dict.fromkeys(("project", "who", "code", "address"), ""),
                **record,
                "thing": audit_text.thing(record),
                "all": json.dumps(record, indent=2, sort_keys=True),
            }
            for record in records
        ],
        "typed": search.typed,
        "outcomes": get_args(Outcome),
        "older": None if before is None else search.at("/audit", before=before),
        "newest": search.at("/audit") if search.before is not None else None,
        "is_short": len(entries) < _MOST,
        "downloads": [(kind.upper(), search.at("/audit/download", format=kind)) for kind in _WRITERS],
        "problem": problem,
        "is_operator": request[VISITOR].is_operator,
    }
    return aiohttp_jinja2.render_template("audit.html", request, facts, status=status)


class _Csv:
    content_type = "text/csv; charset=utf-8"

    def begin(self) -> bytes:
        return self._rows([_COLUMNS])

    def write(self, entries: Sequence[Entry]) -> bytes:
        return self._rows([self._cells(audit_text.document(entry)) for entry in entries])

    def end(self) -> bytes:
        return b""

    def _cells(self, record: Mapping[str, Any]) -> Sequence[str]:
        values = {**record, "about": json.dumps(record["about"]) if "about" in record else ""}
        return [_cell(values.get(name, "")) for name in _COLUMNS]

    def _rows(self, rows: Sequence[Sequence[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue().encode("utf-8", "backslashreplace")


class _Json:
    """One array, a record a line."""

    content_type = "application/json"

    def __init__(self) -> None:
        self._before = b"[\n"

    def begin(self) -> bytes:
        return b""

    def write(self, entries: Sequence[Entry]) -> bytes:
        lines = []
        for entry in entries:
            lines.append(self._before + json.dumps(audit_text.document(entry)).encode())
            self._before = b",\n"
        return b"".join(lines)

    def end(self) -> bytes:
        return (b"[" if self._before == b"[\n" else b"") + b"\n]\n"


_WRITERS: Mapping[str, type[_Csv] | type[_Json]] = {"csv": _Csv, "json": _Json}


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_BEGIN_FORMULAS) else text
