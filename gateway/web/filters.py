"""How templates show sizes, times and ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SHORT_ID = 10
_SIGNS = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys(
        (*range(0x80, 0xA0), *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"
    ),
}


def size(count: float) -> str:
    """`4.0 KiB`: three digits or so."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} B" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def moment(time: datetime) -> str:
    """To the second, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def visible(text: str) -> str:
    """What a screen would not show, or show as something else, in signs that stand for it: control characters, and
    those that turn the direction of writing."""
    return text.translate(_SIGNS)


def short(commit_id: str) -> str:
    return commit_id[:_SHORT_ID]


FILTERS: Mapping[str, Callable[[Any], str]] = {
    "size": size,
    "moment": moment,
    "short": short,
    "visible": visible,
}
