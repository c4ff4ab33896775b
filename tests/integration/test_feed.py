"""The feed of commits: pages, waiting for the first new one, and the stream; whichever process writes, and however
the connection ends."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest

from gateway.api import model
from gateway.client.connection import Connection, Refusal, Unreachable

from .server import Server, running, until

SOON_S = 1.0


def put(s3: Any, bucket: str, key: str = "k") -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"])


def page(api: Connection, repo: str, **fields: Any) -> model.FeedPage:
    found = api.call("feed", repo=repo, branch="main", **fields)
    assert isinstance(found, model.FeedPage)
    return found


def ids(found: model.FeedPage) -> list[str]:
    return [commit.id for commit in found.commits]


def followers(server: Server) -> float:
    metrics = server.get("/-/metrics")[2].decode()
    return sum(float(value) for value in re.findall(r"^caret_feed_followers ([0-9.]+)$", metrics, re.MULTILINE))


class Following:
    """A stream, read by a thread of its own; `end` is what it ended with."""

    def __init__(self, api: Connection, repo: str, **fields: Any) -> None:
        self.ids: list[str] = []
        self.end: Exception | None = None
        self._events = api.follow("follow_feed", repo=repo, branch="main", **fields)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for commit in self._events:
                self.ids.append(commit.id)
        except (Refusal, Unreachable) as exc:
            self.end = exc

    def ended(self, wait_s: float) -> bool:
        self._thread.join(wait_s)
        return not self._thread.is_alive()


@contextlib.contextmanager
def following(server: Server, api: Connection, repo: str, **fields: Any) -> Iterator[Following]:
    least = followers(server)
    found = Following(api, repo, **fields)

    def is_there() -> bool:
        nonlocal least
        now = followers(server)
        least = min(least, now)  # those of earlier tests may leave only now
        return now > least

    until(is_there, 10, "the follower to be there")
    yield found


# ---------------------------------------------------------------- pages


def test_a_feed_is_read_in_pages(api: Connection, s3: Any, bucket: str) -> None:
    made = [put(s3, bucket) for _ in range(5)]
    found, since = [], None
    while (some := page(api, bucket, since=since, limit=2)).commits:
        found += ids(some)
        since = some.next
        assert some.next == found[-1]
    assert found == made
    assert some.next == made[-1]
    assert page(api, bucket, since=made[3]).commits[0].parents == [made[3]]


def test_a_page_names_the_bucket_that_shows_it(api: Connection, s3: Any, bucket: str) -> None:
    first, second = put(s3, bucket, "a"), put(s3, bucket, "b")
    early, late = page(api, bucket, limit=1), page(api, bucket, since=first)
    assert (early.next, late.next) == (first, second)
    for shown, keys in ((early, ["a"]), (late, ["a", "b"]), (page(api, bucket, since=second), ["a", "b"])):
        listed = s3.list_objects_v2(Bucket=shown.bucket)["Contents"]
        assert [found["Key"] for found in listed] == keys


def test_a_name_that_leaves_too_little_room_has_fewer_digits_or_no_bucket(api: Connection, s3: Any, name: str) -> None:
    for length, digits in ((57 - 16, 16), (57 - 8, 8), (57 - 7, 0)):
        repo = name.ljust(length, "x")  # a dot, "main", a dot, and the digits are the rest of 63
        s3.create_bucket(Bucket=repo)
        put(s3, repo)
        shown = page(api, repo).bucket
        assert shown.partition(".")[0] == page(api, repo).next[:digits]
        if digits:
            assert s3.list_objects_v2(Bucket=shown)["KeyCount"] == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"since": "nowhere"}, 404, "NoSuchRevision"),
        ({"since": "%%"}, 400, "InvalidRevision"),
        ({"branch": "none"}, 404, "NoSuchBranch"),
        ({"repo": "no-such-repo"}, 404, "NoSuchRepo"),
    ],
)
def test_what_is_not_there_is_refused_before_a_stream_begins(
    api: Connection, bucket: str, fields: dict[str, Any], status: int, code: str
) -> None:
    asked: dict[str, Any] = {"repo": bucket, "branch": "main", **fields}
    for name in ("feed", "follow_feed"):
        with pytest.raises(Refusal) as refused:
            api.call(name, **asked)
        assert (refused.value.status, refused.value.code) == (status, code)


@pytest.mark.parametrize(("value", "code"), [("0" * 64, "NoSuchRevision"), ("%%", "InvalidRevision")])
def test_a_last_event_id_that_names_nothing_is_refused(api: Connection, bucket: str, value: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        next(api.follow("follow_feed", repo=bucket, branch="main", last_event_id=value))
    assert refused.value.code == code


def test_a_last_event_id_belongs_into_the_header(api: Connection, bucket: str) -> None:
    with pytest.raises(Refusal) as refused:
        api.send("GET", f"/-/api/v1/repos/{bucket}/branches/main/events", "last_event_id=HEAD")
    assert refused.value.code == "InvalidArgument"


# ---------------------------------------------------------------- waiting


def waits_until(call: Callable[[], Any], act: Callable[[], Any]) -> tuple[Any, Any, float]:
    """What `call` returned and `act` did while it waited, and how long after that it returned."""
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(call)
        time.sleep(0.3)
        assert not waiting.done()
        done = act()
        started = time.monotonic()
        return waiting.result(20), done, time.monotonic() - started


def test_whoever_waits_is_woken_by_whichever_worker_writes(gateway: Server, api: Connection, bucket: str) -> None:
    for _ in range(6):  # of two workers each has written by then, almost surely
        found, made, seconds = waits_until(
            lambda: page(api, bucket, since="HEAD", wait_s=20), lambda: put(gateway.client(), bucket)
        )
        assert ids(found) == [made]
        assert found.next == made
        assert seconds < SOON_S


def test_whoever_waits_is_woken_by_another_gateway(serve: Callable[..., Server]) -> None:
    one = serve(workers=1)
    s3 = one.client()
    s3.create_bucket(Bucket="shared")
    with running(Server(one.data, workers=1)) as other, contextlib.closing(other.api()) as api:
        found, made, seconds = waits_until(
            lambda: page(api, "shared", since="HEAD", wait_s=20), lambda: put(s3, "shared")
        )
        assert ids(found) == [made]
        assert seconds < SOON_S


def test_waiting_in_vain_ends_in_an_empty_page(api: Connection, s3: Any, bucket: str) -> None:
    head = put(s3, bucket)
    started = time.monotonic()
    found = page(api, bucket, since="HEAD", wait_s=1)
    assert (found.commits, found.next) == ([], head)
    assert 1 <= time.monotonic() - started < 5


def test_whoever_waits_for_a_branch_that_is_deleted_is_told(api: Connection, s3: Any, bucket: str) -> None:
    def wait() -> str:
        with pytest.raises(Refusal) as refused:
            page(api, bucket, since="HEAD", wait_s=20)
        return refused.value.code

    code, _, seconds = waits_until(wait, lambda: s3.delete_bucket(Bucket=bucket))
    assert code in ("NoSuchBranch", "NoSuchRepo")
    assert seconds < SOON_S


# ---------------------------------------------------------------- the stream


def test_a_stream_tells_of_new_commits_only(gateway: Server, api: Connection, s3: Any, bucket: str) -> None:
    put(s3, bucket)
    with following(gateway, api, bucket) as first:
        made = [put(s3, bucket) for _ in range(3)]
        until(lambda: len(first.ids) == 3, SOON_S, "the commits")
        assert first.ids == made
    with following(gateway, api, bucket, since=made[0]) as second:
        until(lambda: second.ids == made[1:], SOON_S, "the commits behind the first")
    with following(gateway, api, bucket, since=made[0], last_event_id=made[1]) as third:
        until(lambda: third.ids == made[2:], SOON_S, "the commits behind the last that was seen")
    s3.delete_bucket(Bucket=bucket)
    assert all(stream.ended(5) for stream in (first, second, third))


def test_the_stream_of_a_branch_that_is_deleted_ends(gateway: Server, api: Connection, s3: Any, bucket: str) -> None:
    with following(gateway, api, bucket) as stream:
        s3.delete_bucket(Bucket=bucket)
        assert stream.ended(2)
        assert isinstance(stream.end, Refusal)
        assert stream.end.code in ("NoSuchBranch", "NoSuchRepo")


def test_events_are_as_the_standard_has_them(gateway: Server, api: Connection, s3: Any, bucket: str) -> None:
    made = put(s3, bucket)
    reply = api.send("GET", f"/-/api/v1/repos/{bucket}/branches/main/events", "since=HEAD%5E", stream=True)
    with contextlib.closing(reply):
        assert reply.headers["Content-Type"] == "text/event-stream"
        text = b""
        while text.count(b"\n\n") < 2:
            text += reply.read1(65_536)
    retry, event = text.decode().removesuffix("\n\n").split("\n\n")
    assert re.fullmatch(r"retry: [0-9]+", retry)
    assert re.fullmatch(rf'id: {made}\nevent: commit\ndata: {{"id":"{made}",.*}}', event)


def test_a_reader_that_is_cut_off_again_and_again_misses_and_repeats_nothing(
    gateway: Server, api: Connection, bucket: str
) -> None:
    chance = random.Random(4)
    start = page(api, bucket).next
    seen: list[str] = []
    with ThreadPoolExecutor(3) as threads:
        writing = [threads.submit(write_many, gateway, bucket, f"w{number}", 40) for number in range(3)]
        while len(seen) < 120:
            stream = api.follow("follow_feed", repo=bucket, branch="main", last_event_id=seen[-1] if seen else start)
            seen += [commit.id for commit in islice(stream, min(chance.randint(1, 15), 120 - len(seen)))]
            stream.close()  # type: ignore[attr-defined]
        made = {made for written in writing for made in written.result()}
    assert len(seen) == len(set(seen)) == 120
    assert set(seen) == made
    assert seen == [made for made in ids(page(api, bucket, limit=1000)) if made in set(seen)]


def write_many(server: Server, bucket: str, key: str, count: int) -> list[str]:
    s3 = server.client()
    return [put(s3, bucket, key) for _ in range(count)]


def test_a_vanished_client_leaves_nothing_behind(serve: Callable[..., Server]) -> None:
    server = serve(workers=1)
    server.client().create_bucket(Bucket="images")
    with contextlib.closing(server.api()) as api:
        streams = [
            api.send("GET", "/-/api/v1/repos/images/branches/main/events", stream=True) for _ in range(5)
        ]  # fmt: skip
        until(lambda: followers(server) == 5, 5, "five followers")
        for stream in streams:
            stream.close()
        until(lambda: followers(server) == 0, 20, "no follower")


def test_open_streams_and_waiting_calls_do_not_hold_up_the_end(serve: Callable[..., Server]) -> None:
    server = serve(workers=2)
    server.client().create_bucket(Bucket="images")
    api = server.api()
    with ThreadPoolExecutor(1) as threads:
        streams = [Following(api, "images") for _ in range(4)]
        waiting = threads.submit(page, api, "images", since="HEAD", wait_s=60)
        until(lambda: followers(server) == 5, 5, "five followers")
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 5
        assert waiting.result(5).commits == []
        assert all(stream.ended(5) and stream.end is None for stream in streams)
    api.close()
    assert "Traceback" not in server.log.read_text()
