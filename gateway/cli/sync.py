"""`caret sync`: a folder and a bucket, or two of either, kept in step by `gateway.sync`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from gateway.cli.calling import HINTS, gateway_options, message_option, reach_of
from gateway.cli.exits import SYNC_CHANGED, SYNC_FAILED, SYNC_REFUSED
from gateway.cli.interruption import Interruption
from gateway.cli.sync_options import FilteringCommand, Rate
from gateway.cli.sync_sides import Endpoints, Sides, WrongSide, resolve
from gateway.cli.sync_told import Lines, teller
from gateway.cli.sync_watch import CannotWatch, Watched, watched_bucket, watched_folder
from gateway.client import Refusal, Unreachable
from gateway.s3.bucket import parse_bucket
from gateway.sync import (
    Comparison,
    Filter,
    Folder,
    Memory,
    Options,
    State,
    SyncError,
    default_memory_path,
    synchronise,
)

_CODES = {State.DONE: 0, State.FAILED: SYNC_FAILED, State.CHANGED: SYNC_CHANGED, State.REFUSED: SYNC_REFUSED}
_CANNOT = (SyncError, CannotWatch, Unreachable, Refusal)
_FORBIDDEN = 403
_MOST_JOBS = 100
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0


@click.command("sync", cls=FilteringCommand, example="caret sync ./album/ s3://photos/album/ --delete -m 'The album'")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--delete", is_flag=True, help="Delete from DST what SRC has not; last, and only if all else went well.")
@click.option("--max-delete", type=click.IntRange(min=0), metavar="N", help="Refuse to delete more than these.")
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option(
    "--exclude", metavar="GLOB", multiple=True, help="Leave alone what matches, here and there; * matches / too."
)
@click.option(
    "--include", metavar="GLOB", multiple=True, help="But not this: of all globs that match a path the last decides."
)
@click.option("--checksum", is_flag=True, help="Compare contents, read anew, whatever is remembered of them.")
@click.option("--size-only", is_flag=True, help="Take files of equal size for equal.")
@click.option(
    "--jobs", type=click.IntRange(1, _MOST_JOBS), default=8, metavar="N", help="Transfers at a time.  [default: 8]"
)
@click.option("--limit-rate", type=Rate(), metavar="RATE", help="Bytes a second in all: 500k, 10M, 1G, of 1024.")
@click.option("--watch", is_flag=True, help="Go on: sync again whenever SRC changes, until Ctrl-C.")
@click.option("--partial", is_flag=True, help="Commit what could be transferred although something failed.")
@click.option("--from-endpoint", metavar="URL", help="SRC is elsewhere; its keys are in CARET_FROM_ACCESS_KEY, ….")
@click.option("--to-endpoint", metavar="URL", help="DST is elsewhere; its keys are in CARET_TO_ACCESS_KEY, ….")
@click.option(
    *("--state", "memory_path"),
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where is remembered what was seen and begun.  [default: one for each user]",
)
@message_option
@click.option("--json", "as_json", is_flag=True, help="Print an event a line, as JSON.")
@gateway_options
def sync_command(
    source: str, destination: str, *, watch: bool, as_json: bool, memory_path: Path | None, **given: Any
) -> None:
    """Make DST hold what SRC holds. Each is a folder, or s3://BUCKET/PREFIX.

    `dir` brings `dir/…` to DST, `dir/` only what is in it; so do s3://b/dir and s3://b/dir/, and . is as if it ended
    in a slash. DST is a folder or a prefix, with or without a slash. A single file keeps its name.

    A bucket of this gateway gets all changes as one commit, or none where anything failed: what was transferred is
    kept, and running it again goes on from there. A past state is a source too: s3://head-3.main.photos/.

    With --from-endpoint or --to-endpoint a bucket is one of any S3 service. Its keys are in the environment, for SRC
    in CARET_FROM_ACCESS_KEY, CARET_FROM_SECRET_KEY, CARET_FROM_SESSION_TOKEN and CARET_FROM_REGION, for DST in
    CARET_TO_….

    Leaves with 0 where all was done; 1 where something failed; 2 for wrong usage; 3 where the source changed
    meanwhile, and nothing else went wrong; 4 where it was refused; 130 and 143 where SIGINT or SIGTERM stopped it:
    the first at the next file, a second one at once.
    """
    told = teller(as_json=as_json, is_dry=given["dry_run"])
    with Interruption() as interruption:
        try:
            memory_path = memory_path or default_memory_path()
            sides = resolve(source, destination, _endpoints(given))
            options = _options(given, sides, memory_path)
            watched = _watched(sides, options, memory_path) if watch else None
            with Memory.open(memory_path) as memory:
                run = _Run(sides, options, memory, interruption, told)
                state = run.once() if watched is None else run.at_each_change(watched)
        except WrongSide as error:
            raise click.UsageError(str(error)) from error
        except _CANNOT as error:
            told.wrong(_why(error))
            sys.exit(_code_of(error))
        except KeyboardInterrupt:
            sys.exit(interruption.exit_code)
    sys.exit(interruption.exit_code if state is State.CANCELLED else _CODES[state])


# ---------------------------------------------------------------- what the line says


def _endpoints(given: Mapping[str, Any]) -> Endpoints:
    gateway = partial(reach_of, given["endpoint"], given["access_key"], given["data"])
    return Endpoints(os.environ, gateway, {"FROM": given["from_endpoint"], "TO": given["to_endpoint"]})


def _options(given: Mapping[str, Any], sides: Sides, memory_path: Path) -> Options:
    filters: Sequence[Filter] = given["filters"]
    if given["checksum"] and given["size_only"]:
        raise WrongSide("--checksum and --size-only exclude one another")
    if given["max_delete"] is not None and not given["delete"]:
        raise WrongSide("--max-delete says how much --delete may do: give both")
    if sides.only is not None and (filters or given["delete"]):
        raise WrongSide(f"{sides.only} is a single file: --delete, --exclude and --include are for folders")
    comparison = Comparison.CHECKSUM if given["checksum"] else Comparison.QUICK
    return Options(
        delete=given["delete"],
        max_delete=given["max_delete"],
        filters=(*sides.filters, *filters, *sides.sparing(memory_path)),
        comparison=Comparison.SIZE if given["size_only"] else comparison,
        jobs=given["jobs"],
        rate_bytes_s=given["limit_rate"],
        message=given["message"] or "",
        partial=given["partial"],
        dry_run=given["dry_run"],
    )


def _watched(sides: Sides, options: Options, memory_path: Path) -> Watched:
    if options.dry_run:
        raise WrongSide("--dry-run does nothing, and --watch goes on with it: give one of them")
    if isinstance(sides.source, Folder):
        return partial(watched_folder, sides.source, memory_path, is_deep=sides.only is None)
    name = parse_bucket(sides.source.bucket) if sides.source.is_ours else None
    if name is None or name.is_snapshot:
        raise WrongSide(
            f"--watch is for folders and branches of this gateway; {sides.source.bucket} tells of no change"
        )
    return partial(watched_bucket, sides.source, name)


def _refusal(error: Exception) -> Refusal | None:
    """What an endpoint said, where that is the reason."""
    reason = error if isinstance(error, Refusal) else error.__cause__
    return reason if isinstance(reason, Refusal) else None


def _code_of(error: Exception) -> int:
    refusal = _refusal(error)
    return SYNC_REFUSED if refusal is not None and refusal.status == _FORBIDDEN else SYNC_FAILED


def _why(error: Exception) -> str:
    refusal = _refusal(error)
    hint = HINTS.get(refusal.code) if refusal is not None else None
    return f"{error}\nHint: {hint}" if hint else str(error)


# ---------------------------------------------------------------- doing it


@dataclass(frozen=True)
class _Run:
    sides: Sides
    options: Options
    memory: Memory
    interruption: Interruption
    told: Lines

    def once(self) -> State:
        """Raises SyncError."""
        is_told = threading.Lock()

        def should_stop() -> bool:
            asked = self.interruption.is_asked_for
            if asked and is_told.acquire(blocking=False):
                self.told.stopping()
            return asked

        with self.told, self.interruption.gently():
            outcome = synchronise(
                *(self.sides.source, self.sides.destination, self.options, self.memory),
                observer=self.told,
                should_stop=should_stop,
            )
        self.told.ended(outcome, is_partial=self.options.partial)
        return outcome.state

    def at_each_change(self, watched: Watched) -> State:
        """Until it is interrupted. What goes wrong is told, and tried again after a while."""
        pause_s = _FIRST_PAUSE_S
        while not self.interruption.is_asked_for:
            try:
                with watched() as wait:
                    while self.once() is State.DONE and not self.interruption.is_asked_for:
                        pause_s = _FIRST_PAUSE_S
                        self.told.waiting("waiting for changes; Ctrl-C ends it")
                        wait()
            except _CANNOT as error:
                self.told.wrong(_why(error))
            if not self.interruption.is_asked_for:
                self.told.waiting(f"trying again in {pause_s:.0f} s")
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return State.CANCELLED
