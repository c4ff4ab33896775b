"""Which endpoints are this gateway, which others are allowed, and that an address is looked up once."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Credentials
from gateway.config import Config
from gateway.sync.carry import Carrier
from gateway.sync.job import Ending, Job, JobState
from gateway.sync.jobs import Jobs
from gateway.sync.model import Progress
from gateway.sync.targets import BadTarget, Elsewhere, find_storage, target_elsewhere, target_here
from gateway.sync.worker import Run

LOCAL = Config(s3_port=9000, storage_allow=("127.0.0.0/8", "named.example"))


@pytest.mark.parametrize(
    ("config", "url"),
    [
        *((LOCAL, url) for url in ("", "http://127.0.0.1:9000", "http://localhost:9000/", "http://[::1]:9000")),
        (Config(host="0.0.0.0", s3_port=80), "http://localhost"),
        (Config(host="10.0.0.5", s3_port=9000), "http://10.0.0.5:9000"),
        (Config(domain=("s3.example.org",)), "https://S3.example.org"),
    ],
)
def test_names_of_this_gateway(config: Config, url: str) -> None:
    assert find_storage(config, url) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:9001", "https://127.0.0.1:9000", "http://127.0.0.2:9000"])
def test_another_port_scheme_or_address_is_another_endpoint(url: str) -> None:
    found = find_storage(LOCAL, url)
    assert found is not None
    assert found.url == url


def test_localhost_is_another_endpoint_for_a_gateway_that_listens_elsewhere() -> None:
    config = Config(host="10.0.0.5", s3_port=9000, storage_allow=("127.0.0.0/8", "::1"))
    assert find_storage(config, "http://localhost:9000") is not None


def look_up(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Has names be at these addresses; the list fills with what was asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        if not addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_the_address_is_the_one_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = look_up(monkeypatch, "127.0.0.7")
    assert find_storage(LOCAL, "http://Other.example:9000/") == Elsewhere("http://other.example:9000", "127.0.0.7")
    assert asked == ["Other.example"]


@pytest.mark.parametrize("addresses", [(), ("10.0.0.1",), ("127.0.0.7", "10.0.0.1"), ("8.8.8.8",)])
def test_a_name_that_leads_anywhere_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    look_up(monkeypatch, *addresses)
    with pytest.raises(BadTarget, match="cannot be used"):
        find_storage(LOCAL, "http://other.example:9000")


def test_a_name_that_is_allowed_may_lead_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up(monkeypatch, "8.8.8.8")
    assert find_storage(LOCAL, "https://named.example") == Elsewhere("https://named.example", "8.8.8.8")


def test_spellings_of_a_bucket_are_one_target() -> None:
    assert target_here("default", "photos", lambda repo: "main") == "default/main.photos"
    assert target_here("default", "main.photos", lambda repo: "dev") == "default/main.photos"
    one = target_elsewhere(Elsewhere("http://other.example", "10.0.0.1"), "b")
    assert one == target_elsewhere(Elsewhere("http://other.example:80", "10.0.0.2"), "b")


class Kept(Jobs):
    """Jobs that come with keys."""

    def __init__(self) -> None:
        """Without a database."""

    def credentials(self, job: Job) -> Credentials | None:
        return Credentials("key", "secret")


def carried(config: Config, address: str) -> Ending:
    job = Job(
        id=1,
        state=JobState.RUNNING,
        source="photos",
        dest="bucket",
        storage_url="http://other.example:1",
        address=address,
        deletes=False,
        wait_s=0,
        who="root",
        created_us=0,
        started_us=0,
        ended_us=None,
        progress=Progress(0, 0, 0, 0),
        failed=0,
        failures=(),
        commit_id=None,
        reason="",
        is_cancelled=False,
    )
    run = Run(job, float("inf"), lambda: False, lambda commit_id: None)
    return Carrier(config, Kept(), Credentials("root", "roots secret"))(job, run)


def test_a_job_goes_to_the_address_that_its_endpoint_had(tmp_path: Path) -> None:
    """Its name means nothing; it is not looked up again. Nobody listens there."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat").write_text("cat")
    config = Config(data=tmp_path / "data", uploads=tmp_path, storage_allow=("127.0.0.9",))
    ending = carried(config, "127.0.0.9")
    assert ending.state is JobState.ERROR
    assert "refused" in ending.reason
    assert "storage_allow" in carried(config, "127.0.0.8").reason  # which the operator has taken back since
