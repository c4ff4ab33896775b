"""What it costs a small GET to decide whether the caller may: somebody with the right export, and root.

Two gateways serve the same store and take turns. In one of them nothing is decided (see unauthorised.py); signatures
are verified in both. The goal is held against processor time per request, of all the gateway's processes: it hardly
depends on what else the machine does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from cli import main
from generator import Generator, Plan
from load import fill
from report import Options, Table, in_turn, ratio, verdict
from s3client import Target
from servers import REPOSITORY, caret, cpu_seconds

from gateway.client import Client, Credentials, Reach

NAME = "access"
COSTS_PERCENT_AT_MOST = 5.0
_BUCKET, _KEYS = "benchmark", 1000
_PROJECT, _USER = "default", "ann"
_UNAUTHORISED = str(REPOSITORY / "benchmarks" / "unauthorised.py")
_KNOWN_AFTER_S = 2.0  # every worker has heard of a new key by then


@dataclass(frozen=True)
class _Sample:
    rate: float
    cpu_ms: float


def run(options: Options) -> Table:
    table = Table(NAME, f"GET 4 KiB, {options.connections} connections, {options.workers} workers",
                  ["who reads", "decided /s", "CPU ms", "undecided /s", "CPU ms", "costs % CPU", "goal"])  # fmt: skip
    data = options.folder / "caret"
    with contextlib.ExitStack() as stack:
        deciding, pid = stack.enter_context(caret(data, options.workers))
        trusting, other = stack.enter_context(caret(data, options.workers, "Caret, trusting", [_UNAUTHORISED]))
        generator = stack.enter_context(Generator(options.processes))
        fill(generator, deciding)
        keys = {"the right export": _exporter(deciding), "root": Credentials(deciding.access_key, deciding.secret_key)}
        time.sleep(_KNOWN_AFTER_S)
        contenders = {
            (label, is_decided): partial(_measure, options, generator, _with(target, credentials), process)
            for label, credentials in keys.items()
            for is_decided, target, process in ((True, deciding, pid), (False, trusting, other))
        }
        for measure in contenders.values():
            measure()  # once without counting: caches fill
        found = in_turn(options.rounds, contenders)
    for label in keys:
        decided, undecided = found[label, True], found[label, False]
        costs = 100 * (ratio([s.cpu_ms for s in decided], [s.cpu_ms for s in undecided]) - 1)
        table.rows.append(
            [
                label,
                *_figures(decided),
                *_figures(undecided),
                f"{costs:.1f}",
                verdict(costs, most=COSTS_PERCENT_AT_MOST),
            ]
        )
    return table


def _exporter(target: Target) -> Credentials:
    """A new key of somebody who may read what others have written, and nothing else."""
    with Client(
        Reach(f"http://{target.host}:{target.port}", Credentials(target.access_key, target.secret_key))
    ) as root:
        root.create_user(_USER)
        root.grant(_PROJECT, _USER, "export")
        made = root.create_key(_PROJECT, _USER)
    return Credentials(made.access_key, made.secret)


def _with(target: Target, credentials: Credentials) -> Target:
    return replace(target, access_key=credentials.access_key, secret_key=credentials.secret)


def _measure(options: Options, generator: Generator, target: Target, process: int) -> _Sample:
    plan = Plan(target, "get", _BUCKET, "read/", _KEYS, seconds=options.seconds, connections=options.connections)
    before = cpu_seconds(process)
    sample = generator.run(plan)
    return _Sample(sample.rate, (cpu_seconds(process) - before) / len(sample.waits) * 1000)


def _figures(samples: Sequence[_Sample]) -> list[str]:
    return [f"{median(s.rate for s in samples):,.0f}", f"{median(s.cpu_ms for s in samples):.3f}"]


if __name__ == "__main__":
    main(run)
