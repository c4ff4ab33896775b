"""A sync job: what is asked for, and what is known of it.

    running ──► success      the bucket is as the folder was
       ├──────► cancelled    somebody wanted it to end
       └──────► error        `reason` says why

`gateway.sync.jobs` keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from gateway.client import Credentials
from gateway.sync.model import Failure, Progress


class JobState(Enum):
    RUNNING = "running"
    SUCCESS = "success"
    CANCELLED = "cancelled"
    ERROR = "error"


class UnknownJob(Exception):
    def __init__(self, job_id: int) -> None:
        super().__init__(f"There is no job {job_id}.")


class TargetBusy(Exception):
    """Another job is writing to the same destination: `job_id`."""

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(f"Job {job_id} is writing to this destination. Wait for its end, or cancel it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """`target` names the destination alike however it is spelled. `storage_url`: "" for this gateway. `address`: all
    connections to another endpoint go there. `deletes`: the bucket is to be deleted, since the source was absent or
    empty when the job was asked for. Without `credentials` it is root's. `who` asked for it."""

    source: str
    dest: str
    target: str
    storage_url: str = ""
    address: str | None = None
    deletes: bool = False
    wait_s: float = 0.0
    who: str = ""
    credentials: Credentials | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`progress` counts from the beginning of the run that is under way. `failures` are the first of `failed`.
    `is_cancelled`: it was told to end."""

    id: int
    state: JobState
    source: str
    dest: str
    storage_url: str
    address: str | None
    deletes: bool
    wait_s: float
    who: str
    created_us: int
    started_us: int | None
    ended_us: int | None
    progress: Progress
    failed: int
    failures: Sequence[Failure]
    commit_id: str | None
    reason: str
    is_cancelled: bool

    @property
    def percent(self) -> int:
        """100 at success, and only then."""
        if self.state is JobState.SUCCESS:
            return 100
        return min(99, int(100 * self.progress.fraction)) if self.progress.files_total else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job ended."""

    state: JobState
    reason: str = ""
    commit_id: str | None = None
