"""Keeping two sides in step: folders and buckets. One engine for the command and for the jobs."""

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

__all__ = [
    "Action",
    "ActionKind",
    "Bucket",
    "Comparison",
    "Failure",
    "FailureKind",
    "Filter",
    "Folder",
    "Observer",
    "Options",
    "Outcome",
    "Plan",
    "Progress",
    "Side",
    "State",
    "SyncError",
]
