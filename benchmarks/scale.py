"""What a long history costs: a store of 100,000 commits and keys beside an empty one; forks and old revisions of it.

Through HTTP two gateways take turns, each on its own store. The library is measured by one thread in
this process. The large store is written with the library, each key by a commit of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from statistics import median

from cli import main
from generator import Generator, Plan, Sample
from pfs import Branch, Committed, Put, Store, StoreConfig, inline, open_store
from report import KIB, Options, Table, in_turn, ratio, say, verdict
from s3client import Content, Target
from servers import caret

NAME = "scale"
SLOWER_AT_MOST, OLD_SLOWER_AT_MOST, FORK_MS_AT_MOST = 1.2, 2.0, 10.0
_BUCKET, _PREFIX = "benchmark", "key/"
_FEW = 100
_UNDER_WAY = 256
_MOST_PUTS_PER_S = 8000
_content = Content(4 * KIB)
_new_key = itertools.count(1)


def run(options: Options) -> Table:
    many = options.pick(100_000, 5_000)
    back = f"HEAD~{many // 2}"
    table = Table(NAME, f"a store of {many:,} commits and keys of 4 KiB, beside one of {_FEW}",
                  ["operation", f"at {many:,}", f"at {_FEW}", "slower by a factor of", "goal"])  # fmt: skip
    few, large = options.folder / "few", options.folder / "large"
    for folder, keys in ((few, _FEW), (large, many)):
        say(f"writing {keys:,} commits")
        with _opened(folder) as (store, branch):
            took = _write(store, branch, range(keys))
    table.notes.append(f"The large store was written in {took:.0f} s, {many / took:,.0f} commits/s.")
    _through_http(table, options, few, large, many, back)
    _through_library(table, options, few, large, many, back)
    return table


# ---------------------------------------------------------------- stores


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[tuple[Store, Branch]]:
    """A store with the branch that plain `benchmark` names over S3."""
    store = open_store(StoreConfig(folder))
    try:
        known = store.branches("default")
        made = known[0] if known else store.create_branch("default", _BUCKET, None, label=_BUCKET, author="x").result()
        yield store, made
    finally:
        store.close()


def _write(store: Store, branch: Branch, numbers: Iterable[int]) -> float:
    """A commit per key, some of them under way at a time, as from concurrent clients; the seconds it took."""
    began = time.perf_counter()
    waiting: list[Future[Committed]] = []
    for number in numbers:
        key = f"{_PREFIX}{number:08}"
        waiting.append(store.commit(branch, [Put(key, inline(_content.body(key)))], author="x"))
        if len(waiting) == _UNDER_WAY:
            _await(waiting)
    _await(waiting)
    return time.perf_counter() - began


def _await(waiting: list[Future[Committed]]) -> None:
    for future in waiting:
        future.result()
    waiting.clear()


# ---------------------------------------------------------------- through HTTP


def _through_http(table: Table, options: Options, few: Path, large: Path, many: int, back: str) -> None:
    with contextlib.ExitStack() as stack:
        small_one, _ = stack.enter_context(caret(few, options.workers))
        large_one, _ = stack.enter_context(caret(large, options.workers))
        generator = stack.enter_context(Generator(options.processes))
        measure = partial(_sample, generator, options)
        for operation in ("get", "put"):
            say(f"HTTP {operation}")
            samples = in_turn(options.rounds, {"large": lambda op=operation: measure(large_one, op, many),
                                               "few": lambda op=operation: measure(small_one, op, _FEW)})  # fmt: skip
            rates = {name: [sample.rate for sample in found] for name, found in samples.items()}
            _compare(table, f"HTTP {operation.upper()} at HEAD, /s", rates["large"], rates["few"], SLOWER_AT_MOST)
        say("HTTP revisions")
        samples = in_turn(options.rounds, {rev: lambda rev=rev: measure(large_one, "get", many // 2, f"versionId={rev}")
                                           for rev in (back, "HEAD")})  # fmt: skip
        old, new = ([sample.rate for sample in samples[rev]] for rev in (back, "HEAD"))
        _versus_head(table, f"HTTP GET at {back}, /s", old, new)


def _sample(
    generator: Generator, options: Options, target: Target, operation: str, count: int, query: str = ""
) -> Sample:
    plan = Plan(
        target, operation, _BUCKET, _PREFIX, count, query=query, seconds=options.seconds, connections=options.connections
    )
    if operation == "put":
        count = int(_MOST_PUTS_PER_S * options.seconds)
        plan = Plan(
            target, "put", _BUCKET, "new/", count, next(_new_key) * count,
            seconds=options.seconds, connections=options.connections,
        )  # fmt: skip
    return generator.run(plan)


# ---------------------------------------------------------------- through the library


def _through_library(table: Table, options: Options, few: Path, large: Path, many: int, back: str) -> None:
    say("library")
    with _opened(few) as (small_store, small_branch), _opened(large) as (store, branch):
        reads = options.pick(5000, 500)
        samples = in_turn(options.rounds, {"large": lambda: _reads(store, branch, many, reads),
                                           "few": lambda: _reads(small_store, small_branch, _FEW, reads)})  # fmt: skip
        _compare(table, "library read at HEAD, /s", samples["large"], samples["few"], SLOWER_AT_MOST)
        writes = options.pick(5000, 500)
        samples = in_turn(options.rounds, {"large": lambda: _writes(store, branch, writes),
                                           "few": lambda: _writes(small_store, small_branch, writes)})  # fmt: skip
        _compare(table, f"library commit, {_UNDER_WAY} under way, /s", samples["large"], samples["few"], SLOWER_AT_MOST)
        samples = in_turn(options.rounds, {rev: lambda rev=rev: _reads(store, branch, many // 2, reads, rev)
                                           for rev in (back, "HEAD")})  # fmt: skip
        _versus_head(table, f"library read at {back}, /s", samples[back], samples["HEAD"])
        _forks(table, options, store, branch, small_store, small_branch)


def _reads(store: Store, branch: Branch, keys: int, count: int, rev: str | None = None) -> float:
    """Reads per second of random keys, each with its view found anew."""
    chosen = [f"{_PREFIX}{number:08}" for number in random.Random(keys).choices(range(keys), k=count)]
    began = time.perf_counter()
    for key in chosen:
        store.read(store.head(branch) if rev is None else store.at(branch, rev), key)
    return count / (time.perf_counter() - began)


def _writes(store: Store, branch: Branch, count: int) -> float:
    first = 10_000_000 + next(_new_key) * count
    return count / _write(store, branch, range(first, first + count))


def _forks(
    table: Table, options: Options, store: Store, branch: Branch, small_store: Store, small_branch: Branch
) -> None:
    say("forks")
    samples = in_turn(options.pick(25, 5), {"large": lambda: _fork_ms(store, branch),
                                            "few": lambda: _fork_ms(small_store, small_branch)})  # fmt: skip
    ours, theirs = median(samples["large"]), median(samples["few"])
    table.rows.append(["fork of a branch, ms", f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}",
                       verdict(ours, most=FORK_MS_AT_MOST) + " (ms)"])  # fmt: skip


def _fork_ms(store: Store, branch: Branch) -> float:
    name = f"fork-{next(_new_key)}"
    began = time.perf_counter()
    fork = store.fork_branch(branch, "HEAD", name, label=f"{name}.{_BUCKET}").result()
    store.read(store.head(fork), f"{_PREFIX}{_FEW // 2:08}")
    return (time.perf_counter() - began) * 1000


# ---------------------------------------------------------------- rows


def _compare(table: Table, label: str, large: list[float], few: list[float], most: float) -> None:
    slower = ratio(few, large)
    table.rows.append([label, f"{median(large):,.0f}", f"{median(few):,.0f}", f"{slower:.2f}", verdict(slower, most=most)])


def _versus_head(table: Table, label: str, old: list[float], new: list[float]) -> None:
    slower = ratio(new, old)
    table.rows.append([label, f"{median(old):,.0f}", f"HEAD: {median(new):,.0f}", f"{slower:.2f}",
                       verdict(slower, most=OLD_SLOWER_AT_MOST)])  # fmt: skip


if __name__ == "__main__":
    main(run)
