"""The table that `make clients` ends with: one row a client, what it did, over http and over TLS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SCHEMES = ("http", "tls")
_HEAD = ("client", "version", "http", "TLS", "what was done", "seconds")


@dataclass(frozen=True)
class Run:
    """The report of one phase of one test: `phase` is setup, call or teardown, `outcome` pytest's."""

    client: str
    version: str
    does: str
    scheme: str
    outcome: str
    phase: str
    seconds: float


def render(runs: Sequence[Run]) -> str:
    """Seconds are those of the tests alone, without installing."""
    clients = dict.fromkeys((run.client, run.version, run.does) for run in runs)
    rows = [_HEAD, *(_row(*client, [run for run in runs if run.client == client[0]]) for client in sorted(clients))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], *lines[1:]])


def _row(name: str, version: str, does: str, runs: Sequence[Run]) -> tuple[str, ...]:
    seconds = sum(run.seconds for run in runs if run.phase == "call")
    return (name, version, *(_verdict([run for run in runs if run.scheme == scheme]) for scheme in SCHEMES), does,
            f"{seconds:.1f}")


def _verdict(runs: Sequence[Run]) -> str:
    outcomes = {run.outcome for run in runs if run.phase == "call" or run.outcome != "passed"}
    return next((verdict for verdict in ("failed", "skipped", "passed") if verdict in outcomes), "-")
