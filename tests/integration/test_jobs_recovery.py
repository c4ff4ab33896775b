"""Jobs outlive their process: killed, asked to leave, or one of several that share a database."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.client import Client, Credentials, Reach

from .jobs import JobApi
from .server import Server, free_port, running, until

FILES = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It runs again at the end of each test that has ended it."""
    base = tmp_path_factory.mktemp("recovery")
    for number in range(FILES):
        path = base / "uploads" / "photos" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"photo {number}")
    options = ("--uploads", str(base / "uploads"))
    with running(Server(base / "data", workers=1, console_port=free_port(), options=options)) as found:
        yield found


@pytest.fixture
def api(server: Server) -> JobApi:
    return JobApi(server)


@pytest.fixture
def caret(server: Server) -> Iterator[Client]:
    with Client(Reach(server.url, Credentials(server.access_key, server.secret_key), server.region)) as client:
        yield client


def messages(caret: Client, repo: str) -> list[str]:
    """Of its commits, the newest first, without the bucket's beginning."""
    return [commit.message for commit in caret.commits(repo)][:-1]


def test_jobs_go_on_after_their_gateway_was_killed(server: Server, api: JobApi, caret: Client, name: str) -> None:
    gone = f"{name}-gone"
    api.done(api.start("photos", gone))
    mirroring = api.start("photos", name, wait=0.3)
    deleting = api.start("nothing", gone, wait=0.3)
    before = [api.has_written(number) for number in (mirroring, deleting)]
    server.kill()
    server.start()
    assert [api.job(job["id"])["started"] for job in before] == [job["started"] for job in before]
    found = api.done(mirroring)
    assert messages(caret, name) == [f"Job {mirroring}: photos"]
    assert found["commit_id"] == caret.resolve(name, "HEAD")
    assert found["files_total"] < FILES  # what had been sent was not sent again
    assert len(list(caret.tree(name))) == FILES
    found = api.done(deleting)
    assert gone not in [repo.name for repo in caret.repos()]
    caret.restore_branch(gone, "main")
    assert caret.resolve(gone, "HEAD") == found["commit_id"]
    assert len(list(caret.tree(gone, rev="HEAD^"))) == FILES


def test_a_job_goes_on_after_its_gateway_was_asked_to_leave(
    server: Server, api: JobApi, caret: Client, name: str
) -> None:
    number = api.start("photos", name, wait=0.3)
    api.has_written(number)
    events = api.events(number)
    assert next(events)[0] == "progress"
    assert server.stop() == 0
    assert all(kind == "progress" for kind, _ in events)
    server.start()
    api.done(number)
    assert messages(caret, name) == [f"Job {number}: photos"]


def test_a_job_goes_on_after_its_console_alone_was_killed(
    server: Server, api: JobApi, caret: Client, name: str
) -> None:
    number = api.start("photos", name, wait=0.2)
    api.has_written(number)
    kill_console(server)
    until(lambda: _answers(api), 20, "the next console")
    api.done(number)
    assert messages(caret, name) == [f"Job {number}: photos"]


def test_consoles_that_share_a_database_share_its_jobs(server: Server, api: JobApi, caret: Client, name: str) -> None:
    with running(replace(server, port=free_port(), console_port=free_port(), process=None)) as second:
        other = JobApi(second)
        number = other.start("photos", name, wait=0.2)
        assert api.get("/sync", source="photos", dest=name).status == 409
        seen = [(kind, job["progress"]) for kind, job in api.events(number)]
        assert seen[-1] == ("end", "100%")
        assert len(seen) > 3
        assert messages(caret, name) == [f"Job {number}: photos"]
        number = other.start("photos", f"{name}-b", wait=0.3)
        other.has_written(number)
        api.get("/cancel", id=number)
        assert other.ended(number, wait_s=10)["state"] == "cancelled"
        number = other.start("photos", f"{name}-b", wait=0.3)
        other.has_written(number)
        second.kill()
        api.done(number)
        assert messages(caret, f"{name}-b") == [f"Job {number}: photos"]


def kill_console(server: Server) -> None:
    """The child that listens on the console's port."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    listener = f"socket:[{_inode(server.console_port or 0)}]"
    for child in map(int, children):
        if listener in [os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir()]:
            os.kill(child, signal.SIGKILL)
            return
    raise AssertionError("no child has the console's listener")


def _inode(port: int) -> str:
    """Of the socket that listens there."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
            return fields[9]
    raise AssertionError(f"nobody listens on {port}")


def _answers(api: JobApi) -> bool:
    try:
        return api.get("/runnings").status == 200
    except OSError:
        return False
