"""Every metric of the gateway, named once; docs/operations.md lists them.

Workers share one port, so one scrape reaches one of them: each keeps its figures in files of
a folder that the supervisor makes (prometheus-client's multiprocess mode), and `exposition` adds
up all workers'. Without a supervisor, as in a test, they are this process's own.

A child of a labelled metric costs a look-up to find and about a microsecond to move; children
are therefore fetched once and kept.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()

REQUESTS = Counter("caret_requests", "Requests answered.", ["operation", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "caret_request_seconds",
    "Time from a request's head to the last byte of its answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300),
    registry=REGISTRY,
)
REQUESTS_IN_FLIGHT = Gauge(
    "caret_requests_in_flight", "Requests being answered now.", multiprocess_mode="livesum", registry=REGISTRY
)
RECEIVED_BYTES = Counter("caret_received_bytes", "Bytes of request bodies, as sent.", registry=REGISTRY)
SENT_BYTES = Counter("caret_sent_bytes", "Bytes of answers' bodies.", registry=REGISTRY)
ERRORS = Counter("caret_errors", "Requests refused or failed, by S3 error code.", ["code"], registry=REGISTRY)
COMMITS = Counter("caret_commits", "Commits made.", registry=REGISTRY)
COMMIT_GROUP_SIZE = Histogram(
    "caret_commit_group_size",
    "Commits that shared one database transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
    registry=REGISTRY,
)
CORRUPTIONS = Counter("caret_corruptions", "Reads that found stored bytes missing or altered.", registry=REGISTRY)
UPKEEP_RUNS = Counter(
    "caret_upkeep_runs", "Runs of jobs beside the requests, by how they ended.", ["job", "outcome"], registry=REGISTRY
)
COLLECTED = Counter("caret_collected", "What collecting garbage has removed.", ["kind"], registry=REGISTRY)
COLLECTED_BYTES = Counter("caret_collected_bytes", "Bytes of blobs that were collected.", registry=REGISTRY)

FEED_FOLLOWERS = Gauge(
    "caret_feed_followers",
    "Streams and waiting calls that follow a branch now.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)

WEBHOOK_DELIVERIES = Counter(
    "caret_webhook_deliveries", "Attempts to tell a webhook of a commit.", ["outcome"], registry=REGISTRY
)

AUDIT_RECORDS = Counter(
    "caret_audit_records", "Records of requests that the audit log has taken.", ["outcome"], registry=REGISTRY
)
AUDIT_FAILURES = Counter(
    "caret_audit_failures", "Requests refused since the audit log took no record of them.", registry=REGISTRY
)


class _Counted(Protocol):
    def inc(self, amount: float = 1) -> None: ...


class _Observed(Protocol):
    def observe(self, amount: float) -> None: ...


@dataclass(frozen=True, slots=True)
class _Outcome:
    requests: _Counted
    seconds: _Observed


@functools.cache
def _outcome(operation: str, status: int) -> _Outcome:
    return _Outcome(REQUESTS.labels(operation, str(status)), REQUEST_SECONDS.labels(operation))


@functools.cache
def _error(code: str) -> _Counted:
    return ERRORS.labels(code)


def request_started() -> None:
    """Pairs with one `request_finished`."""
    REQUESTS_IN_FLIGHT.inc()


def request_finished(
    operation: str, status: int, seconds: float, *, received: int = 0, sent: int = 0, error_code: str | None = None
) -> None:
    """Counts an answered request. `operation` and `error_code` come from fixed tables, never from a client."""
    REQUESTS_IN_FLIGHT.dec()
    outcome = _outcome(operation, status)
    outcome.requests.inc()
    outcome.seconds.observe(seconds)
    if received:
        RECEIVED_BYTES.inc(received)
    if sent:
        SENT_BYTES.inc(sent)
    if error_code is not None:
        _error(error_code).inc()


def group_committed(size: int) -> None:
    """Counts a transaction that held `size` commits; one that made none, as of a new branch, is not counted."""
    if not size:
        return
    COMMITS.inc(size)
    COMMIT_GROUP_SIZE.observe(size)


def upkeep_ended(job: str, outcome: str) -> None:
    """Counts a run of a job: it is `done`, has `failed`, or was `stopped` since the gateway leaves."""
    UPKEEP_RUNS.labels(job, outcome).inc()


def garbage_collected(counts: Mapping[str, int], size_bytes: int) -> None:
    """Counts what a collection has removed, by kind, and the blobs' bytes."""
    for kind, count in counts.items():
        COLLECTED.labels(kind).inc(count)
    COLLECTED_BYTES.inc(size_bytes)


@functools.cache
def _audited(outcome: str) -> _Counted:
    return AUDIT_RECORDS.labels(outcome)


def audit_recorded(outcome: str) -> None:
    """Counts a record that is on disk: of a request that was `allowed` or `refused`, or has `failed`."""
    _audited(outcome).inc()


def exposition() -> bytes:
    """All workers' figures in Prometheus' text format. Reads files: milliseconds, better in a thread."""
    if values.ValueClass is values.MutexValue:
        return generate_latest(REGISTRY)
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return generate_latest(shared)
