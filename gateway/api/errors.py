"""What the REST API refuses with: a code, its status, a sentence, and the facts.

    {"error": {"code": "HeadMoved", "message": "…", "request_id": "…", "details": {"head": "1f0c…"}}}

Codes of S3 that concern who is asking (`SignatureDoesNotMatch`, `AccessDenied`, …) are the same here and there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Code → HTTP status. The codes of failed authentication are S3's own, with S3's statuses.
CODES: Mapping[str, int] = {
    "InvalidArgument": 400,  # a parameter, or a member of the body; details: at
    "InvalidBody": 400,  # not JSON, or not the document that the endpoint takes
    "InvalidName": 400,  # details: what, name
    "InvalidRevision": 400,  # details: rev
    "AmbiguousRevision": 400,  # details: rev, candidates
    "AccessDenied": 403,
    "ProtectedBranch": 403,  # details: branch, pattern
    "NoSuchEndpoint": 404,
    "NoSuchRepo": 404,
    "NoSuchBranch": 404,
    "NoSuchTag": 404,
    "NoSuchRevision": 404,  # details: rev
    "NoSuchKey": 404,  # details: key
    "NoSuchProtection": 404,
    "NoSuchTransaction": 404,
    "NoSuchWebhook": 404,
    "NoSuchProject": 404,
    "NoSuchUser": 404,
    "NoSuchMember": 404,
    "NoSuchAccessKey": 404,
    "NoSuchSession": 404,
    "MethodNotAllowed": 405,
    "RepoExists": 409,
    "BranchExists": 409,
    "TagExists": 409,
    "ProjectExists": 409,
    "UserExists": 409,
    "UnrelatedRepo": 409,  # details: rev, repo
    "MergeConflict": 409,  # details: conflicts
    "TransactionConflict": 409,  # details: keys
    "TransactionEnded": 409,  # details: state, commit_id (null where it has made no commit)
    "HistoryIsImmutable": 409,
    "HeadMoved": 412,  # details: head, which is the actual one
    "BodyTooLarge": 413,  # details: limit
    "InternalError": 500,
    "NotImplemented": 501,
    "Busy": 503,
    "InsufficientStorage": 507,
}


class ApiError(Exception):
    """A refusal. `status` is the code's own; that of a code which S3 defines is given."""

    def __init__(self, code: str, message: str, *, status: int | None = None, **details: Any) -> None:
        self.code, self.message, self.details = code, message, details
        self.status = CODES[code] if status is None else status
        super().__init__(f"{code}: {message}")
