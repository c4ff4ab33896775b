"""The documents of the job API: what a job is asked for with, and how one is told.

Members that the documented routes have always had keep their names: `id`, `progress`, `status`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sync.job import Job, JobState
from gateway.sync.model import Failure
from pfs import to_datetime

DEFAULT_BUCKET = "mybucket"
LONGEST_WAIT_S = 86_400

State = Literal["running", "success", "cancelled", "error"]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source`: a folder below that of uploads. `storage_url`: "" for this gateway; any other takes both keys. `wait`:
    seconds from one file operation to the next."""

    source: str
    dest: str = DEFAULT_BUCKET
    storage_url: str = ""
    access_key: str = ""
    secret_key: str = ""
    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT_S)] = 0.0

    def __repr__(self) -> str:
        return f"Asked({self.source!r}, {self.dest!r})"


class FailureDocument(msgspec.Struct, frozen=True):
    path: str
    kind: Literal["changed", "failed"]
    reason: str


class JobDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`progress`: 100% at success, and only then. `status` is the state, with the reason in parentheses where that is
    `error`. `deletes`: the source was absent or empty, so the bucket goes. `commit_id`: what the job has become, where
    it changed anything. `failures`: the first of `failed`. `cancelling`: it is to end at its next file operation."""

    id: int
    progress: str
    status: str
    state: State
    source: str
    dest: str
    storage_url: str
    wait: float
    deletes: bool
    by: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    path: str
    commit_id: str | None
    error: str | None
    failed: int
    failures: list[FailureDocument]
    cancelling: bool


class JobsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `next`, where it is not null, is the `after` of the next page."""

    jobs: list[JobDocument]
    next: str | None


def document(job: Job, endpoint: str) -> JobDocument:
    """`endpoint`: this gateway's."""
    is_running = job.state is JobState.RUNNING
    return JobDocument(
        id=job.id,
        progress=f"{job.percent}%",
        status=f"error ({job.reason})" if job.state is JobState.ERROR else job.state.value,
        state=job.state.value,
        source=job.source,
        dest=job.dest,
        storage_url=job.storage_url or endpoint,
        wait=job.wait_s,
        deletes=job.deletes,
        by=job.who,
        created=to_datetime(job.created_us),
        started=_time(job.started_us),
        ended=_time(job.ended_us),
        files_done=job.progress.files_done,
        files_total=job.progress.files_total,
        bytes_done=job.progress.bytes_done,
        bytes_total=job.progress.bytes_total,
        path=job.progress.path,
        commit_id=job.commit_id,
        error=job.reason or None,
        failed=job.failed,
        failures=[_failure(failure) for failure in job.failures],
        cancelling=is_running and job.is_cancelled,
    )


def _failure(failure: Failure) -> FailureDocument:
    return FailureDocument(failure.path, failure.kind.value, failure.reason)


def _time(us: int | None) -> datetime | None:
    return None if us is None else to_datetime(us)
