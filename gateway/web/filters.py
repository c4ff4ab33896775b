"""How templates show sizes, times and ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SHORT_ID = 10


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


def short(commit_id: str) -> str:
    return commit_id[:_SHORT_ID]


FILTERS: Mapping[str, Callable[[Any], str]] = {"size": size, "moment": moment, "short": short}
