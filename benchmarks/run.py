"""All benchmarks, or those named: `run.py --only load --quick`. Each prints ratios of medians over A-B-A-B rounds."""

from __future__ import annotations

from collections.abc import Mapping

import access
import history
import large
import load
import memory
import scale
import sync
from cli import Benchmark, carry_out, finish, parse, parser
from report import say

BENCHMARKS: Mapping[str, Benchmark] = {
    module.NAME: module.run for module in (load, large, memory, scale, history, sync, access)
}


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--only", action="append", choices=BENCHMARKS, help="a benchmark; may be given again")
    given = parse(arguments)
    for name in given.only or BENCHMARKS:
        say(f"== {name}")
        carry_out(given, BENCHMARKS[name])
    finish(given)


if __name__ == "__main__":
    main()
