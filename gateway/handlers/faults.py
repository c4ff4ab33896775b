"""Store error → S3 error, one table. A test walks the store's errors and proves that each is mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pfs
from gateway.s3 import errors as s3


class Refused(pfs.GuardRefused):
    """A guard's refusal that carries the S3 error to answer with."""

    def __init__(self, error: s3.S3Error) -> None:
        self.error = error
        super().__init__(error.detail)


def _key(exc: pfs.NoSuchKey) -> s3.S3Error:
    headers = {}
    if exc.marker is not None:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": exc.marker.commit_id}
    return s3.NoSuchKey(fields={"Key": exc.key}, headers=headers)


def _name(exc: pfs.InvalidName) -> s3.S3Error:
    if exc.what == "key":
        return s3.InvalidArgument(str(exc), fields={"ArgumentName": "key", "ArgumentValue": exc.name})
    return s3.InvalidBucketName(str(exc), fields={"BucketName": exc.name})


def _revision(exc: pfs.InvalidRevision) -> s3.S3Error:
    return s3.InvalidArgument(
        "Invalid version id specified", fields={"ArgumentName": "versionId", "ArgumentValue": exc.rev}
    )


def _ambiguous(exc: pfs.AmbiguousRevision) -> s3.S3Error:
    return s3.NoSuchVersion(str(exc), fields={"VersionId": exc.rev, "Candidates": " ".join(exc.candidates)})


def _protected(exc: pfs.ProtectedBranch) -> s3.S3Error:
    return s3.AccessDenied(
        f"Access Denied: branch {exc.branch} of repo {exc.repo} is protected. Write to another branch, and merge that: "
        f"POST /-/api/v1/repos/{exc.repo}/branches/{exc.branch}/merge"
    )


_TABLE: dict[type[pfs.StoreError], Callable[[Any], s3.S3Error]] = {
    pfs.InvalidName: _name,
    pfs.InvalidRevision: _revision,
    pfs.NoSuchRepo: lambda exc: s3.NoSuchBucket(),
    pfs.NoSuchBranch: lambda exc: s3.NoSuchBucket(),
    pfs.NoSuchTag: lambda exc: s3.NoSuchVersion(fields={"VersionId": exc.tag}),
    pfs.RepoExists: lambda exc: s3.BucketAlreadyOwnedByYou(),
    pfs.BranchExists: lambda exc: s3.BucketAlreadyOwnedByYou(),
    pfs.TagExists: lambda exc: s3.BucketAlreadyExists(str(exc)),
    pfs.AmbiguousRevision: _ambiguous,
    pfs.NoSuchCommit: lambda exc: s3.NoSuchVersion(fields={"VersionId": exc.rev}),
    pfs.NoSuchKey: _key,
    pfs.NoSuchUpload: lambda exc: s3.NoSuchUpload(fields={"UploadId": exc.upload_id}),
    pfs.NoSuchWebhook: lambda exc: s3.InvalidArgument(str(exc)),
    pfs.NoSuchPart: lambda exc: s3.InvalidPart(fields={"PartNumber": str(exc.number)}),
    pfs.PartTooSmall: lambda exc: s3.EntityTooSmall(
        fields={
            "PartNumber": str(exc.number),
            "ProposedSize": str(exc.size),
            "MinSizeAllowed": str(exc.minimum),
        }
    ),
    pfs.HistoryIsImmutable: lambda exc: s3.MethodNotAllowed(
        "History is immutable: a version can not be deleted. Without a versionId, DELETE adds a delete "
        "marker; with that marker's versionId it is undone."
    ),
    pfs.HeadMoved: lambda exc: s3.PreconditionFailed(str(exc), fields={"Head": exc.actual}),
    pfs.Conflicted: lambda exc: s3.ConditionalRequestConflict(str(exc)),
    pfs.NoSuchTransaction: lambda exc: s3.NoSuchBucket(),
    pfs.TransactionEnded: lambda exc: s3.NoSuchBucket(),
    pfs.TransactionConflict: lambda exc: s3.ConditionalRequestConflict(str(exc)),
    pfs.ProtectedBranch: _protected,
    pfs.NoSuchProtection: lambda exc: s3.InvalidRequest(str(exc)),
    Refused: lambda exc: exc.error,
    pfs.StoreBusy: lambda exc: s3.SlowDown(),
    pfs.StoreFull: lambda exc: s3.InsufficientStorage(),
    pfs.StoreClosed: lambda exc: s3.ServiceUnavailable(),
    pfs.Corruption: lambda exc: s3.InternalError(),
}


def translate(exc: pfs.StoreError) -> s3.S3Error:
    """The S3 error for a store's; of what is in no row the nearest base class decides."""
    for kind in type(exc).__mro__:
        row = _TABLE.get(kind)
        if row is not None:
            return row(exc)
    return s3.InternalError()
