"""Waiting for heads to move: who is woken, and that nothing is looked at for nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.access.principals import ROOT
from gateway.handlers.context import Call
from gateway.handlers.heads import Follower, Heads
from tests.stores import Checkout

T = TypeVar("T")


def test_each_follower_of_a_branch_is_woken_and_no_other(main: Checkout) -> None:
    other = main.fork("other")

    async def run(call: Call) -> list[bool]:
        heads = Heads()
        with (
            heads.following(call, main.branch) as one,
            heads.following(call, main.branch) as two,
            heads.following(call, other.branch) as three,
        ):
            await asyncio.sleep(0.5)  # the first look, which takes every head for a new one
            changes = [follower.change() for follower in (one, two, three)]
            await call.work(main.put, "k")
            return list(await asyncio.gather(*(Follower.wait(change, 0.6) for change in changes)))

    assert in_loop(main, run) == [True, True, False]


def test_a_write_of_this_process_wakes_at_once(main: Checkout) -> None:
    async def run(call: Call) -> float:
        heads = Heads()
        with heads.following(call, main.branch) as follower:
            waited = []
            for number in range(10):
                await asyncio.sleep(0.05)
                change = follower.change()
                await call.work(main.put, f"k{number}")
                started = time.monotonic()
                heads.nudge()
                assert await Follower.wait(change, 5)
                waited.append(time.monotonic() - started)
            return sorted(waited)[len(waited) // 2]

    assert in_loop(main, run) < 0.1


def test_while_nobody_follows_nothing_is_looked_at(main: Checkout) -> None:
    async def run(call: Call) -> tuple[int, int]:
        heads = Heads()
        before = len(asyncio.all_tasks())
        heads.nudge()
        with heads.following(call, main.branch):
            during = len(asyncio.all_tasks())
        await asyncio.sleep(0.5)
        return during - before, len(asyncio.all_tasks()) - before

    assert in_loop(main, run) == (1, 0)


def test_closing_wakes_everyone(main: Checkout) -> None:
    async def run(call: Call) -> bool:
        heads = Heads()
        with heads.following(call, main.branch) as follower:
            change = follower.change()
            heads.close()
            return await Follower.wait(change, 1) and heads.is_closed

    assert in_loop(main, run)


def in_loop(main: Checkout, run: Callable[[Call], Coroutine[None, None, T]]) -> T:
    with ThreadPoolExecutor(4) as threads:
        return asyncio.run(run(Call(main.store, threads, ROOT)))
