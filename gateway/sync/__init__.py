"""Keeping two sides in step: folders and buckets. One engine for the command and for the jobs."""

from gateway.sync.memory import Memory, default_memory_path
from gateway.sync.model import (
    Action,
    ActionKind,
    Bucket,
    Comparison,
    Failure,
    FailureKind,
    Filter,
    Folder,
    Observer,
    Options,
    Outcome,
    Plan,
    Progress,
    Side,
    State,
    SyncError,
)
from gateway.sync.run import synchronise

__all__ = [
    "Action",
    "ActionKind",
    "Bucket",
    "Comparison",
    "Failure",
    "FailureKind",
    "Filter",
    "Folder",
    "Memory",
    "Observer",
    "Options",
    "Outcome",
    "Plan",
    "Progress",
    "Side",
    "State",
    "SyncError",
    "default_memory_path",
    "synchronise",
]
