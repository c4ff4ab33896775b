"""Conditional requests decided: what RFC 9110 §13 and S3 make of If-Match and its kin. Pure.

ETags are compared without quotes. `*` matches whatever exists. A failed write condition on a
key that is absent is a 404 for If-Match, as S3 answers it.
"""

from __future__ import annotations

from datetime import datetime

from gateway.s3.errors import NoSuchKey, NotModified, PreconditionFailed
from gateway.s3.operations import Conditions


def check_read(conditions: Conditions, etag: str, last_modified: datetime) -> None:
    """Raises PreconditionFailed or NotModified; RFC 9110 §13.2.2 gives the order of precedence."""
    _check_match(conditions, etag, last_modified)
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, etag):
            raise NotModified
    elif conditions.if_modified_since is not None and _whole(last_modified) <= conditions.if_modified_since:
        raise NotModified


def check_copy_source(conditions: Conditions, etag: str, last_modified: datetime) -> None:
    """Raises PreconditionFailed: of a copy's source every failed condition is a 412."""
    try:
        check_read(conditions, etag, last_modified)
    except NotModified as exc:
        raise PreconditionFailed(fields={"Condition": "x-amz-copy-source-If-None-Match"}) from exc


def check_write(conditions: Conditions, etag: str | None) -> None:
    """`etag` is what the key holds now, None where it is absent. Raises NoSuchKey, PreconditionFailed."""
    if conditions.if_match is not None:
        if etag is None:
            raise NoSuchKey
        if not _matches(conditions.if_match, etag):
            raise PreconditionFailed(fields={"Condition": "If-Match"})
    if conditions.if_none_match is not None and etag is not None and _matches(conditions.if_none_match, etag):
        raise PreconditionFailed(fields={"Condition": "If-None-Match"})


def check_delete(conditions: Conditions, etag: str | None) -> None:
    """As `check_write`, but a deletion's If-Match fails with 412 also where there is nothing."""
    if conditions.if_match is not None and (etag is None or not _matches(conditions.if_match, etag)):
        raise PreconditionFailed(fields={"Condition": "If-Match"})


def _check_match(conditions: Conditions, etag: str, last_modified: datetime) -> None:
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, etag):
            raise PreconditionFailed(fields={"Condition": "If-Match"})
    elif conditions.if_unmodified_since is not None and _whole(last_modified) > conditions.if_unmodified_since:
        raise PreconditionFailed(fields={"Condition": "If-Unmodified-Since"})


def _matches(tags: tuple[str, ...], etag: str) -> bool:
    return "*" in tags or etag in tags


def _whole(moment: datetime) -> datetime:
    """HTTP dates have whole seconds: what Last-Modified said must compare equal."""
    return moment.replace(microsecond=0)
