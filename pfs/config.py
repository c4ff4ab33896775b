"""What a store needs to open."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

INLINE_THRESHOLD = 64 * 1024


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`data`: the store's folder, made if need be. `database_url`: an SQLAlchemy URL, by default
    SQLite in that folder. `blob_url`: `memory:`, or an object store's URL for obstore, by default files in
    that folder. `inline_threshold`: bytes up to which an object is stored in the database.
    `flatten_depth`: how many forks deep a branch may be before it is flattened. How long, in seconds, a deleted
    branch can be restored for, an upload may lie about, and what is unreferenced stays: `retention_s`,
    `upload_expiry_s`, `gc_grace_s` (see `pfs.gc`)."""

    data: Path
    database_url: str | None = None
    blob_url: str | None = None
    inline_threshold: int = INLINE_THRESHOLD
    flatten_depth: int = 8
    retention_s: float = 7 * 86_400
    upload_expiry_s: float = 7 * 86_400
    gc_grace_s: float = 86_400
    blob_options: dict[str, str] = field(default_factory=dict)
