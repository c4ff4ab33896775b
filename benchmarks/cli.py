"""The command line of the benchmarks: one table per benchmark on standard output."""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from report import NotMeasured, Options, Table, machine, say

Benchmark = Callable[[Options], Table]
_CACHE = Path("~/.cache/caret-bench").expanduser()


def parser(about: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--quick", action="store_true", help="fewer and smaller rounds: does it work?")
    made.add_argument("--rounds", type=int, help="times that each side is measured (5; quick: 2)")
    made.add_argument("--seconds", type=float, help="length of a round of requests (5; quick: 1)")
    made.add_argument("--workers", type=int, default=2, help="of the gateway (2)")
    made.add_argument("--processes", type=int, default=1, help="of the load generator (1)")
    made.add_argument("--connections", type=int, default=16, help="of the load generator (16)")
    made.add_argument("--folder", type=Path, default=_CACHE, help=f"where stores are made and removed ({_CACHE})")
    made.add_argument("--markdown", action="store_true", help="print Markdown")
    made.add_argument("--update", type=Path, metavar="FILE", help="put the tables into a Markdown file's marked places")
    return made


def parse(arguments: argparse.ArgumentParser) -> argparse.Namespace:
    given = arguments.parse_args()
    if given.update and given.quick:
        arguments.error("--quick shows that the benchmarks work; its figures are not for a page")
    return given


def options_of(given: argparse.Namespace, folder: Path) -> Options:
    return Options(
        folder=folder,
        quick=given.quick,
        rounds=given.rounds or (2 if given.quick else 5),
        seconds=given.seconds or (1.0 if given.quick else 5.0),
        workers=given.workers,
        processes=given.processes,
        connections=given.connections,
    )


def carry_out(given: argparse.Namespace, benchmark: Benchmark) -> Table | None:
    """Runs one benchmark in a folder of its own, and prints its table; None where it cannot be made here."""
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=given.folder) as folder:
        try:
            table = benchmark(options_of(given, Path(folder)))
        except NotMeasured as exc:
            say(f"not measured: {exc}")
            return None
    print(table.markdown() if given.markdown else table.text(), flush=True)
    if given.update:
        _update(given.update, table.name, table.markdown())
    return table


def finish(given: argparse.Namespace) -> None:
    print(machine(given.folder))
    if given.update:
        _update(given.update, "machine", machine(given.folder) + "\n")


def main(benchmark: Benchmark) -> None:
    """One benchmark, run by itself."""
    given = parse(parser("One benchmark; run.py has them all."))
    carry_out(given, benchmark)
    finish(given)


def _update(file: Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- end name -->`."""
    page = file.read_text()
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not marked.search(page):
        raise SystemExit(f"{file} has no place marked {name}")
    file.write_text(marked.sub(lambda found: f"{found[1]}{text}{found[2]}", page))
