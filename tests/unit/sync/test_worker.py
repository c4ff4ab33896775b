"""The worker, with jobs that do as a test says: how many at a time, and what becomes of them when something breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.access.directory import STEPS
from gateway.access.vault import Vault
from gateway.sync.job import Ending, Job, JobState, NewJob
from gateway.sync.jobs import Jobs
from gateway.sync.model import Failure, FailureKind, Progress
from gateway.sync.worker import Run, Worker
from pfs import StoreFull
from pfs.sql import Database, upgrade

LEASE_S = 0.8
SUCCESS = Ending(state=JobState.SUCCESS)
CANCELLED = Ending(state=JobState.CANCELLED)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    database = Database(f"sqlite:///{tmp_path}/gateway.db", tmp_path / "gateway.lock")
    upgrade(database, STEPS)
    yield Jobs(database, Vault([bytes(32)]), lease_s=LEASE_S)
    database.close()


@contextmanager
def working(jobs: Jobs, carry_out: Callable[[Job, Run], Ending], at_once: int = 2) -> Iterator[Worker]:
    worker = Worker(jobs, carry_out, at_once)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(5)


def asked(jobs: Jobs, worker: Worker, dest: str = "bucket") -> int:
    number = jobs.create(NewJob(source="photos", dest=dest, target=dest), worker.holder).id
    worker.wake()
    return number


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def until_stopped(job: Job, run: Run) -> Ending:
    until(run.should_stop)
    return CANCELLED


def test_so_many_run_at_once_and_the_others_wait(jobs: Jobs) -> None:
    may_end = threading.Event()

    def carry_out(job: Job, run: Run) -> Ending:
        may_end.wait(10)
        return SUCCESS

    with working(jobs, carry_out) as worker:
        numbers = [asked(jobs, worker, f"bucket{number}") for number in range(3)]
        until(lambda: jobs.find(numbers[1]).started_us)
        time.sleep(2 * LEASE_S)
        assert jobs.find(numbers[2]).started_us is None
        may_end.set()
        until(lambda: all(jobs.find(number).state is JobState.SUCCESS for number in numbers))


def test_what_is_told_is_written_at_the_latest_at_the_end(jobs: Jobs) -> None:
    def carry_out(job: Job, run: Run) -> Ending:
        for done in range(1000):
            run.advanced(Progress(done, 1000, done, 1000))
        run.failed(Failure("cat", FailureKind.FAILED, "no permission"))
        return Ending(state=JobState.ERROR, reason="1 file")

    with working(jobs, carry_out) as worker:
        number = asked(jobs, worker)
        until(lambda: jobs.find(number).state is JobState.ERROR)
    found = jobs.find(number)
    assert (found.progress.files_done, found.failed) == (999, 1)


def test_a_job_that_breaks_ends_in_error_and_tells_nobody_why(jobs: Jobs) -> None:
    def carry_out(job: Job, run: Run) -> Ending:
        raise ZeroDivisionError("secrets")

    with working(jobs, carry_out) as worker:
        number = asked(jobs, worker)
        until(lambda: jobs.find(number).state is JobState.ERROR)
    assert "secrets" not in jobs.find(number).reason


def test_a_cancelled_job_stops_at_once_here_and_soon_elsewhere(jobs: Jobs) -> None:
    with working(jobs, until_stopped) as worker:
        number = asked(jobs, worker)
        until(lambda: jobs.find(number).started_us)
        jobs.cancel(number)  # by another process
        until(lambda: jobs.find(number).state is JobState.CANCELLED)


def test_what_runs_when_its_process_leaves_the_next_one_goes_on_with(jobs: Jobs) -> None:
    with working(jobs, until_stopped) as worker:
        number = asked(jobs, worker)
        until(lambda: jobs.find(number).started_us)
    assert jobs.find(number).state is JobState.RUNNING
    with working(jobs, lambda job, run: SUCCESS):
        until(lambda: jobs.find(number).state is JobState.SUCCESS)


def test_whoever_lost_his_lease_stops_and_writes_nothing(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def carry_out(job: Job, run: Run) -> Ending:
        until_stopped(job, run)
        stopped.set()
        return SUCCESS

    with working(jobs, carry_out) as worker:
        number = asked(jobs, worker)
        until(lambda: jobs.find(number).started_us)
        monkeypatch.setattr(jobs, "renew", lambda holder: {})  # as after it stood still
        monkeypatch.setattr(jobs, "claim", lambda holder, others: None)
        assert stopped.wait(10)
    monkeypatch.undo()
    assert jobs.find(number).state is JobState.RUNNING
    with working(jobs, lambda job, run: Ending(state=JobState.ERROR, reason="the other's")):
        until(lambda: jobs.find(number).reason)


def test_an_end_that_cannot_be_written_is_written_when_it_can(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    finish = jobs.finish

    def full_at_first(job_id: int, holder: str, ending: Ending) -> bool:
        tried.append(job_id)
        if len(tried) < 2:
            raise StoreFull("the disk is full")
        return finish(job_id, holder, ending)

    monkeypatch.setattr(jobs, "finish", full_at_first)
    with working(jobs, lambda job, run: SUCCESS) as worker:
        number = asked(jobs, worker)
        until(lambda: jobs.find(number).state is JobState.SUCCESS)
    assert tried == [number, number]
