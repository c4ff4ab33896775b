"""What holds a run back, and the crew that is held."""

from __future__ import annotations

import threading
import time
from functools import partial
from urllib.parse import quote

import pytest

from gateway.client import Refusal, Unreachable
from gateway.sync.control import Control
from gateway.sync.crew import Crew, Task
from gateway.sync.faults import Cancelled
from gateway.sync.model import SyncError


def never() -> bool:
    return False


def refusal(status: int, code: str = "X") -> Refusal:
    return Refusal(status, code, "says no", {}, "")


def test_the_rate_holds_for_all_threads_together() -> None:
    control = Control(never, rate_bytes_s=1_000_000)
    start = time.monotonic()

    def move() -> None:
        for _ in range(5):
            control.take(10_000)

    threads = [threading.Thread(target=move) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.28 <= time.monotonic() - start < 2


@pytest.mark.parametrize("wait", ["take", "wait"])
def test_whoever_waits_is_told_to_stop(wait: str) -> None:
    stop = threading.Event()
    control = Control(stop.is_set, rate_bytes_s=1.0)
    control.take(1000)
    threading.Timer(0.1, stop.set).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        control.take(1) if wait == "take" else control.wait(1000)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (Unreachable("gone"), True),
        (refusal(503), True),
        (refusal(500), True),
        (refusal(400, "RequestTimeout"), True),
        (refusal(404), False),
        (refusal(403), False),
        (refusal(501), False),
        (refusal(507), False),
    ],
    ids=lambda value: quote(str(value)),
)
def test_what_may_pass_is_tried_again(error: Exception, is_tried_again: bool) -> None:
    answers = iter([error, None])

    def ask() -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "yes"

    if is_tried_again:
        assert Control(never).persist(ask) == "yes"
    else:
        with pytest.raises(type(error)):
            Control(never).persist(ask)


@pytest.mark.parametrize("was_answered", [False, True])
def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch, was_answered: bool) -> None:
    def ask() -> None:
        raise Unreachable("no gateway answers")

    monkeypatch.setattr("gateway.sync.control._PATIENCE_S", 0.3 if was_answered else 1000)
    monkeypatch.setattr("gateway.sync.control._FIRST_PATIENCE_S", 1000 if was_answered else 0.3)
    control, start = Control(never), time.monotonic()
    if was_answered:
        control.persist(lambda: None)
    with pytest.raises(SyncError, match="no gateway answers"):
        control.persist(ask)
    assert time.monotonic() - start < 10


def work(control: Control, size: int, tasks: list[Task]) -> None:
    with Crew(size, control) as crew:
        for task in tasks:
            crew.give(task)


def test_a_crew_does_all_and_what_tasks_add_comes_first() -> None:
    done: list[int] = []
    with Crew(1, Control(never)) as crew:

        def add() -> None:
            for number in (3, 2, 1):
                crew.add(partial(done.append, number))

        crew.give(add)
        for number in range(10, 60):
            crew.give(partial(done.append, number))
    assert sorted(done) == [1, 2, 3, *range(10, 60)]
    assert [number for number in done if number < 10] == [1, 2, 3]


def test_the_first_error_ends_a_crew_and_what_waits_is_not_begun() -> None:
    control = Control(never)
    begun: list[int] = []

    def fail() -> None:
        raise ValueError("first")

    tasks: list[Task] = [partial(begun.append, number) for number in range(1000)]
    with pytest.raises(ValueError, match="first"):
        work(control, 2, [*tasks[:3], fail, *tasks])
    assert len(begun) < 100
    with pytest.raises(Cancelled):
        control.check()


def test_an_error_of_whoever_gives_the_tasks_ends_it_too() -> None:
    def give() -> None:
        with Crew(2, Control(never)) as crew:
            crew.give(lambda: None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sync-")]
