"""What commands print: tables for people, JSON for programs.

On a terminal lines are coloured and cut to its width. Elsewhere they are plain and whole, columns apart by two spaces
or more. Lists are printed as they come: widths fit the first rows, and later ones never wait for the end. Control
characters in names and messages are shown escaped, so that none of them reaches the terminal.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_FITTED_ROWS = 100
_GAP = "  "
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ID_DIGITS = 12


@dataclass(frozen=True)
class Column:
    """`style` is one of rich's."""

    title: str
    style: str = ""
    right: bool = False


ID = Column("commit", "yellow")
TIME = Column("time", "dim")
SIZE = Column("size", right=True)
KEY = Column("key")

# ---------------------------------------------------------------- values


def short(commit_id: str) -> str:
    """As much of an id as people need; every command takes it as a revision."""
    return commit_id[:_ID_DIGITS]


def local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def human(size_bytes: int) -> str:
    if abs(size_bytes) < 1024:
        return f"{size_bytes} B"
    value, unit = size_bytes / 1024, 0
    while abs(value) >= 1023.95 and unit + 1 < len(_UNITS):  # what would be shown as 1024.0
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}"


def subject(message: str) -> str:
    """A message's first line."""
    return message.partition("\n")[0]


def legible(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# ---------------------------------------------------------------- for people


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, err: bool = False, heads: bool = True) -> None:
    """A line per row, printed as they come; nothing at all where there are none."""
    legibles = (tuple(legible(cell) for cell in row) for row in rows)
    fitted = list(itertools.islice(legibles, _FITTED_ROWS if heads else 1))
    if not fitted:
        return
    titles = tuple(column.title.upper() for column in columns)
    lines = [titles, *fitted] if heads else fitted
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(columns))]
    printer = _Printer(err)
    if heads:
        printer.line(_cells(titles, columns, widths), ["bold"] * len(columns))
    for row in itertools.chain(fitted, legibles):
        printer.line(_cells(row, columns, widths), [column.style for column in columns])


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """One value a line, each behind its name."""
    known = [(name, legible(value)) for name, value in pairs]
    width = max(cell_len(name) for name, _ in known)
    printer = _Printer(err=False)
    for name, value in known:
        printer.line([f"{name:<{width}}", value], ["dim", ""])


def say(text: str = "", *, err: bool = False) -> None:
    """One line of free text, or several, printed whole."""
    for line in text.split("\n"):
        _write(sys.stderr if err else sys.stdout, legible(line))


def _cells(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    padded = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        blank = " " * (width - cell_len(cell))
        padded.append(blank + cell if column.right else cell + blank)
    return padded


class _Printer:
    def __init__(self, err: bool) -> None:
        self._file = sys.stderr if err else sys.stdout
        self._console = Console(file=self._file, highlight=False, markup=False, emoji=False)

    def line(self, cells: Sequence[str], styles: Sequence[str]) -> None:
        if not self._console.is_terminal:
            _write(self._file, _GAP.join(cells).rstrip())
            return
        text = Text(_GAP).join(Text(cell, style) for cell, style in zip(cells, styles, strict=True))
        text.rstrip()
        text.truncate(self._console.width, overflow="ellipsis")
        self._console.print(text, soft_wrap=True)


def _write(file: Any, line: str) -> None:
    encoding = getattr(file, "encoding", None) or "utf-8"
    file.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


# ---------------------------------------------------------------- for programs


def print_json(document: object) -> None:
    """A document of the REST API, as it is."""
    _write(sys.stdout, msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def print_json_line(document: object) -> None:
    """The document on one line, at once: for lists that do not end."""
    _write(sys.stdout, msgspec.json.encode(document).decode())
    sys.stdout.flush()


def print_json_list(name: str, items: Iterable[object], **others: object) -> None:
    """The document of a whole list, all pages in one: an item a line, each printed as it comes.

    `others` are printed behind the items, and so may be filled while these are read.
    """
    _write(sys.stdout, f'{{"{name}":[')
    separator = ""
    for item in items:
        sys.stdout.write(separator)
        _write(sys.stdout, msgspec.json.encode(item).decode())
        separator = ","
    rest = msgspec.json.encode({**others, "next": None}).decode()
    _write(sys.stdout, f"],{rest[1:]}")
