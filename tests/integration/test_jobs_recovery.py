"""Jobs outlive their process: killed, asked to leave, or one of several that share a database."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client, Credentials, Reach

from .jobs import JobApi
from .server import Server, free_port, until

FILES = 12


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    for number in range(FILES):
        path = folder / "photos" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"photo {number}")
    return folder


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"workers": 1, "options": ("--uploads", str(tmp_path / "uploads"))}


def commits(server: Server, repo: str) -> list[str]:
    """Messages, the newest first, without that of the bucket's beginning."""
    keys = Credentials(server.access_key, server.secret_key)
    with Client(Reach(server.url, keys, server.region)) as caret:
        return [commit.message for commit in caret.commits(repo)][:-1]


@pytest.mark.parametrize("how", ["killed", "asked to leave"])
def test_a_job_goes_on_after_its_gateway_was_gone(serve: Any, uploads: Path, options: dict[str, Any], how: str) -> None:
    server: Server = serve(**options, console_port=free_port())
    api = JobApi(server)
    number = api.start("photos", "album", wait=0.3)
    before = api.has_written(number)
    if how == "killed":
        server.kill()
    else:
        assert server.stop() == 0
    server.start()
    assert api.job(number)["started"] == before["started"]
    found = api.done(number)
    assert commits(server, "album") == [f"Job {number}: photos"]
    assert found["commit_id"] is not None
    assert found["files_total"] < FILES  # what had been sent was not sent again
    assert server.client().list_objects_v2(Bucket="album")["KeyCount"] == FILES


def test_a_job_goes_on_after_its_console_alone_was_killed(serve: Any, uploads: Path, options: dict[str, Any]) -> None:
    server: Server = serve(**options, console_port=free_port())
    api = JobApi(server)
    number = api.start("photos", "album", wait=0.2)
    api.has_written(number)
    _kill_console(server)
    until(lambda: _answers(api), 20, "the next console")
    api.done(number)
    assert commits(server, "album") == [f"Job {number}: photos"]


def test_a_bucket_that_is_being_deleted_when_its_gateway_is_killed_is_deleted_by_the_next(
    serve: Any, uploads: Path, options: dict[str, Any]
) -> None:
    server: Server = serve(**options, console_port=free_port())
    api = JobApi(server)
    api.done(api.start("photos", "album"))
    number = api.start("nothing", "album", wait=0.3)
    api.has_written(number)
    server.kill()
    server.start()
    found = api.done(number)
    s3 = server.client()
    assert s3.list_buckets()["Buckets"] == []
    keys = Credentials(server.access_key, server.secret_key)
    with Client(Reach(server.url, keys, server.region)) as caret:
        caret.restore_branch("album", "main")
        assert caret.resolve("album", "HEAD") == found["commit_id"]
        assert len(list(caret.tree("album", rev="HEAD^"))) == FILES


def test_consoles_that_share_a_database_share_its_jobs(
    serve: Any, uploads: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    one, other = (
        JobApi(serve(**options, data=tmp_path / "data", console_port=free_port(), port=free_port())) for _ in range(2)
    )
    number = one.start("photos", "album", wait=0.2)
    assert other.get("/sync", source="photos", dest="album").status == 409
    kinds = [(kind, job["progress"]) for kind, job in other.events(number)]
    assert kinds[-1] == ("end", "100%")
    assert len(kinds) > 3
    assert commits(one.server, "album") == [f"Job {number}: photos"]
    number = one.start("photos", "other", wait=0.3)
    one.has_written(number)
    other.get("/cancel", id=number)
    assert one.ended(number, wait_s=10)["state"] == "cancelled"
    number = one.start("photos", "other", wait=0.3)
    one.has_written(number)
    one.server.kill()
    assert other.done(number)["commit_id"] is not None
    assert commits(other.server, "other") == [f"Job {number}: photos"]


def test_a_gateway_that_leaves_ends_the_streams_of_events(serve: Any, uploads: Path, options: dict[str, Any]) -> None:
    server: Server = serve(**options, console_port=free_port())
    api = JobApi(server)
    number = api.start("photos", "album", wait=2)
    events = api.events(number)
    assert next(events)[0] == "progress"
    assert server.stop(wait_s=15) == 0
    assert all(kind == "progress" for kind, _ in events)


def _kill_console(server: Server) -> None:
    """The child that listens on the console's port."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    inode = _listener(server.console_port or 0)
    for child in map(int, children):
        links = [link for link in Path(f"/proc/{child}/fd").iterdir() if link.is_symlink()]
        if any(str(link.readlink()) == f"socket:[{inode}]" for link in links):
            os.kill(child, signal.SIGKILL)
            return
    raise AssertionError("no child has the console's listener")


def _listener(port: int) -> str:
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
