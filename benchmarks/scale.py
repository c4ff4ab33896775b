"""What a long history costs: a store of 100,000 commits and keys beside an empty one; forks and old revisions of it.

Through HTTP two gateways take turns, each on its own store. The library is measured by one thread in
this process. The large store is written with the library, each key by a commit of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from cli import main
from generator import Generator, Plan
from report import KIB, Options, Table, in_turn, ratio, say, verdict
from s3client import Content, Target
from servers import caret

from pfs import Branch, Committed, Put, Store, StoreConfig, inline, open_store

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
        get, put = partial(_gets, generator, options), partial(_puts, generator, options)
        say("HTTP GET")
        rates = in_turn(options.rounds, {"large": partial(get, large_one, many), "few": partial(get, small_one, _FEW)})
        _compare(table, "HTTP GET at HEAD, /s", rates["large"], rates["few"])
        say("HTTP PUT")
        rates = in_turn(options.rounds, {"large": partial(put, large_one), "few": partial(put, small_one)})
        _compare(table, "HTTP PUT at HEAD, /s", rates["large"], rates["few"])
        say("HTTP revisions")
        rates = in_turn(options.rounds, {rev: partial(get, large_one, many // 2, rev) for rev in (back, "HEAD")})
        _versus_head(table, f"HTTP GET at {back}, /s", rates[back], rates["HEAD"])


def _gets(generator: Generator, options: Options, target: Target, keys: int, rev: str | None = None) -> float:
    query = "" if rev is None else f"versionId={rev}"
    plan = Plan(target, "get", _BUCKET, _PREFIX, keys, query=query)
    return generator.run(replace(plan, seconds=options.seconds, connections=options.connections)).rate


def _puts(generator: Generator, options: Options, target: Target) -> float:
    count = int(_MOST_PUTS_PER_S * options.seconds)
    plan = Plan(target, "put", _BUCKET, "new/", count, next(_new_key) * count)
    return generator.run(replace(plan, seconds=options.seconds, connections=options.connections)).rate


# ---------------------------------------------------------------- through the library


def _through_library(table: Table, options: Options, few: Path, large: Path, many: int, back: str) -> None:
    count = options.pick(5000, 500)
    with _opened(few) as small_one, _opened(large) as large_one:
        say("library reads")
        _reads(*large_one, many, 2 * many)  # as in a process that has served for a while, its pages are mapped
        rates = in_turn(
            options.rounds,
            {"large": partial(_reads, *large_one, many, count), "few": partial(_reads, *small_one, _FEW, count)},
        )
        _compare(table, "library read at HEAD, /s", rates["large"], rates["few"])
        say("library commits")
        rates = in_turn(
            options.rounds, {"large": partial(_commits, *large_one, count), "few": partial(_commits, *small_one, count)}
        )
        _compare(table, f"library commit, {_UNDER_WAY} under way, /s", rates["large"], rates["few"])
        say("library revisions")
        rates = in_turn(
            options.rounds, {rev: partial(_reads, *large_one, many // 2, count, rev) for rev in (back, "HEAD")}
        )
        _versus_head(table, f"library read at {back}, /s", rates[back], rates["HEAD"])
        say("forks")
        times = in_turn(
            options.pick(25, 5), {"large": partial(_fork_ms, *large_one), "few": partial(_fork_ms, *small_one)}
        )
    took, took_few = median(times["large"]), median(times["few"])
    goal = verdict(took, most=FORK_MS_AT_MOST) + " (ms)"
    label = "fork of a branch and a first read of it, ms"
    table.rows.append([label, f"{took:.2f}", f"{took_few:.2f}", f"{took / took_few:.2f}", goal])


def _reads(store: Store, branch: Branch, keys: int, count: int, rev: str | None = None) -> float:
    """Reads per second of random keys, each with its view found anew."""
    chosen = [f"{_PREFIX}{number:08}" for number in random.Random(keys).choices(range(keys), k=count)]
    began = time.perf_counter()
    for key in chosen:
        store.read(store.head(branch) if rev is None else store.at(branch, rev), key)
    return count / (time.perf_counter() - began)


def _commits(store: Store, branch: Branch, count: int) -> float:
    first = 10_000_000 + next(_new_key) * count
    return count / _write(store, branch, range(first, first + count))


def _fork_ms(store: Store, branch: Branch) -> float:
    name = f"fork-{next(_new_key)}"
    began = time.perf_counter()
    fork = store.fork_branch(branch, "HEAD", name, label=f"{name}.{_BUCKET}").result()
    store.read(store.head(fork), f"{_PREFIX}{_FEW // 2:08}")
    return (time.perf_counter() - began) * 1000


# ---------------------------------------------------------------- rows


def _compare(table: Table, label: str, large: list[float], few: list[float]) -> None:
    _row(table, label, large, few, f"{median(few):,.0f}", SLOWER_AT_MOST)


def _versus_head(table: Table, label: str, old: list[float], new: list[float]) -> None:
    _row(table, label, old, new, f"HEAD: {median(new):,.0f}", OLD_SLOWER_AT_MOST)


def _row(table: Table, label: str, ours: list[float], other: list[float], shown: str, most: float) -> None:
    slower = ratio(other, ours)
    table.rows.append([label, f"{median(ours):,.0f}", shown, f"{slower:.2f}", verdict(slower, most=most)])


if __name__ == "__main__":
    main(run)
