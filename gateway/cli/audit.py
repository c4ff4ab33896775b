"""`caret audit`: searches and verifies the audit log, for who operates the gateway. Nothing here changes it."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import click

from gateway.access import audit_text
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


class Moment(click.ParamType[int]):
    """ISO 8601, in UTC unless it says otherwise; µs since the epoch."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return audit_text.parse_time(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Hash(click.ParamType[bytes]):
    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return audit_text.parse_hash(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


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
                print_json_line(audit_text.document(entry))
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
        say(audit_text.told(verified), err=not verified.is_whole)
    if not verified.is_whole:
        raise click.exceptions.Exit(FOUND_WRONG)


def _row(entry: Entry) -> tuple[str, ...]:
    record = json.loads(entry.record)
    outcome = " ".join(filter(None, (record["outcome"], record.get("code"))))
    names = (record.get("project", ""), record.get("who", ""), record["operation"])
    return (
        *(str(entry.seq), audit_text.format_time(entry.time_us)),
        *(name or "-" for name in names),
        *(outcome, audit_text.thing(record) or "-", record.get("address") or "-"),
    )


def _verified(found: Verified) -> Mapping[str, object]:
    broken = None if found.broken is None else {"seq": found.broken.seq, "what": found.broken.what}
    whole = {"records": found.records, "head": found.head.hex(), "whole": found.is_whole}
    return {**whole, "broken": broken, "has_noted": found.has_noted}
