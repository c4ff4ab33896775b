"""What diff, merge and branching cost in a large tree: 100 changes among 1,000,000 keys beside 10,000.

The library is measured by one thread in this process; the two stores take turns. Every round changes 100 random keys
on a fork, and merges them into the branch, which has gone on by a commit of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from cli import main
from report import Options, Table, in_turn, ratio, say, verdict

from pfs import Branch, Put, Store, StoreConfig, inline, open_store

T = TypeVar("T")

NAME = "history"
SLOWER_AT_MOST, BRANCH_MS_AT_MOST = 1.5, 10.0
_CHANGES = 100
_PER_COMMIT = 10_000
_FORKS_AT_A_TIME = 10
_number = itertools.count(1)


def run(options: Options) -> Table:
    many, few = options.pick(1_000_000, 200_000), 10_000
    table = Table(NAME, f"{_CHANGES} changes among {many:,} keys, beside {few:,}",
                  ["operation", f"at {many:,}", f"at {few:,}", "slower by a factor of", "goal"])  # fmt: skip
    with contextlib.ExitStack() as stack:
        large = stack.enter_context(_written(options.folder / "large", many))
        small = stack.enter_context(_written(options.folder / "small", few))
        rounds = options.pick(25, 5)
        for label, measure in (("diff", _diff_ms), ("merge", _merge_ms)):
            sides = partial(measure, large, many), partial(measure, small, few)
            _compare(table, f"{label} of {_CHANGES} changes, ms", rounds, *sides)
        say("branches")
        times = in_turn(rounds, {"large": partial(_branch_ms, large), "small": partial(_branch_ms, small)})
    took, beside = median(times["large"]), median(times["small"])
    goal = verdict(took, most=BRANCH_MS_AT_MOST) + " (ms)"
    table.rows.append(["creation of a branch, ms", f"{took:.2f}", f"{beside:.2f}", f"{took / beside:.2f}", goal])
    return table


@contextlib.contextmanager
def _written(folder: Path, keys: int) -> Iterator[tuple[Store, Branch]]:
    say(f"writing {keys:,} keys")
    store = open_store(StoreConfig(folder))
    try:
        branch = store.create_branch("default", "benchmark", None, label="benchmark", author="x").result()
        for first in range(0, keys, _PER_COMMIT):
            names = range(first, min(keys, first + _PER_COMMIT))
            store.commit(branch, [Put(_key(name), inline(b"v")) for name in names], author="x").result()
        yield store, branch
    finally:
        store.close()


def _key(number: int) -> str:
    return f"key/{number:08}"


def _changed(store: Store, branch: Branch, keys: int) -> Branch:
    """A fork with random keys changed, each by a commit of its own; the branch goes on as well."""
    seed = next(_number)
    name = f"b{seed}"
    fork = store.fork_branch(branch, "HEAD", name, label=name).result()
    chosen = random.Random(seed).sample(range(keys), _CHANGES)
    waiting = [store.commit(fork, [Put(_key(n), inline(b"%d" % seed))], author="x") for n in chosen]
    waiting.append(store.commit(branch, [Put(f"own/{seed}", inline(b""))], author="x"))
    for future in waiting:
        future.result()
    return fork


def _diff_ms(opened: tuple[Store, Branch], keys: int) -> float:
    store, branch = opened
    fork = _changed(store, branch, keys)
    took, page = _timed(lambda: store.diff(branch, "HEAD", fork.name))
    assert len(page.changes) == _CHANGES + 1
    return took


def _merge_ms(opened: tuple[Store, Branch], keys: int) -> float:
    store, branch = opened
    fork = _changed(store, branch, keys)
    took, merged = _timed(lambda: store.merge(branch, fork.name, author="x").result())
    assert len(merged.merge.changes) == _CHANGES
    return took


def _branch_ms(opened: tuple[Store, Branch]) -> float:
    """The mean of some, one after the other."""
    store, branch = opened
    names = [f"b{next(_number)}" for _ in range(_FORKS_AT_A_TIME)]
    took, _ = _timed(lambda: [store.fork_branch(branch, "HEAD", name, label=name).result() for name in names])
    return took / len(names)


def _timed(act: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = act()
    return (time.perf_counter() - began) * 1000, result


def _compare(table: Table, label: str, rounds: int, large: Callable[[], float], small: Callable[[], float]) -> None:
    say(label)
    times = in_turn(rounds, {"large": large, "small": small})
    slower = ratio(times["large"], times["small"])
    row = [label, f"{median(times['large']):.2f}", f"{median(times['small']):.2f}", f"{slower:.2f}"]
    table.rows.append([*row, verdict(slower, most=SLOWER_AT_MOST)])


if __name__ == "__main__":
    main(run)
