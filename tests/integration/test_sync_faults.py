"""What goes wrong during a sync: it is told, nothing is half visible, and the next run goes on where it ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.sync import Bucket, Failure, FailureKind, Folder, Memory, Progress, State, SyncError
from gateway.sync.ends import PIECE_BYTES

from .server import Server
from .syncing import MIB, Seen, begin, commits, contents, done, grow, keys, proxied, side_of, sync, tree

LARGE = 4 * PIECE_BYTES
SLOW = 100 * MIB  # bytes a second: slow enough for an observer to see several steps


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "sync.db"


@pytest.fixture
def ours(gateway: Server, name: str) -> Bucket:
    return side_of(gateway, name)


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return grow(tmp_path / "source", a=b"a", b=b"bb", c__d=b"ccc")


@pytest.fixture
def large(tmp_path: Path) -> Folder:
    return grow(tmp_path / "large", a=b"a", large=LARGE)


def at(fraction: float, act: Callable[[], None]) -> Callable[[Progress], None]:
    """Acts once, as soon as so much is done."""
    is_due = True

    def look(progress: Progress) -> None:
        nonlocal is_due
        if is_due and progress.fraction >= fraction:
            is_due = False
            act()

    return look


# ---------------------------------------------------------------- ends before its time


def test_a_killed_sync_goes_on_and_sends_only_what_is_missing(
    gateway: Server, large: Folder, memory: Path, name: str
) -> None:
    client = gateway.client()
    client.create_bucket(Bucket=name)
    with proxied(gateway) as proxy:
        process = begin(large, proxy.url, gateway, name, memory)
        proxy.act, proxy.limit = process.kill, LARGE * 5 // 8
        assert process.wait(60) == -signal.SIGKILL
        before = proxy.received
        assert keys(client, name) == {}, "nothing is visible"
        assert begin(large, proxy.url, gateway, name, memory).wait(60) == 0
        sent = proxy.received - before
    assert contents(client, name) == tree(large)
    assert commits(gateway, name) == ["sync"]
    lost = 2 * PIECE_BYTES  # what was on its way
    assert sent < LARGE - before + lost + MIB, (before, sent)
    assert sent < LARGE - PIECE_BYTES // 2


def test_a_gateway_that_is_killed_and_comes_back_interrupts_nothing(
    serve: Callable[..., Server], large: Folder, memory: Path
) -> None:
    server = serve(workers=1)
    restarts: list[threading.Thread] = []

    def restart() -> None:
        server.kill()
        restarts.append(threading.Thread(target=server.start))
        restarts[0].start()

    seen = Seen(at(0.4, restart))
    outcome = sync(large, side_of(server, "photos"), memory, seen, rate_bytes_s=50 * MIB)
    assert outcome.state is State.DONE, outcome
    [thread] = restarts
    thread.join()
    assert contents(server.client(), "photos") == tree(large)
    assert commits(server, "photos") == ["sync"]


def test_a_gateway_that_stays_away_ends_it_and_the_next_run_goes_on(
    serve: Callable[..., Server], source: Folder, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(workers=1)
    grow(source.path, **{f"large{number}": PIECE_BYTES // 4 for number in range(8)})
    monkeypatch.setattr("gateway.sync.control._PATIENCE_S", 1.0)
    with pytest.raises(SyncError, match="no gateway answers at"):
        sync(source, side_of(server, "photos"), memory, Seen(at(0.5, server.kill)), jobs=1, rate_bytes_s=SLOW)
    server.start()
    assert keys(server.client(), "photos") == {}
    outcome = done(source, side_of(server, "photos"), memory)
    assert 0 < outcome.transferred < 11
    assert contents(server.client(), "photos") == tree(source)


def test_a_cancelled_sync_shows_nothing_and_the_next_run_goes_on(
    gateway: Server, ours: Bucket, large: Folder, memory: Path
) -> None:
    stop = threading.Event()
    seen = Seen(at(0.4, stop.set))
    first = sync(large, ours, memory, seen, jobs=1, rate_bytes_s=SLOW, should_stop=stop.is_set)
    assert first.state is State.CANCELLED
    assert keys(gateway.client(), ours.bucket) == {}
    seen = Seen()
    second = sync(large, ours, memory, seen)
    assert second.state is State.DONE
    assert 0 < second.bytes_sent < LARGE
    assert first.bytes_sent + second.bytes_sent <= LARGE + PIECE_BYTES + 1
    assert seen.progress[-1].fraction == 1
    assert contents(gateway.client(), ours.bucket) == tree(large)


def test_what_was_sent_and_is_wanted_no_more_is_not_committed(
    gateway: Server, ours: Bucket, source: Folder, memory: Path
) -> None:
    client = gateway.client()
    client.create_bucket(Bucket=ours.bucket)
    grow(source.path, z=LARGE)
    seen = Seen()

    def small_ones_are_there() -> bool:
        return any(progress.files_done == 3 for progress in seen.progress[-1:])

    first = sync(source, ours, memory, seen, jobs=2, rate_bytes_s=SLOW / 2, should_stop=small_ones_are_there)
    assert (first.state, first.transferred) == (State.CANCELLED, 3)
    (source.path / "a").unlink()
    (source.path / "b").write_bytes(b"BB")
    done(source, ours, memory)
    assert contents(client, ours.bucket) == tree(source)
    assert len(commits(gateway, ours.bucket)) == 1


def test_an_upload_of_a_file_that_has_changed_since_begins_anew(
    gateway: Server, ours: Bucket, large: Folder, memory: Path
) -> None:
    stop = threading.Event()
    sync(large, ours, memory, Seen(at(0.5, stop.set)), jobs=1, rate_bytes_s=SLOW, should_stop=stop.is_set)
    grow(large.path, large=LARGE)
    done(large, ours, memory)
    assert contents(gateway.client(), ours.bucket) == tree(large)


def test_between_endpoints_an_upload_goes_on_without_reading_again(
    gateway: Server, tls_gateway: Server, large: Folder, memory: Path, name: str
) -> None:
    theirs = side_of(gateway, name, is_ours=False)
    done(large, theirs, memory)
    assert tls_gateway.certificate is not None
    ours = side_of(tls_gateway, name)
    ours = replace(ours, reach=replace(ours.reach, ca_bundle=str(tls_gateway.certificate.path)))
    stop = threading.Event()
    sync(theirs, ours, memory, Seen(at(0.5, stop.set)), jobs=1, rate_bytes_s=SLOW, should_stop=stop.is_set)
    second = done(theirs, ours, memory)
    assert 0 < second.bytes_sent < LARGE
    assert contents(tls_gateway.client(), name) == tree(large)


def test_downloads_that_are_cancelled_leave_nothing_behind(
    ours: Bucket, large: Folder, memory: Path, tmp_path: Path
) -> None:
    done(large, ours, memory)
    stop = threading.Event()
    down = Folder(tmp_path / "down")
    outcome = sync(ours, down, memory, Seen(at(0.5, stop.set)), jobs=2, rate_bytes_s=SLOW, should_stop=stop.is_set)
    assert outcome.state is State.CANCELLED
    assert set(tree(down)) <= {"a"}
    done(ours, down, memory)
    assert tree(down) == tree(large)


# ---------------------------------------------------------------- a source that does not keep still


def test_a_file_that_keeps_changing_is_told_and_nothing_is_committed(
    gateway: Server, ours: Bucket, large: Folder, memory: Path
) -> None:
    def change(progress: Progress) -> None:
        with (large.path / "large").open("ab") as file:
            file.write(b"x")

    seen = Seen(change)
    outcome = sync(large, ours, memory, seen, jobs=1, rate_bytes_s=200 * MIB)
    assert outcome.state is State.CHANGED
    assert [(failure.path, failure.kind) for failure in outcome.failures] == [("large", FailureKind.CHANGED)]
    assert seen.failures == list(outcome.failures)
    assert keys(gateway.client(), ours.bucket) == {}
    again = done(large, ours, memory)
    assert (again.transferred, again.bytes_sent) == (1, len(tree(large)["large"])), "the other one was sent already"
    assert contents(gateway.client(), ours.bucket) == tree(large)


def shorten(path: Path) -> None:
    path.write_bytes(b"short now")


def test_a_file_that_changes_once_is_read_again(gateway: Server, ours: Bucket, large: Folder, memory: Path) -> None:
    path = large.path / "large"
    seen = Seen(at(0.3, lambda: shorten(path)))
    outcome = sync(large, ours, memory, seen, jobs=1, rate_bytes_s=SLOW)
    assert outcome.state is State.DONE
    assert contents(gateway.client(), ours.bucket) == {"a": b"a", "large": b"short now"}
    assert seen.progress[-1].fraction == 1


def test_a_file_that_vanishes_is_told(gateway: Server, ours: Bucket, large: Folder, memory: Path) -> None:
    seen = Seen(lambda progress: (large.path / "a").unlink(missing_ok=True))
    outcome = sync(large, ours, memory, seen)
    assert outcome.state is State.CHANGED
    assert outcome.failures == (Failure("a", FailureKind.CHANGED, "it vanished"),)
    assert keys(gateway.client(), ours.bucket) == {}


def test_an_object_that_changes_once_is_read_again(
    gateway: Server, large: Folder, memory: Path, name: str, tmp_path: Path
) -> None:
    theirs, client = side_of(gateway, name, is_ours=False), gateway.client()
    done(large, theirs, memory)
    seen = Seen(at(0.3, lambda: client.put_object(Bucket=name, Key="large", Body=b"short now")))
    down = Folder(tmp_path / "down")
    assert sync(theirs, down, memory, seen, jobs=1, rate_bytes_s=SLOW).state is State.DONE
    assert tree(tmp_path / "down") == {"a": b"a", "large": b"short now"}


def test_a_bucket_of_ours_does_not_change_under_a_sync(
    gateway: Server, ours: Bucket, large: Folder, memory: Path, tmp_path: Path
) -> None:
    done(large, ours, memory)
    client = gateway.client()

    def change() -> None:
        client.put_object(Bucket=ours.bucket, Key="large", Body=b"short now")
        client.delete_object(Bucket=ours.bucket, Key="a")

    outcome = sync(ours, Folder(tmp_path / "down"), memory, Seen(at(0.0, change)), jobs=1)
    assert outcome.state is State.DONE
    assert tree(tmp_path / "down") == tree(large)


@pytest.fixture
def unprivileged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For root every file is readable: the test goes on as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    root = tmp_path_factory.getbasetemp()
    opened = [folder for folder in (*root.parents, root) if not folder.stat().st_mode & 0o001]
    modes = {folder: folder.stat().st_mode for folder in opened}
    for folder in opened:
        folder.chmod(0o711)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


@pytest.mark.parametrize("partial", [False, True])
def test_what_may_not_be_read_is_told(
    gateway: Server, ours: Bucket, source: Folder, memory: Path, tmp_path: Path, request: Any, partial: bool
) -> None:
    gateway.client().create_bucket(Bucket=ours.bucket)
    gateway.client().put_object(Bucket=ours.bucket, Key="c/old", Body=b"")
    (source.path / "a").chmod(0)
    (source.path / "c").chmod(0)
    tmp_path.chmod(0o755)
    with Memory.open(memory) as opened:
        request.getfixturevalue("unprivileged")
        outcome = sync(source, ours, opened, delete=True, partial=partial)
    assert outcome.state is State.FAILED
    assert {failure.path: failure.reason for failure in outcome.failures} == dict.fromkeys("ac", "Permission denied")
    assert outcome.transferred == 1
    assert set(keys(gateway.client(), ours.bucket)) == ({"b", "c/old"} if partial else {"c/old"})
    assert (outcome.commit_id is not None) is partial


# ---------------------------------------------------------------- somebody else


def test_who_writes_meanwhile_makes_it_plan_anew(gateway: Server, ours: Bucket, source: Folder, memory: Path) -> None:
    client = gateway.client()
    client.create_bucket(Bucket=ours.bucket)

    def write() -> None:
        client.put_object(Bucket=ours.bucket, Key="a", Body=b"somebody's")
        client.put_object(Bucket=ours.bucket, Key="theirs", Body=b"somebody's")

    seen = Seen(at(0.0, write))
    outcome = sync(source, ours, memory, seen)
    assert outcome.state is State.DONE
    assert len(seen.plans) == 1
    assert seen.progress[-1].fraction == 1
    assert contents(client, ours.bucket) == {**tree(source), "theirs": b"somebody's"}


def test_who_always_writes_meanwhile_is_not_fought(gateway: Server, ours: Bucket, source: Folder, memory: Path) -> None:
    client = gateway.client()
    client.create_bucket(Bucket=ours.bucket)
    seen = Seen(lambda progress: client.put_object(Bucket=ours.bucket, Key="a", Body=os.urandom(8)))
    outcome = sync(source, ours, memory, seen)
    assert outcome.state is State.REFUSED
    assert "tried 2 times" in outcome.reason
    assert set(keys(client, ours.bucket)) == {"a"}
    api = gateway.api()
    assert api.call("list_transactions", repo=ours.bucket).transactions == []


def test_two_syncs_of_one_tree_at_once_both_succeed(
    gateway: Server, ours: Bucket, source: Folder, memory: Path
) -> None:
    gateway.client().create_bucket(Bucket=ours.bucket)
    states: list[State] = []

    def run() -> None:
        states.append(sync(source, ours, memory).state)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [State.DONE] * 3
    assert contents(gateway.client(), ours.bucket) == tree(source)
    assert len(commits(gateway, ours.bucket)) == 1


def test_a_branch_that_moves_before_the_transaction_begins_is_listed_again(
    gateway: Server, ours: Bucket, source: Folder, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = gateway.client()
    client.create_bucket(Bucket=ours.bucket)
    from gateway.sync.ours import TransactionDestination

    opened = TransactionDestination.open

    def late(destination: TransactionDestination, message: str) -> bool:
        client.put_object(Bucket=ours.bucket, Key="theirs", Body=b"somebody's")
        client.put_object(Bucket=ours.bucket, Key="a", Body=b"a")
        return opened(destination, message)

    monkeypatch.setattr(TransactionDestination, "open", late)
    outcome = done(source, ours, memory, delete=True)
    assert (outcome.transferred, outcome.deleted, outcome.unchanged) == (2, 1, 1)
    assert contents(client, ours.bucket) == tree(source)


# ---------------------------------------------------------------- what a destination cannot hold


def test_keys_that_are_no_file_names_fail_alone(gateway: Server, bucket: str, memory: Path, tmp_path: Path) -> None:
    client = gateway.client()
    bad = ["../up", "a//b", "/root", "x/../y", "file/below", "n" * 300, ".caret-sync-1.part"]
    for key in ["file", "fine/one", *bad]:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    (tmp_path / "down").mkdir()
    outcome = sync(side_of(gateway, bucket), Folder(tmp_path / "down"), memory, jobs=1)
    assert outcome.state is State.FAILED
    assert {failure.path for failure in outcome.failures} == set(bad)
    assert tree(tmp_path / "down") == {"file": b"file", "fine/one": b"fine/one"}
    assert not (tmp_path / "up").exists()


def test_keys_that_are_too_long_fail_alone(gateway: Server, ours: Bucket, source: Folder, memory: Path) -> None:
    side = replace(ours, prefix="p" * 1000 + "/")
    grow(source.path, **{"n" * 50: b"x"})
    outcome = sync(source, side, memory)
    assert outcome.state is State.FAILED
    [failure] = outcome.failures
    assert failure.path == "n" * 50
    assert "KeyTooLong" in failure.reason


# ---------------------------------------------------------------- at its pace


def test_a_wait_is_kept_between_files(ours: Bucket, source: Folder, memory: Path) -> None:
    start = time.monotonic()
    done(source, ours, memory, wait_s=0.2)
    assert time.monotonic() - start >= 0.4


def test_a_rate_is_kept(ours: Bucket, memory: Path, tmp_path: Path) -> None:
    import time

    source = grow(tmp_path / "source", a=300_000, b=300_000)
    start = time.monotonic()
    done(source, ours, memory, rate_bytes_s=1_000_000)
    assert 0.5 <= time.monotonic() - start < 10
    start = time.monotonic()
    done(ours, Folder(tmp_path / "down"), memory, rate_bytes_s=1_000_000)
    assert 0.5 <= time.monotonic() - start < 10


def test_nothing_secret_is_remembered(gateway: Server, ours: Bucket, source: Folder, memory: Path) -> None:
    done(source, ours, memory)
    kept = b"".join(path.read_bytes() for path in memory.parent.iterdir())
    assert b"source" in kept
    for secret in (gateway.secret_key, gateway.access_key):
        assert secret.encode() not in kept
