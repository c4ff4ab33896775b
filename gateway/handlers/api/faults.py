"""Store error → ApiError, one table. A test walks the store's errors and proves that each is mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pfs
from gateway.api.errors import ApiError
from gateway.handlers.api.documents import conflict
from gateway.handlers.faults import Refused


def _says(code: str, *facts: str) -> Callable[[Any], ApiError]:
    """An error with the store's own message, whose details are these attributes of the store's error."""
    return lambda exc: ApiError(code, str(exc), **{fact: getattr(exc, fact) for fact in facts})


def _refused(exc: Refused) -> ApiError:
    return ApiError(exc.error.code, exc.error.detail, status=exc.error.status)


def _conflicted(exc: pfs.Conflicted) -> ApiError:
    return ApiError("MergeConflict", str(exc), conflicts=[conflict(found) for found in exc.conflicts])


_TABLE: dict[type[pfs.StoreError], Callable[[Any], ApiError]] = {
    pfs.InvalidName: _says("InvalidName", "what", "name"),
    pfs.InvalidRevision: _says("InvalidRevision", "rev"),
    pfs.NoSuchRepo: _says("NoSuchRepo"),
    pfs.NoSuchBranch: _says("NoSuchBranch"),
    pfs.NoSuchTag: _says("NoSuchTag"),
    pfs.RepoExists: _says("RepoExists"),
    pfs.BranchExists: _says("BranchExists"),
    pfs.TagExists: _says("TagExists"),
    pfs.AmbiguousRevision: _says("AmbiguousRevision", "rev", "candidates"),
    pfs.NoSuchCommit: _says("NoSuchRevision", "rev"),
    pfs.NoSuchKey: _says("NoSuchKey", "key"),
    pfs.NoSuchWebhook: _says("NoSuchWebhook"),
    pfs.HistoryIsImmutable: _says("HistoryIsImmutable"),
    pfs.HeadMoved: lambda exc: ApiError("HeadMoved", str(exc), head=exc.actual),
    pfs.Conflicted: _conflicted,
    pfs.NoSuchTransaction: _says("NoSuchTransaction"),
    pfs.TransactionEnded: _says("TransactionEnded", "state", "commit_id"),
    pfs.TransactionConflict: _says("TransactionConflict", "keys"),
    pfs.ProtectedBranch: _says("ProtectedBranch", "branch", "pattern"),
    pfs.NoSuchProtection: _says("NoSuchProtection"),
    Refused: _refused,
    pfs.CallerError: _says("InvalidArgument"),
    pfs.StoreFull: _says("InsufficientStorage"),
    pfs.TryAgain: _says("Busy"),
    pfs.Corruption: lambda exc: ApiError("InternalError", "What is stored cannot be read."),
}


def translate(exc: pfs.StoreError) -> ApiError:
    """The ApiError for a store's; of what is in no row the nearest base class decides."""
    for kind in type(exc).__mro__:
        row = _TABLE.get(kind)
        if row is not None:
            return row(exc)
    return ApiError("InternalError", "Something went wrong; the log says what.")
