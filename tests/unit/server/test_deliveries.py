"""Deliveries of a deliverer in this process, with little patience: retries, order, who may be told, hooks that hang."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import pytest

from gateway.access.destinations import Destinations
from gateway.access.principals import ROOT
from gateway.handlers.attributes import OWNER, dump_owner
from gateway.s3.operations import Owner
from gateway.server.webhooks import Deliverer, Schedule
from pfs import Webhook
from tests.integration.receiver import Receiver, Told
from tests.integration.server import until
from tests.stores import PROJECT, Checkout

LOCAL = Destinations.parse(["127.0.0.1/32"])
QUICK = Schedule(timeout_s=0.5, first_s=0.1, most_s=0.4, give_up_s=60, look_every_s=0.02, spare_s=0.2)
ROOTS, ANNS = (dump_owner(Owner(who, who)) for who in (ROOT.id, "ann"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@contextmanager
def delivering(
    main: Checkout, schedule: Schedule = QUICK, destinations: Destinations = LOCAL, deliverers: int = 1
) -> Iterator[None]:
    """Deliverers at work, as in as many workers."""
    loop = asyncio.new_event_loop()

    async def run() -> None:
        with ThreadPoolExecutor(4) as threads:
            found = [Deliverer(main.store, threads, destinations, schedule).run() for _ in range(deliverers)]
            await asyncio.gather(*found)

    with ThreadPoolExecutor(1) as thread:
        task = loop.create_task(run())

        def serve() -> None:
            try:
                loop.run_until_complete(task)
            except asyncio.CancelledError:
                return
            finally:
                loop.close()

        served = thread.submit(serve)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(task.cancel)
            served.result(10)


def hook(main: Checkout, url: str, author: str = ROOTS) -> Webhook:
    return main.store.create_webhook(
        PROJECT, main.branch.repo, branches="*", url=url, secret="0123456789abcdef", author=author
    ).result()


def put(checkout: Checkout, *keys: str) -> list[str]:
    return [checkout.put(key, key.encode()).commit_id for key in keys]


def last_error(main: Checkout) -> str:
    return main.store.webhooks(main.store.repo(PROJECT, main.branch.repo))[0].last_error


def test_commits_are_told_signed_and_in_order(main: Checkout, receiver: Receiver) -> None:
    webhook = hook(main, receiver.url + "/hook?x=1")
    with delivering(main):
        made = put(main, *"abcdefgh")
        until(lambda: len(receiver.told) == len(made), 10, "the deliveries")
    assert receiver.commits() == made
    for told in receiver.told:
        assert told.is_signed_with(webhook.secret)
        assert not told.is_signed_with("another")
        assert told.path == "/hook?x=1"
        assert told.headers["X-Caret-Event"] == "commit"
        assert told.document["webhook"] == webhook.id
        assert told.document["bucket"] == f"{told.commit[:16]}.main.images"
    assert len({told.headers["X-Caret-Delivery"] for told in receiver.told}) == len(made)


def test_what_fails_is_tried_again_with_growing_gaps_and_nothing_overtakes_it(
    main: Checkout, receiver: Receiver
) -> None:
    hook(main, receiver.url)
    receiver.answer = lambda _: 500 if len(receiver.told) <= 4 else 200
    with delivering(main):
        made = put(main, *"abc")
        until(lambda: last_error(main) == "main: answered 500", 10, "the error to be shown")
        until(lambda: len(receiver.taken) == 3, 10, "the deliveries")
        until(lambda: last_error(main) == "", 5, "the error to be gone")
    assert receiver.commits() == made
    tries = [told for told in receiver.told if told.commit == made[0]]
    assert len(tries) == 5
    assert len({told.headers["X-Caret-Delivery"] for told in tries}) == 1
    gaps = [after.at - before.at for before, after in pairwise(tries)]
    assert gaps[0] < gaps[2]
    assert gaps[2] >= 0.3  # of 0.4 at most, a quarter off


@pytest.mark.parametrize("status", [301, 307, 404])
def test_a_redirect_is_not_followed(main: Checkout, receiver: Receiver, status: int) -> None:
    hook(main, receiver.url)
    receiver.answer = lambda _: status
    with delivering(main):
        put(main, "a")
        until(lambda: last_error(main) == f"main: answered {status}", 10, "the error")
    assert {told.path for told in receiver.told} == {"/"}


def test_a_commit_that_fails_for_too_long_is_passed_over(main: Checkout, receiver: Receiver) -> None:
    hook(main, receiver.url)
    with delivering(main, Schedule(first_s=0.05, give_up_s=0.3, look_every_s=0.02)):
        receiver.answer = lambda told: 500 if told.commit == bad else 200
        bad = ""
        first = put(main, "a")
        until(lambda: receiver.commits() == first, 10, "the first")
        receiver.answer = lambda _: 500
        (bad,) = put(main, "b")
        until(lambda: "was passed over after 3 attempts: answered 500" in last_error(main), 10, "giving up")
        receiver.answer = lambda _: 200
        last = put(main, "c")
        until(lambda: receiver.commits() == first + last, 10, "the last")
        until(lambda: last_error(main) == "", 5, "the error to be gone")


def test_a_hook_that_hangs_does_not_delay_another(main: Checkout, receiver: Receiver) -> None:
    def hang(_: Told) -> int:
        time.sleep(1)
        return 200

    slow = Receiver(hang)
    for number in range(6):
        main.fork(f"b{number}")
    hook(main, slow.url)
    hook(main, receiver.url)
    with delivering(main):
        started = time.monotonic()
        made = put(main, *"abc")
        until(lambda: len(receiver.told) == 3, 10, "the quick one's deliveries")
        assert time.monotonic() - started < 1
        until(lambda: last_error(main) == "main: no answer within 0.5 s", 10, "the slow one's error")
    slow.stop()
    assert receiver.commits() == made


def test_of_several_deliverers_one_delivers(main: Checkout, receiver: Receiver) -> None:
    hook(main, receiver.url)
    with delivering(main, deliverers=4):
        made = put(main, *"abcdefghijklmnop")
        until(lambda: len(receiver.told) >= len(made), 10, "the deliveries")
        time.sleep(0.2)
    assert [told.commit for told in receiver.told] == made


def test_a_deleted_hook_is_told_no_more(main: Checkout, receiver: Receiver) -> None:
    webhook = hook(main, receiver.url)
    receiver.answer = lambda _: 500
    with delivering(main):
        put(main, *"ab")
        until(lambda: receiver.told, 10, "an attempt")
        main.store.delete_webhook(PROJECT, main.branch.repo, webhook.id).result()
        time.sleep(0.1)
        count = len(receiver.told)
        time.sleep(1)
    assert len(receiver.told) == count


def test_nobody_is_told_of_somebody_elses_branch(main: Checkout, receiver: Receiver) -> None:
    main.store.set_branch_setting(main.branch, OWNER, ANNS).result()
    dev = main.fork("dev")
    hook(main, receiver.url, ANNS)
    with delivering(main):
        put(dev, "d")
        made = put(main, "m")
        until(lambda: receiver.told, 10, "the delivery")
        time.sleep(0.3)
    assert receiver.commits() == made


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_an_internal_address_is_never_connected_to(main: Checkout, receiver: Receiver, host: str) -> None:
    hook(main, receiver.url.replace("127.0.0.1", host))
    with delivering(main, destinations=Destinations()):
        put(main, "a")
        until(lambda: "no public address" in last_error(main), 10, "the error")
    assert receiver.told == []
