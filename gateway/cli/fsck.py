"""`caret fsck`: re-verifies a store, whether a gateway serves it or not."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

import click

import pfs
from gateway.app import store_config
from gateway.cli.calling import Command
from gateway.cli.exits import FOUND_WRONG, CannotStart
from gateway.cli.settings import STORE_SETTINGS, setting_options, settings_from
from gateway.config import Config

_EMBEDDED = "caret.db"  # opening a store makes it where it is not: a check must not


@click.command("fsck", cls=Command, example="caret fsck --data ./data")
@click.option("--verify-data", is_flag=True, help="Read and hash every blob as well.")
@click.option("--repair", is_flag=True, help="Mend what can be derived from what is whole; never touches a commit.")
@click.option("--bundle", metavar="FILE", type=click.File("rb"), help="Re-verify what was exported instead of a store.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@setting_options(STORE_SETTINGS)
def fsck_command(verify_data: bool, repair: bool, bundle: BinaryIO | None, as_json: bool, **options: Any) -> None:
    """Re-verify a store, served or not.

    Recomputes the commits' hash chain and looks at every branch, version and blob. Leaves with
    0 where the store is sound, 1 where problems were found (with --repair: are left), 3 where it cannot be opened.
    """
    if bundle is not None and repair:
        raise click.UsageError("--repair mends a store; a bundle is checked, and taken or left")
    report = _checked_store(verify_data, repair, options) if bundle is None else _checked_bundle(bundle)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        _print(report)
    if report.problems:
        sys.exit(FOUND_WRONG)


def _checked_bundle(bundle: BinaryIO) -> pfs.Report:
    try:
        return pfs.verify_bundle(bundle)
    except OSError as error:
        raise CannotStart(f"{bundle.name} cannot be read: {error}") from error


def _checked_store(verify_data: bool, repair: bool, options: Mapping[str, Any]) -> pfs.Report:
    config = settings_from(options).config
    require_store(config)
    try:
        with contextlib.closing(pfs.open_store(store_config(config))) as store:
            return (store.repair if repair else store.fsck)(verify_data=verify_data)
    except (pfs.StoreError, OSError) as error:
        raise CannotStart(f"the store in {config.data} cannot be read: {error}") from error


def require_store(config: Config) -> None:
    """Raises CannotStart where opening the store would make a new one."""
    if config.database_url is None and not (config.data / _EMBEDDED).exists():
        raise CannotStart(f"there is no store in {config.data}; name its folder with --data")


def _print(report: pfs.Report) -> None:
    for done in report.repairs:
        click.echo(f"repaired: {done.kind}: {done.subject}: {done.detail}")
    for problem in report.problems:
        click.echo(f"{problem.kind}: {problem.subject}: {problem.detail}")
    looked_at = f"{report.commits} commits, {report.branches} branches, {report.entries} versions, {report.blobs} blobs"
    click.echo(f"{looked_at}: {len(report.problems) or 'no'} problem{'' if len(report.problems) == 1 else 's'}")
