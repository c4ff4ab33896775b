"""What benchmarks have in common: rounds taken in turn, tables, and a description of the machine.

A figure is a median over rounds A-B-A-B…; a ratio is the median of the rounds' own ratios, so
that a machine that slows down for a while slows down both sides of it.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@dataclass(frozen=True)
class Options:
    """How much is measured, and where. `folder`: on the disk that is meant; emptied by whoever fills it."""

    folder: Path
    quick: bool = False
    rounds: int = 5
    seconds: float = 5.0
    workers: int = 2
    processes: int = 1
    connections: int = 16

    def pick(self, full: T, quick: T) -> T:
        return quick if self.quick else full


@dataclass
class Table:
    """One benchmark's outcome. `rows` hold text, ready to be read."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        widths = [max(len(cell) for cell in column) for column in zip(self.columns, *self.rows, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
                 for row in (self.columns, *self.rows)]  # fmt: skip
        return "\n".join([f"{self.name}: {self.title}", "", *lines, "", *self.notes])

    def markdown(self) -> str:
        rows = [self.columns, ["---"] * len(self.columns), *self.rows]
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"


class NotMeasured(Exception):
    """A benchmark that cannot be made here; the message says what is missing."""


def say(text: str) -> None:
    """Progress, on standard error: standard output holds the tables."""
    print(text, file=sys.stderr, flush=True)


def in_turn(rounds: int, contenders: Mapping[K, Callable[[], T]]) -> dict[K, list[T]]:
    """Each contender once per round, in order: A-B-A-B…"""
    results: dict[K, list[T]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, measure in contenders.items():
            results[name].append(measure())
        say(f"  round {number + 1} of {rounds}")
    return results


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def verdict(value: float, *, least: float | None = None, most: float | None = None) -> str:
    """A goal, and whether it is met."""
    bound, sign = (least, "≥") if least is not None else (most, "≤")
    assert bound is not None
    met = value >= bound if least is not None else value <= bound
    return f"{sign} {bound:,g}: {'met' if met else 'missed'}"


def machine(folder: Path) -> str:
    """Processor, memory, kernel, file system and Python; no name and no path."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    facts = [
        f"{os.cpu_count()} processors, {cpu[1] if cpu else platform.machine()}",
        f"{int(memory[1]) / MIB:.0f} GiB of memory" if memory else "",
        f"Linux {platform.release().split('-')[0]}",
        f"{file_system(folder)} file system",
        f"{platform.python_implementation()} {platform.python_version()}",
    ]
    return ", ".join(fact for fact in facts if fact)


def file_system(folder: Path) -> str:
    """The type of the file system that holds a folder."""
    mounts = [line.split()[1:3] for line in _read("/proc/self/mounts").splitlines()]
    holding = [(point, kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def need_space(folder: Path, size: int) -> None:
    """Raises NotMeasured where the disk has no room for a run and a tenth of itself besides."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize - disk.f_blocks * disk.f_frsize // 20
    if free < size:
        raise NotMeasured(f"needs {size / GIB:.0f} GiB of disk; {max(free, 0) / GIB:.0f} GiB can be spared")


def _read(path: str) -> str:
    return Path(path).read_text()
