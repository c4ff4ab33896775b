"""What a page shows of a content: an image, a table, text, or its first bytes. Pure: bytes in, a value out.

The bytes decide what they are, never the type that whoever wrote them claims; only whether text is a table goes by the
name and the type. Nothing fails here: what is no table is text, and what is no text is shown as bytes.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import msgspec

from gateway.web.filters import visible

READ_BYTES = 256 * 1024
"""How much of a content is looked at."""
_ROWS, _COLUMNS, _CELL = 200, 50, 300
_HEX_BYTES, _HEX_ROW = 512, 16

Kind = Literal["image", "table", "text", "bytes"]


@dataclass(frozen=True, slots=True)
class Image:
    content_type: str
    kind = "image"


@dataclass(frozen=True, slots=True)
class Table:
    """`more_columns` counts those that are not shown; `is_cut`: there are more rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    more_columns: int
    is_cut: bool
    kind = "table"


@dataclass(frozen=True, slots=True)
class Text:
    lines: Sequence[str]
    charset: str
    is_cut: bool
    kind = "text"


@dataclass(frozen=True, slots=True)
class Bytes:
    """Rows of an offset, bytes in hex, and those that are ASCII."""

    rows: Sequence[tuple[str, str, str]]
    what: str
    is_cut: bool
    kind = "bytes"


Preview = Image | Table | Text | Bytes


def preview(head: bytes, size: int, key: str, content_type: str = "", wanted: Kind | None = None) -> Preview:
    """`head`: the content's first READ_BYTES, of `size` in all. `wanted` where it can be had."""
    is_cut = size > len(head)
    if wanted in (None, "image") and (image := image_type(head)) is not None:
        return Image(image)
    charset = charset_of(head, is_cut=is_cut)
    if wanted == "bytes" or (charset is None and wanted != "text"):
        return _bytes(head, size)
    text = _decode(head, charset or "cp1252", is_cut=is_cut)
    table = _table(text, key, content_type, is_cut=is_cut) if wanted != "text" else None
    return table or Text(_lines(text), charset or "cp1252", is_cut)


def kinds(head: bytes, key: str, content_type: str = "") -> Sequence[Kind]:
    """What may be wanted of it."""
    found: list[Kind] = ["text", "bytes"]
    if image_type(head) is not None:
        found.insert(0, "image")
    if _table_kind(key, content_type) is not None:
        found.insert(0, "table")
    return found


# ---------------------------------------------------------------- what it is

_IMAGES: Sequence[tuple[re.Pattern[bytes], str]] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb".{4}ftypavi[fs]", re.DOTALL), "image/avif"),
)
_OTHERS: Sequence[tuple[bytes, str]] = (
    (b"PAR1", "Parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a ZIP archive, or a document that is one"),
    (b"%PDF-", "PDF"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
)
_MARKS: Sequence[tuple[bytes, str]] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")  # all but \t \n \f \r and escape
_MOST_CONTROL = 0.02


def image_type(head: bytes) -> str | None:
    """The type of an image that browsers draw and cannot run: SVG is none."""
    return next((kind for pattern, kind in _IMAGES if pattern.match(head)), None)


def charset_of(head: bytes, *, is_cut: bool) -> str | None:
    """The likeliest one of a text; None for what looks like no text."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if head.startswith(b"%PDF-"):
        return None
    if b"\0" in head:
        return _wide(head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=not is_cut)
    except UnicodeDecodeError:
        return "cp1252" if len(_CONTROL.findall(head)) <= _MOST_CONTROL * len(head) else None
    return "utf-8"


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: in mostly Western text every other byte is zero, and only those."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd * 4 > len(head) and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even * 4 > len(head) and odd == 0 else None


def _decode(head: bytes, charset: str, *, is_cut: bool) -> str:
    """A character that the cut goes through is left out; what is none is marked."""
    return codecs.getincrementaldecoder(charset)("replace").decode(head, final=not is_cut)


# ---------------------------------------------------------------- text and bytes


def _lines(text: str) -> Sequence[str]:
    lines = re.split(r"\r\n|\n|\r", text)
    if lines[-1] == "" and len(lines) > 1:
        lines.pop()
    return ["\t".join(visible(part) for part in line.split("\t")) for line in lines]


def _bytes(head: bytes, size: int) -> Bytes:
    shown = head[:_HEX_BYTES]
    rows = [
        (f"{at:08x}", shown[at : at + _HEX_ROW].hex(" "), _ascii(shown[at : at + _HEX_ROW]))
        for at in range(0, len(shown), _HEX_ROW)
    ]
    what = next((what for start, what in _OTHERS if head.startswith(start)), "")
    return Bytes(rows, what, is_cut=size > len(shown))


def _ascii(row: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in row)


# ---------------------------------------------------------------- tables

_TYPES: Mapping[str, str] = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/x-jsonlines": "jsonl",
}
_ENDINGS: Mapping[str, str] = {"csv": "csv", "tsv": "tsv", "tab": "tsv", "jsonl": "jsonl", "ndjson": "jsonl"}
_SEPARATORS = ",;\t|"


def _table(text: str, key: str, content_type: str, *, is_cut: bool) -> Table | None:
    kind = _table_kind(key, content_type)
    whole = text[: text.rfind("\n") + 1] if is_cut else text  # the last row may be cut through
    match kind:
        case "jsonl":
            rows = _records(whole)
        case None:
            return None
        case _:
            rows = _separated(whole, "\t" if kind == "tsv" else _separator(whole))
    if not rows:
        return None
    width = max(map(len, rows))
    if width == 0:
        return None
    head, *rest = ([*row, *[""] * (width - len(row))][:_COLUMNS] for row in rows)
    return Table(
        [_cell(name) for name in head],
        [[_cell(value) for value in row] for row in rest[:_ROWS]],
        more_columns=max(0, width - _COLUMNS),
        is_cut=is_cut or len(rest) > _ROWS,
    )


def _table_kind(key: str, content_type: str) -> str | None:
    ending = key.rpartition("/")[2].rpartition(".")[2].lower()
    return _ENDINGS.get(ending) or _TYPES.get(content_type.partition(";")[0].strip().lower())


def _separator(text: str) -> str:
    """The one that the first line has most of; a comma where it has none."""
    first = text.partition("\n")[0]
    return max(_SEPARATORS, key=first.count)


def _separated(text: str, separator: str) -> list[list[str]] | None:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return list(islice((row for row in reader if row), _ROWS + 2))
    except csv.Error:  # a field of 128 KiB: a quote that nothing closes
        return None


def _records(text: str) -> list[list[str]] | None:
    """Members' names, in the order in which they first occur, then a row per line; None where a line is no JSON."""
    lines = islice((line for line in text.splitlines() if line.strip()), _ROWS + 1)
    try:
        values = [msgspec.json.decode(line) for line in lines]
    except (msgspec.DecodeError, RecursionError):
        return None
    if not all(isinstance(value, dict) for value in values):
        return [["value"], *([_json(value)] for value in values)]
    names = list(dict.fromkeys(name for value in values for name in value))
    return [names, *_values(names, values)]


def _values(names: Sequence[str], values: Iterable[Mapping[str, object]]) -> Iterable[list[str]]:
    for value in values:
        yield [_json(value[name]) if name in value else "" for name in names[: _COLUMNS + 1]]


def _json(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _cell(text: str) -> str:
    return visible(text if len(text) <= _CELL else f"{text[:_CELL]}…")
