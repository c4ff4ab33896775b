"""`caret merge`, `caret revert`, `caret cherry-pick`: commits made of other commits."""

from __future__ import annotations

import sys
from typing import Any

import click

from gateway.api import model
from gateway.cli.calling import (
    Command,
    Function,
    Place,
    calls_gateway,
    expected_head_option,
    into_argument,
    json_option,
    message_option,
    metadata_option,
    print_conflicts,
)
from gateway.cli.exits import CONFLICT
from gateway.cli.history import print_changes
from gateway.cli.output import count, print_json, say, short
from gateway.client import Client


def _strategy_options(function: Function) -> Function:
    side = click.Choice(["ours", "theirs"])
    function = click.option("--theirs", metavar="KEY", multiple=True, help="In a conflict about KEY: REV's.")(function)
    function = click.option("--ours", metavar="KEY", multiple=True, help="In a conflict about KEY: the branch's.")(
        function
    )
    return click.option("--strategy", type=side, help="In all conflicts: the branch's side, or REV's.")(function)


def _strategy(strategy: str | None, ours: tuple[str, ...], theirs: tuple[str, ...]) -> model.Strategy:
    """Raises UsageError where the options contradict one another."""
    if strategy is not None and (ours or theirs):
        raise click.UsageError("--strategy decides all conflicts, --ours and --theirs one each: give either")
    both = set(ours) & set(theirs)
    if both:
        raise click.UsageError(f"{min(both)!r} cannot be both --ours and --theirs")
    if strategy is not None:
        return "ours" if strategy == "ours" else "theirs"
    keys: dict[str, model.Side] = {}
    keys.update(dict.fromkeys(ours, "ours"))
    keys.update(dict.fromkeys(theirs, "theirs"))
    return keys or None


@click.command("merge", cls=Command, example="caret merge photos draft --into main -m 'New pictures'")
@into_argument
@click.argument("rev")
@_strategy_options
@click.option("--squash", is_flag=True, help="One commit with REV's changes, which does not remember REV.")
@click.option("--no-ff", is_flag=True, help="A commit also where moving the branch forward would do.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, conflicts too, and do nothing.")
@message_option
@metadata_option
@expected_head_option
@json_option
@calls_gateway
def merge_command(
    client: Client,
    place: Place,
    rev: str,
    strategy: str | None,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    no_ff: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Take into a branch what REV has changed since they parted.

    Where both have changed a key, nothing is done: the conflicts are listed, and the command leaves with 5.
    """
    chosen = _strategy(strategy, ours, theirs)
    branch = place.branch_of(client)
    merged = client.merge(place.repo, branch, rev, strategy=chosen, fast_forward=not no_ff, **fields)
    _print(merged, branch, as_json)


def _apply_options(function: Function) -> Function:
    for option in (calls_gateway, json_option, expected_head_option, metadata_option, message_option):
        function = option(function)
    return into_argument(click.argument("rev")(_strategy_options(function)))


@click.command("revert", cls=Command, example="caret revert photos HEAD")
@_apply_options
def revert_command(
    client: Client,
    place: Place,
    rev: str,
    strategy: str | None,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """Undo what the commit REV changed, by a new commit."""
    chosen = _strategy(strategy, ours, theirs)
    branch = place.branch_of(client)
    _print(client.revert(place.repo, branch, rev, strategy=chosen, **fields), branch, as_json)


@click.command("cherry-pick", cls=Command, example="caret cherry-pick photos draft --into main")
@_apply_options
def cherry_pick_command(
    client: Client,
    place: Place,
    rev: str,
    strategy: str | None,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """Make what the commit REV changed once more, by a new commit."""
    chosen = _strategy(strategy, ours, theirs)
    branch = place.branch_of(client)
    _print(client.cherry_pick(place.repo, branch, rev, strategy=chosen, **fields), branch, as_json)


def _print(merged: model.Merged, branch: str, as_json: bool) -> None:
    if as_json:
        print_json(merged)
    else:
        say(_summary(merged, branch))
        print_changes(merged.changes)
    if merged.conflicts:
        print_conflicts(merged.conflicts)
        sys.exit(CONFLICT)


def _summary(merged: model.Merged, branch: str) -> str:
    # A fast-forward lists no changes: it makes none of its own.
    changed = "" if merged.kind == "fast-forward" else f", {count(len(merged.changes), 'key')} changed"
    if merged.dry_run:
        conflicts = f", {count(len(merged.conflicts), 'conflict')}" if merged.conflicts else ""
        return f"would be done: {merged.kind}{changed}{conflicts}"
    if merged.kind == "nothing":
        return f"nothing to do: {branch} is at {short(merged.head.id)}"
    return f"{merged.kind}: {branch} is now at {short(merged.head.id)}{changed}"
