"""Small requests: 4 KiB PUT, GET, HEAD and listings of 1,000 keys, beside peers in the same run.

Peers are measured where they are found, on PATH or in ~/.cache/caret-bench/bin, for instance from

    GOBIN=~/.cache/caret-bench/bin go install github.com/minio/minio@latest
    GOBIN=~/.cache/caret-bench/bin go install github.com/versity/versitygw/cmd/versitygw@latest

Two more are always there: aiohttp answering 4 KiB without doing anything, which no gateway on it can pass,
and 16 threads that write a file and fsync it per object, which is what a PUT costs without group commit.

The gateway's processor time per request is printed too: unlike a rate it hardly depends on what else the machine does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from cli import main
from generator import Generator, Plan, Sample
from report import KIB, Options, Table, in_turn, ratio, say, verdict
from s3client import Connection, Content, Target
from servers import PEER_STARTS, caret, cpu_seconds, find, trivial

NAME = "load"
GOALS = {"put": 2000, "get": 5000, "head": 6000, "list": 150}
_LABELS = {"put": "PUT 4 KiB", "get": "GET 4 KiB", "head": "HEAD", "list": "LIST 1,000"}
_BUCKET, _KEYS = "benchmark", 1000
_MOST_PUTS_PER_S = 8000
_new_key = itertools.count()


def run(options: Options) -> Table:
    table = Table(
        NAME,
        f"requests per second, {options.connections} connections, SigV4, {options.workers} workers, client on the same "
        "machine",
        ["operation", "Caret /s", "p50 ms", "p99 ms", "CPU ms", "goal", "beside", "its /s", "Caret ÷ it"],
    )
    with contextlib.ExitStack() as stack:
        ours, pid = stack.enter_context(caret(options.folder / "caret", options.workers))
        started = [start(options.folder / name) for name, start in PEER_STARTS.items() if find(name)]
        peers = [stack.enter_context(peer) for peer in started]
        nothing = stack.enter_context(trivial(options.folder))
        generator = stack.enter_context(Generator(options.processes))
        for target in (ours, *peers):
            say(f"filling {target.name}")
            fill(generator, target)
        for operation in GOALS:
            say(_LABELS[operation])
            _measure(table, options, generator, operation, (ours, pid), peers, nothing)
    table.notes.append(
        "Each server with its defaults. Caret's PUT and the files are synced before they are answered; of the others "
        "that is not known."
    )
    table.notes.append("CPU ms: processor time of all the gateway's processes per request.")
    return table


def fill(generator: Generator, target: Target) -> None:
    """The bucket, with the keys that are read."""
    with Connection(target) as connection:
        connection.call("PUT", f"/{_BUCKET}")
    generator.run(Plan(target, "put", _BUCKET, "read/", _KEYS, seconds=60))


def _measure(
    table: Table,
    options: Options,
    generator: Generator,
    operation: str,
    gateway: tuple[Target, int],
    peers: Sequence[Target],
    nothing: Target,
) -> None:
    ours, pid = gateway
    cpu_ms: list[float] = []

    def own_sample() -> Sample:
        before = cpu_seconds(pid)
        sample = _sample(generator, options, operation, ours)
        cpu_ms.append((cpu_seconds(pid) - before) / len(sample.waits) * 1000)
        return sample

    contenders: dict[str, Callable[[], Sample]] = {ours.name: own_sample}
    for peer in peers:
        contenders[peer.name] = partial(_sample, generator, options, operation, peer)
    if operation == "put":
        contenders["file + fsync"] = partial(_files, options)
    elif operation == "get":
        contenders["aiohttp, idle"] = partial(_sample, generator, options, operation, nothing)
    samples = in_turn(options.rounds, contenders)
    rates = {name: [sample.rate for sample in found] for name, found in samples.items()}
    own = rates.pop(ours.name)
    first = [
        *(_LABELS[operation], f"{median(own):,.0f}"),
        *(f"{median(sample.wait_ms(percent) for sample in samples[ours.name]):.2f}" for percent in (50, 99)),
        *(f"{median(cpu_ms):.2f}", verdict(median(own), least=GOALS[operation])),
    ]
    for name, theirs in rates.items():
        table.rows.append([*first, name, f"{median(theirs):,.0f}", f"{ratio(own, theirs):.2f}"])
        first = [""] * len(first)
    if not rates:
        table.rows.append([*first, "", "", ""])


def _sample(generator: Generator, options: Options, operation: str, target: Target) -> Sample:
    plan = Plan(target, operation, _BUCKET, "read/", _KEYS, seconds=options.seconds, connections=options.connections)
    if operation == "put":
        count = int(_MOST_PUTS_PER_S * options.seconds)
        plan = replace(plan, prefix="write/", count=count, first=next(_new_key) * count)
    return generator.run(plan)


def _files(options: Options) -> Sample:
    """One file and one fsync per 4 KiB, from as many threads as there are connections."""
    content = Content(4 * KIB)
    folder = options.folder / "files"
    folder.mkdir(exist_ok=True)
    numbers = itertools.count()
    end = time.perf_counter() + options.seconds

    def write() -> Sample:
        sample = Sample()
        while (began := time.perf_counter()) < end:
            name = str(next(numbers))
            _write_synced(folder / name, content.body(name))
            sample.add(began)
        return sample

    with ThreadPoolExecutor(options.connections) as threads:
        samples = [future.result() for future in [threads.submit(write) for _ in range(options.connections)]]
    return Sample.merge(samples)


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


if __name__ == "__main__":
    main(run)
