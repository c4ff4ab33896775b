"""The parent process, seen from outside: real processes, real signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.supervisor import StartError, bind

REPOSITORY = Path(__file__).resolve().parents[2]


class Supervised:
    """A running supervisor, and what its workers tell."""

    def __init__(self, worker: str, workers: int, drain_timeout_s: float, log: Path) -> None:
        self.log = log
        with log.open("wb") as messages:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.unit.supervised", worker, str(workers), str(drain_timeout_s)],
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=messages,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def ask(self) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            told: dict[str, Any] = json.loads(connection.makefile("rb").read())
        return told

    def pids(self, count: int) -> set[int]:
        """The workers' process ids, once `count` have answered."""
        found: set[int] = set()

        def all_answered() -> bool:
            found.add(self.ask()["pid"])
            return len(found) >= count

        until(all_answered, f"{count} workers to answer")
        return found

    def left_with(self) -> int:
        return self.process.wait(20)

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def until(holds: Callable[[], bool], what: str, wait_s: float = 20) -> None:
    end = time.monotonic() + wait_s
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def kill(pid: int) -> None:
    """Returns when the process is gone: until then it may still take a connection."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), f"process {pid} to end")


def is_alive(pid: int) -> bool:
    """Not so for a zombie that nobody has waited for: it serves no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    with contextlib.ExitStack() as stack:

        def start(worker: str, *, workers: int = 2, drain_timeout_s: float = 20) -> Supervised:
            supervised = Supervised(worker, workers, drain_timeout_s, tmp_path / "messages")
            stack.callback(supervised.close)
            return supervised

        yield start


Supervise = Callable[..., Supervised]


def test_workers_share_one_port_and_get_the_settings(supervise: Supervise) -> None:
    supervised = supervise("answers", workers=3)
    assert len(supervised.pids(3)) == 3
    assert supervised.ask()["data"] == "data"


def test_a_worker_that_dies_is_replaced_while_its_neighbour_serves(supervise: Supervise) -> None:
    supervised = supervise("answers")
    first, second = supervised.pids(2)
    kill(first)
    until(lambda: supervised.ask()["pid"] not in {first, second}, "a replacement")
    assert is_alive(second)
    assert "was ended by SIGKILL" in supervised.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_workers_and_the_parent_leaves_with_0(supervise: Supervise, number: int) -> None:
    supervised = supervise("answers")
    pids = supervised.pids(2)
    folder = Path(supervised.ask()["metrics_folder"])
    supervised.process.send_signal(number)
    assert supervised.left_with() == 0
    assert not any(is_alive(pid) for pid in pids)
    assert not folder.exists()


def test_ctrl_c_in_a_terminal_reaches_all_processes_and_drains_as_well(supervise: Supervise) -> None:
    supervised = supervise("answers")
    supervised.pids(2)
    os.killpg(supervised.process.pid, signal.SIGINT)
    assert supervised.left_with() == 0
    assert "Traceback" not in supervised.log.read_text()


def test_workers_that_do_not_drain_in_time_are_killed(supervise: Supervise) -> None:
    supervised = supervise("takes_its_time", workers=1, drain_timeout_s=0)
    (pid,) = supervised.pids(1)
    supervised.process.terminate()
    assert supervised.left_with() == 0
    assert not is_alive(pid)
    assert "still busy" in supervised.log.read_text()


def test_a_second_signal_kills_the_workers_at_once(supervise: Supervise) -> None:
    supervised = supervise("takes_its_time", workers=1, drain_timeout_s=1000)
    (pid,) = supervised.pids(1)
    supervised.process.terminate()
    until(lambda: "draining" in supervised.log.read_text(), "the first signal to be noticed")
    assert is_alive(pid)
    supervised.process.terminate()
    assert supervised.left_with() == 0
    assert not is_alive(pid)


@pytest.mark.parametrize("worker", ["answers", "takes_its_time"])
def test_workers_do_not_outlive_a_killed_parent(supervise: Supervise, worker: str) -> None:
    supervised = supervise(worker, drain_timeout_s=0)
    pids = supervised.pids(2)
    supervised.process.kill()
    until(lambda: not any(is_alive(pid) for pid in pids), "the workers to notice")


@pytest.mark.parametrize(
    ("worker", "reason"), [("dies", "left with exit code 7"), ("dies_once_started", "was ended by SIGKILL")]
)
def test_the_parent_gives_up_when_workers_die_at_once_again_and_again(
    supervise: Supervise, worker: str, reason: str
) -> None:
    supervised = supervise(worker, workers=1)
    assert supervised.left_with() == 1
    messages = supervised.log.read_text()
    assert f"5 times in a row as soon as it started ({reason})" in messages
    assert messages.count("starting another") == 4


# ---------------------------------------------------------------- metrics of several processes


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{name} is not in:\n{text}"
    return float(found[1])


def test_any_worker_tells_the_figures_of_all_also_of_dead_ones(supervise: Supervise) -> None:
    supervised = supervise("answers")
    asked = 0
    seen: set[int] = set()
    while len(seen) < 2:
        seen.add(supervised.ask()["pid"])
        asked += 1
    kill(seen.pop())
    told = supervised.ask()["metrics"]
    asked += 1
    assert metric(told, 'caret_requests_total{operation="GetObject",status="200"}') == asked
    assert metric(told, 'caret_request_seconds_count{operation="GetObject"}') == asked
    assert metric(told, 'caret_errors_total{code="NoSuchKey"}') == asked
    assert metric(told, "caret_received_bytes_total") == asked
    assert metric(told, "caret_sent_bytes_total") == 2 * asked
    assert metric(told, "caret_requests_in_flight") == 0


# ---------------------------------------------------------------- the socket


def test_port_0_takes_a_free_one() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_an_address_in_use_is_refused_with_a_way_out() -> None:
    with bind("127.0.0.1", 0) as listener, pytest.raises(StartError, match="--s3-port"):
        bind("127.0.0.1", listener.getsockname()[1])


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1"):
        bind("192.0.2.1", 0)


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(StartError, match="unknown"):
        bind("no host", 0)
