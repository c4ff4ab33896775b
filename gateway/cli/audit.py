"""`caret audit`: searches and verifies the audit log, for who operates the gateway. Nothing here changes it."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from gateway.access.audit import AuditLog
from gateway.access.chain import Entry, Query, Verified
from gateway.cli.calling import Command
from gateway.cli.exits import FOUND_WRONG
from gateway.cli.local_directory import DIRECTORY_SETTINGS, local_directory
from gateway.cli.output import Column, print_json, print_json_line, say, table
from gateway.cli.settings import setting_options

_COLUMNS = (
    Column("seq", "yellow", right=True),
    Column("time", "dim"),
    *(Column(title) for title in ("project", "who", "operation", "outcome", "what", "address")),
)
_HASH_DIGITS = 64


class Moment(click.ParamType[int]):
    """ISO 8601, in UTC unless it says otherwise; µs since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write it as 2026-11-21 or 2026-11-21T10:00:00Z", param, ctx)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return round(time.timestamp() * 1_000_000)


class Hash(click.ParamType[bytes]):
    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            digest = bytes.fromhex(value)
        except ValueError:
            digest = b""
        if len(digest) * 2 != _HASH_DIGITS:
            self.fail(f"{value!r} is no hash: it has {_HASH_DIGITS} hex digits", param, ctx)
        return digest


@click.group("audit")
def audit_group() -> None:
    """Search and verify the audit log: who read, was refused, logged in, or changed something."""


@audit_group.command("search", cls=Command, example="caret audit search --outcome refused -n 20 --data ./data")
@click.option("--project", metavar="NAME", help="Of this project.")
@click.option("--who", metavar="NAME", help="Of this user; os:NAME for commands on the gateway's machine.")
@click.option("--operation", metavar="NAME", help="Of this operation, as GetObject or create_user.")
@click.option("--outcome", type=click.Choice(["allowed", "refused", "failed"]), help="That ended so.")
@click.option("--key", metavar="KEY", help="About the object of this key.")
@click.option("--since", type=Moment(), metavar="TIME", default="1970-01-01", help="From this time on; UTC.")
@click.option("--until", type=Moment(), metavar="TIME", default="9999-01-01", help="Before this time; UTC.")
@click.option("-n", "most", type=click.IntRange(min=1), metavar="N", help="The last N of them alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one record a line.")
@setting_options(DIRECTORY_SETTINGS)
def search_command(
    project: str | None,
    who: str | None,
    operation: str | None,
    outcome: str | None,
    key: str | None,
    since: int,
    until: int,
    most: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """List the records that all options hold for, the oldest first."""
    query = Query(project, who, operation, outcome, key, since, until)
    with local_directory(options) as directory, contextlib.closing(AuditLog(directory.database)) as log:
        found: Iterable[Entry] = log.search(query)
        if most is not None:
            found = deque(found, most)
        if as_json:
            for entry in found:
                print_json_line(_document(entry))
        else:
            table(_COLUMNS, map(_row, found))


@audit_group.command("verify", cls=Command, example="caret audit verify --data ./data")
@click.option("--head", "noted", type=Hash(), metavar="HASH", help="The head as it was noted earlier, elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@setting_options(DIRECTORY_SETTINGS)
def verify_command(noted: bytes | None, as_json: bool, **options: Any) -> None:
    """Compute the chain of all records anew, and tell its head.

    Note the head somewhere else: records that were cut off the end are missed by nothing but --head. Leaves with 1
    where a record was altered or is missing.
    """
    with local_directory(options) as directory, contextlib.closing(AuditLog(directory.database)) as log:
        verified = log.verify(noted)
    if as_json:
        print_json(_verified(verified))
    else:
        say(_told(verified), err=not verified.is_whole)
    if not verified.is_whole:
        raise click.exceptions.Exit(FOUND_WRONG)


def _document(entry: Entry) -> Mapping[str, object]:
    return {"seq": entry.seq, "time": _time(entry.time_us), **json.loads(entry.record), "hash": entry.hash.hex()}


def _row(entry: Entry) -> tuple[str, ...]:
    record = json.loads(entry.record)
    outcome = " ".join(filter(None, (record["outcome"], record.get("code"))))
    names = (record.get("project", ""), record.get("who", ""), record["operation"])
    return (
        *(str(entry.seq), _time(entry.time_us)),
        *(name or "-" for name in names),
        *(outcome, _what(record) or "-", record.get("address") or "-"),
    )


def _what(record: Mapping[str, Any]) -> str:
    """What a record is about, in a word or two."""
    thing = "/".join(filter(None, (record.get("bucket"), record.get("key"))))
    about = " ".join(f"{name}={value}" for name, value in record.get("about", {}).items())
    size = f"{record['bytes']} bytes" if "bytes" in record else ""
    return " ".join(filter(None, (thing, about, size)))


def _verified(found: Verified) -> Mapping[str, object]:
    broken = None if found.broken is None else {"seq": found.broken.seq, "what": found.broken.what}
    whole = {"records": found.records, "head": found.head.hex(), "whole": found.is_whole}
    return {**whole, "broken": broken, "has_noted": found.has_noted}


def _told(found: Verified) -> str:
    if found.broken is not None:
        return f"the chain is broken at record {found.broken.seq}: {found.broken.what}"
    if not found.has_noted:
        return f"the chain of {found.records} records does not run through that head: records were cut off or replaced"
    return f"{found.records} records, all as they were written; head {found.head.hex()}"


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
