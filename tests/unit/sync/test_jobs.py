"""Jobs in SQL, on both databases: one per destination, held by one process, sealed, and gone on with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.access.directory import STEPS
from gateway.access.vault import Vault
from gateway.client import Credentials
from gateway.sync.job import Ending, Job, JobState, NewJob, TargetBusy, UnknownJob
from gateway.sync.jobs import Jobs
from gateway.sync.model import Failure, FailureKind, Progress
from pfs.sql import Database, upgrade
from tests.stores import PostgreSQL
from tests.unit.access.conftest import Clock

VAULT = Vault([bytes(range(32))])
SUCCESS = Ending(state=JobState.SUCCESS, commit_id="c0ffee")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/gateway.db"
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        url = server.new_database()
    opened = Database(url, tmp_path / "gateway.lock")
    upgrade(opened, STEPS)
    yield opened
    opened.close()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, VAULT, clock)


def job(source: str = "photos", dest: str = "bucket", **further: Any) -> NewJob:
    return NewJob(source=source, dest=dest, target=f"default/main.{dest}", **further)


def begun(jobs: Jobs, holder: str = "a", dest: str = "bucket") -> Job:
    jobs.create(job(dest=dest), holder)
    found = jobs.claim(holder, ())
    assert found is not None
    return found


def test_ids_count_from_one_without_a_gap(jobs: Jobs) -> None:
    assert jobs.create(job(dest="one"), "a").id == 1
    with pytest.raises(TargetBusy):
        jobs.create(job(dest="one"), "a")
    assert jobs.create(job(dest="two"), "a").id == 2


def test_a_new_job_says_what_was_asked_for(jobs: Jobs, clock: Clock) -> None:
    made = jobs.create(job(wait_s=0.5, who="root", storage_url="http://there", address="10.0.0.1", deletes=True), "a")
    assert made == jobs.find(1)
    assert (made.source, made.dest, made.wait_s, made.who) == ("photos", "bucket", 0.5, "root")
    assert (made.storage_url, made.address, made.deletes) == ("http://there", "10.0.0.1", True)
    assert (made.created_us, made.started_us, made.ended_us) == (clock.now_us, None, None)
    assert (made.state, made.percent) == (JobState.RUNNING, 0)


def test_one_job_per_destination_while_it_runs(jobs: Jobs) -> None:
    first = begun(jobs)
    with pytest.raises(TargetBusy, match="Job 1") as caught:
        jobs.create(job(source="others"), "b")
    assert caught.value.job_id == first.id
    assert jobs.finish(first.id, "a", SUCCESS)
    assert jobs.create(job(), "b").id == 2


def test_of_racing_requests_for_a_destination_one_wins(jobs: Jobs) -> None:
    barrier = threading.Barrier(8)

    def ask(number: int) -> str:
        barrier.wait()
        try:
            jobs.create(job(), f"h{number}")
        except TargetBusy:
            return "busy"
        return "made"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == ["busy"] * 7 + ["made"]


def test_of_racing_processes_each_job_has_one(jobs: Jobs, clock: Clock) -> None:
    for number in range(6):
        jobs.create(job(dest=f"bucket{number}"), "gone")
    clock.forward(jobs.lease_s)
    barrier = threading.Barrier(6)

    def claim(number: int) -> list[int]:
        barrier.wait()
        had: list[int] = []
        while (found := jobs.claim(f"h{number}", had)) is not None:
            had.append(found.id)
        return had

    with ThreadPoolExecutor(6) as pool:
        assert sorted(found for had in pool.map(claim, range(6)) for found in had) == [1, 2, 3, 4, 5, 6]


def test_a_job_is_for_the_process_that_took_it_on(jobs: Jobs) -> None:
    jobs.create(job(), "a")
    assert jobs.claim("b", ()) is None
    found = jobs.claim("a", ())
    assert found is not None
    assert found.started_us is not None
    assert jobs.claim("a", {found.id}) is None


def test_a_dead_processs_job_is_taken_over_and_it_cannot_write_any_more(jobs: Jobs, clock: Clock) -> None:
    first = begun(jobs)
    clock.forward(jobs.lease_s - 0.1)
    assert jobs.renew("a") == {1: False}
    clock.forward(jobs.lease_s - 0.1)
    assert jobs.claim("b", ()) is None
    clock.forward(0.1)
    taken = jobs.claim("b", ())
    assert taken is not None
    assert (taken.id, taken.started_us) == (first.id, first.started_us)
    assert jobs.renew("a") == {}
    assert not jobs.note(1, "a", Progress(1, 2, 3, 4), ())
    assert not jobs.note_commit(1, "a", "beef")
    assert not jobs.finish(1, "a", SUCCESS)
    assert jobs.find(1).progress == Progress(0, 0, 0, 0)
    assert jobs.finish(1, "b", SUCCESS)


def test_what_is_put_back_others_go_on_with(jobs: Jobs) -> None:
    begun(jobs)
    jobs.put_back("a")
    found = jobs.claim("b", ())
    assert found is not None
    assert found.id == 1


def test_progress_and_failures_are_kept(jobs: Jobs) -> None:
    begun(jobs)
    failures = [Failure(f"p\udcff\0{number}", FailureKind.FAILED, "no permission") for number in range(150)]
    assert jobs.note(1, "a", Progress(1, 3, 10, 30, "a/b"), failures)
    found = jobs.find(1)
    assert (found.progress, found.percent) == (Progress(1, 3, 10, 30, "a/b"), 33)
    assert (found.failed, len(found.failures)) == (150, 100)
    assert found.failures[1] == Failure("p\\udcff\N{REPLACEMENT CHARACTER}1", FailureKind.FAILED, "no permission")


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.ERROR])
def test_progress_is_100_at_success_only(jobs: Jobs, state: JobState) -> None:
    begun(jobs)
    jobs.note(1, "a", Progress(3, 3, 30, 30), ())
    assert jobs.find(1).percent == 99
    jobs.finish(1, "a", Ending(state=state, reason="why\0"))
    assert jobs.find(1).percent == 99
    begun(jobs)
    jobs.finish(2, "a", SUCCESS)
    assert jobs.find(2).percent == 100


def test_an_ended_job_says_how(jobs: Jobs, clock: Clock) -> None:
    begun(jobs)
    clock.forward(5)
    jobs.finish(1, "a", Ending(state=JobState.ERROR, reason="the disk is full"))
    found = jobs.find(1)
    assert (found.state, found.reason, found.ended_us) == (JobState.ERROR, "the disk is full", clock.now_us)
    assert not jobs.finish(1, "a", SUCCESS)


def test_a_commit_that_was_noted_stays_when_the_job_ends_without_one(jobs: Jobs) -> None:
    begun(jobs)
    assert jobs.note_commit(1, "a", "beef")
    jobs.finish(1, "a", Ending(state=JobState.SUCCESS))
    assert jobs.find(1).commit_id == "beef"


def test_who_carries_it_out_learns_that_it_is_to_end(jobs: Jobs) -> None:
    begun(jobs)
    assert jobs.cancel(1).state is JobState.RUNNING
    assert jobs.renew("a") == {1: True}
    jobs.finish(1, "a", Ending(state=JobState.CANCELLED))
    assert jobs.cancel(1).state is JobState.CANCELLED


def _waits(jobs: Jobs, clock: Clock) -> None:
    jobs.create(job(), "a")


def _was_put_back(jobs: Jobs, clock: Clock) -> None:
    begun(jobs)
    jobs.put_back("a")


def _lost_its_process(jobs: Jobs, clock: Clock) -> None:
    begun(jobs)
    clock.forward(jobs.lease_s)


@pytest.mark.parametrize("prepare", [_waits, _was_put_back, _lost_its_process])
def test_what_nobody_carries_out_is_cancelled_at_once(
    jobs: Jobs, clock: Clock, prepare: Callable[[Jobs, Clock], None]
) -> None:
    prepare(jobs, clock)
    assert jobs.cancel(1).state is JobState.CANCELLED
    assert jobs.claim("b", ()) is None
    assert jobs.running() == []


def test_an_unknown_job(jobs: Jobs) -> None:
    for ask in (jobs.find, jobs.cancel):
        with pytest.raises(UnknownJob):
            ask(1)


def test_lists(jobs: Jobs) -> None:
    for number in range(1, 6):
        begun(jobs, dest=f"bucket{number}")
    jobs.finish(2, "a", SUCCESS)
    jobs.finish(4, "a", SUCCESS)
    assert [found.id for found in jobs.running()] == [1, 3, 5]
    assert [found.id for found in jobs.page(limit=3)] == [5, 4, 3]
    assert [found.id for found in jobs.page(before=3)] == [2, 1]
    assert [found.id for found in jobs.page(state=JobState.SUCCESS)] == [4, 2]
    assert [found.id for found in jobs.page(state=JobState.RUNNING, before=5, limit=1)] == [3]


def test_credentials_are_sealed_and_wiped_at_the_end(jobs: Jobs, database: Database) -> None:
    keys = Credentials("their-access-key", "their-secret-key")
    made = jobs.create(job(credentials=keys), "a")
    assert jobs.credentials(made) == keys
    assert "their-" not in repr(made)
    assert b"their-" not in _stored(database)
    jobs.claim("a", ())
    jobs.finish(1, "a", SUCCESS)
    assert jobs.credentials(made) is None
    assert _stored(database) == b""


def _stored(database: Database) -> bytes:
    with database.connection() as conn:
        row = conn.raw.execute("SELECT credentials FROM sync_jobs").fetchone()
    return bytes(row[0] or b"")
