"""`caret gc`: removes what nobody needs any more from a store, whether a gateway serves it or not."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import Any

import click

import pfs
from gateway.app import store_config
from gateway.cli.calling import Command
from gateway.cli.exits import CannotStart
from gateway.cli.fsck import require_store
from gateway.cli.output import Column, human, table
from gateway.cli.settings import KEEPING_SETTINGS, STORE_SETTINGS, setting_options, settings_from


@click.command("gc", cls=Command, example="caret gc --data ./data --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@setting_options((*STORE_SETTINGS, *KEEPING_SETTINGS))
def gc_command(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Remove what nobody needs any more, from a store that is served or not.

    Expired uploads and transactions, branches that were deleted longer than retention_s ago with their commits,
    and bytes that nothing has referred to for gc_grace_s. Leaves with 3 where the store cannot be opened, or another
    collection is under way.
    """
    config = settings_from(options).config
    require_store(config)
    try:
        with contextlib.closing(pfs.open_store(store_config(config))) as store:
            collected = store.collect_garbage(dry_run=dry_run)
    except (pfs.StoreError, OSError) as error:
        raise CannotStart(f"garbage in {config.data} could not be collected: {error}") from error
    if as_json:
        click.echo(json.dumps(asdict(collected), indent=2))
    else:
        _print(collected)


def _print(collected: pfs.Collected) -> None:
    title = "would go" if collected.dry_run else "removed"
    rows = [
        [kind, f"{count:,}", human(collected.bytes) if kind == "blobs" else ""]
        for kind, count in collected.counts.items()
    ]
    rows.append(["blobs in their grace period", f"{collected.blobs_condemned:,}", human(collected.bytes_condemned)])
    table([Column(title), Column("count", right=True), Column("size", right=True)], rows)
