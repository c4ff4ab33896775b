"""The table of clients: as `make clients` ends with it, and as the README has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

SCHEMES = ("http", "tls")


class Row(NamedTuple):
    client: str
    version: str
    does: str


@dataclass(frozen=True)
class Run:
    """The report of one phase of one test: `phase` is setup, call or teardown, `outcome` pytest's."""

    row: Row
    scheme: str
    outcome: str
    phase: str
    seconds: float


def render(runs: Sequence[Run]) -> str:
    """Seconds are those of the tests alone, without installing."""
    lines: list[tuple[str, ...]] = [("client", "version", "http", "TLS", "what was done", "seconds")]
    for row in sorted({run.row for run in runs}):
        own = [run for run in runs if run.row == row]
        verdicts = (_verdict([run for run in own if run.scheme == scheme]) for scheme in SCHEMES)
        seconds = sum(run.seconds for run in own if run.phase == "call")
        lines.append((row.client, row.version, *verdicts, row.does, f"{seconds:.1f}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _verdict(runs: Sequence[Run]) -> str:
    outcomes = {run.outcome for run in runs if run.phase == "call" or run.outcome != "passed"}
    return next((verdict for verdict in ("failed", "skipped", "passed") if verdict in outcomes), "-")


def markdown(rows: Sequence[Row]) -> str:
    lines = (f"| {row.client} | {row.version} | ✓ | ✓ | {row.does} |" for row in sorted(rows))
    return "\n".join(["| client | version | http | TLS | what its test does |", "|---|---|---|---|---|", *lines])
