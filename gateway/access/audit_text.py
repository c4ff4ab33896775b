"""The audit log as people read it: on the terminal, in the console, in files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.access.chain import Entry, Verified

_HASH = re.compile(r"[0-9a-fA-F]{64}")


def document(entry: Entry) -> Mapping[str, Any]:
    """A record with its place, time and hash."""
    return {"seq": entry.seq, "time": format_time(entry.time_us), **json.loads(entry.record), "hash": entry.hash.hex()}


def thing(record: Mapping[str, Any]) -> str:
    """What a record is about, in a word or two; "" where it is about nothing further."""
    place = "/".join(filter(None, (record.get("bucket"), record.get("key"))))
    about = " ".join(f"{name}={value}" for name, value in record.get("about", {}).items())
    size = f"{record['bytes']} bytes" if "bytes" in record else ""
    return " ".join(filter(None, (place, about, size)))


def told(found: Verified) -> str:
    """What verifying has found."""
    if found.broken is not None:
        return f"the chain is broken at record {found.broken.seq}: {found.broken.what}"
    if not found.has_noted:
        return f"the chain of {found.records} records does not run through that head: records were cut off or replaced"
    return f"{found.records} records, all as they were written; head {found.head.hex()}"


def format_time(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """ISO 8601, in UTC unless it says otherwise; µs since the epoch. Raises ValueError, which says how to write it."""
    try:
        time = datetime.fromisoformat(text)
        return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    except ValueError as exc:
        raise ValueError(f"{text!r} is no time: write it as 2026-11-21 or 2026-11-21T10:00:00Z") from exc


def parse_hash(text: str) -> bytes:
    """Raises ValueError."""
    if not _HASH.fullmatch(text):
        raise ValueError(f"{text!r} is no hash: it has 64 hex digits")
    return bytes.fromhex(text)
