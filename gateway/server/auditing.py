"""What is in the audit log, and that it is there before an answer is.

    always                          refusals, log-ins, changes of who may do what, changes by the REST API
    projects that audit everything  every other request too, failed ones among them

A request that cannot be recorded is refused, whatever it would have been answered with: no byte of content, no listing
and no session leaves without a record. Signatures, tokens, one-time codes and bodies are never part of one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway import metrics
from gateway.access.audit import AuditLog
from gateway.access.chain import Outcome, Record
from gateway.access.principals import Principal
from gateway.s3.errors import ServiceUnavailable
from gateway.s3.request import Request
from gateway.s3.response import Response
from pfs import StoreError

_log = logging.getLogger(__name__)
_PATIENCE_S = 10.0
_MOST_OF_A_KEY = 128  # characters of an access key that nobody may have
_REFUSED = frozenset({401, 403, 429})
_REFUSED_BY_400 = frozenset({"ExpiredToken", "InvalidToken"})
# S3's operations that change who may do what.
ADMINISTRATION = frozenset({"PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl", "PutObjectAcl"})


class Auditor:
    """One per process, of its event loop."""

    def __init__(self, log: AuditLog) -> None:
        self._audit = log

    async def record(self, record: Record) -> None:
        """Durable when it returns. Raises ServiceUnavailable where that fails, or takes too long."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await asyncio.wrap_future(self._audit.submit([record]))
        except (StoreError, TimeoutError) as exc:
            metrics.AUDIT_FAILURES.inc()
            _log.error("request %s: not recorded in the audit log, and refused: %r", record.request_id, exc)
            raise ServiceUnavailable("The audit log can not be written to, so this was refused. Try again.") from exc
        metrics.audit_recorded(record.outcome)

    async def record_refusal(
        self, caller: Principal | None, status: int, code: str, asked: Callable[[], Record]
    ) -> None:
        """Like `record`, of what is answered with an error: where that is to be recorded, `asked` is called for what
        was asked."""
        outcome = outcome_of(status, code)
        if outcome == "refused" or (caller is not None and caller.audits_everything):
            await self.record(replace(asked(), outcome=outcome, code=code))


def outcome_of(status: int, code: str) -> Outcome:
    """Of what was answered with an error: a 304 is none."""
    if status < 400:
        return "allowed"
    return "refused" if status in _REFUSED or code in _REFUSED_BY_400 else "failed"


def asked_by(
    caller: Principal | None,
    access_key: str,
    request: Request,
    address: str,
    *,
    about: Mapping[str, object] | None = None,
) -> Record:
    """Who asked, from where, and for which object; what it was and how it went is for `replace`.

    Whoever did not sign, or with a key that nobody has, is no one, and in no project.
    """
    if caller is None or caller.is_anonymous:
        caller = None
    return Record(
        "",
        project=caller.project if caller else "",
        who=(caller.user or caller.display_name) if caller else "",
        access_key=access_key[:_MOST_OF_A_KEY],
        session=caller.session if caller else "",
        bucket=request.bucket or "",
        key=request.key or "",
        version_id=request.param("versionId") or "",
        source=request.header("x-amz-copy-source") or "",
        address=address,
        request_id=request.request_id,
        about=about or {},
    )


def revision_of(response: Response) -> str:
    """Which revision an answer tells of, "" if none: what was read, or made."""
    return next((value for name, value in response.headers if name == "x-amz-version-id"), "")
