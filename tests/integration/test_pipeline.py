"""docs/examples/pipeline_step.py as a process: it answers each commit once, also when killed and started again."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from gateway.client import Client, Credentials, Reach

from .server import REPOSITORY, Server, clean_environment


def start(server: Server, client: Client) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "docs/examples/pipeline_step.py"],
        cwd=REPOSITORY,
        env=clean_environment(**client.reach.environment()),
        stdout=subprocess.PIPE,
        text=True,
    )


def answers(step: subprocess.Popen[str], number: int) -> list[str]:
    assert step.stdout is not None
    return [step.stdout.readline().split()[1] for _ in range(number)]


def kill(step: subprocess.Popen[str]) -> None:
    assert step.stdout is not None
    step.kill()
    step.wait(10)
    step.stdout.close()


def read(client: Client, key: str) -> bytes:
    with client.read("derived", key) as content:
        return content.read()


def test_a_step_that_is_killed_goes_on_and_does_nothing_twice(serve: Any) -> None:
    server = serve(workers=1)
    with Client(Reach(server.url, Credentials(server.access_key, server.secret_key), server.region)) as client:
        client.create_repo("raw")
        client.create_repo("derived")
        first = client.write("raw", "a", b"one two")
        step = start(server, client)
        assert answers(step, 1) == [first]
        second = client.write("raw", "b", b"one two three")
        assert answers(step, 1) == [second]
        assert (read(client, "a"), read(client, "b")) == (b"2", b"3")
        kill(step)

        # Half an answer, as of a step that was killed inside a transaction: it is never seen.
        third = client.write("raw", "a", b"one")
        begun = client.begin_transaction("derived", "main", metadata={"input": third})
        branch, _, repo = begun.bucket.partition(".")
        client.write(repo, "a", b"half an answer", branch=branch)

        step = start(server, client)
        assert answers(step, 1) == [third], "neither the first nor the second once more"
        assert read(client, "a") == b"1"
        kill(step)

        made = list(client.commits("derived"))
        assert [commit.metadata.get("input") for commit in made] == [third, second, first, None]
        assert [commit.changes for commit in made[:3]] == [1, 1, 1], "only what changed"
