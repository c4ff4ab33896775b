"""`caret sync`, as a process, between folders and live gateways: each option, each exit code, each way to be told."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client, Credentials, Reach

from .carets import Caret
from .server import REPOSITORY, Server, until

MIB = 1024 * 1024
PLENTY, SIZE = (
    6,
    MIB // 2,
)  # files, none so small that it travels with others, of which some are left when a signal comes


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What a user's programs remember lies below it."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def caret(gateway: Server, home: Path, tmp_path: Path) -> Caret:
    return Caret(gateway, {"HOME": str(home), "XDG_CACHE_HOME": ""}, cwd=tmp_path)


@pytest.fixture(scope="module")
def client(gateway: Server) -> Iterator[Client]:
    with Client(Reach(gateway.url, Credentials(gateway.access_key, gateway.secret_key), gateway.region)) as found:
        yield found


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder of three files."""
    return planted(tmp_path / "album", {"cats/tom.jpg": b"a cat", "dogs/rex.jpg": b"a dog", "index.txt": b"both"})


def planted(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def held(s3: Any, bucket: str, prefix: str = "") -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        found["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
        for found in listed
    }


def keys(s3: Any, bucket: str) -> set[str]:
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def found(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def events(text: str | bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def outcome(text: str | bytes) -> dict[str, Any]:
    last = events(text)[-1]
    assert last["event"] == "outcome"
    return last


# ---------------------------------------------------------------- what it does


def test_a_folder_becomes_one_commit(caret: Caret, client: Client, s3: Any, bucket: str, album: Path) -> None:
    said = caret("sync", f"{album}/", f"s3://{bucket}/p", "-m", "The album")
    assert held(s3, bucket, "p/") == found(album)
    head, root = client.commits(bucket)
    assert head.message == "The album"
    assert head.parents == [root.id]
    assert said.startswith("done: 3 transferred, 0 deleted, 0 unchanged; 14 B sent in ")
    assert said.endswith(f"; commit {head.id[:12]}\n")
    assert caret("sync", f"{album}/", f"s3://{bucket}/p/").startswith("done: 0 transferred, 0 deleted, 3 unchanged; ")
    assert len(list(client.commits(bucket))) == 2


def test_a_bucket_and_a_past_state_become_a_folder(caret: Caret, s3: Any, bucket: str, tmp_path: Path) -> None:
    for key, body in (("p/a", b"one"), ("p/a", b"two, longer"), ("p/deep/b", b"three")):
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    caret("sync", f"s3://{bucket}/p/", tmp_path / "now")
    assert found(tmp_path / "now") == {"a": b"two, longer", "deep/b": b"three"}
    caret("sync", f"s3://head-2.main.{bucket}/p/", tmp_path / "now", "--delete")
    assert found(tmp_path / "now") == {"a": b"one"}


def test_a_single_file_there_and_back(caret: Caret, s3: Any, bucket: str, album: Path, tmp_path: Path) -> None:
    caret("sync", album / "cats" / "tom.jpg", f"s3://{bucket}/p/")
    assert held(s3, bucket) == {"p/tom.jpg": b"a cat"}
    s3.put_object(Bucket=bucket, Key="p/tom.jpg.bak", Body=b"another")
    caret("sync", f"s3://{bucket}/p/tom.jpg", "tom.jpg")
    assert (tmp_path / "tom.jpg").read_bytes() == b"a cat"
    assert not (tmp_path / "tom.jpg.bak").exists()
    assert "keeps its name" in caret.error("sync", "tom.jpg", f"s3://{bucket}/q", code=2)
    assert "is a single file" in caret.error("sync", "tom.jpg", f"s3://{bucket}", "--delete", code=2)


def test_delete_within_a_limit(caret: Caret, s3: Any, bucket: str, album: Path) -> None:
    for key in ("index.txt", "old/1", "old/2", "other"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"old")
    refused = caret.run("sync", f"{album}/", f"s3://{bucket}", "--delete", "--max-delete", 2, code=4)
    assert b"3" in refused.stderr
    assert sorted(held(s3, bucket)) == ["index.txt", "old/1", "old/2", "other"]
    caret("sync", f"{album}/", f"s3://{bucket}", "--delete", "--max-delete", 2, "--exclude", "old/1")
    assert held(s3, bucket) == {**found(album), "old/1": b"old"}


def test_a_dry_run_prints_the_plan_and_does_nothing(
    caret: Caret, client: Client, s3: Any, bucket: str, album: Path
) -> None:
    for key in ("index.txt", "old/1"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"older")
    head = client.get_branch(bucket, "main").head
    assert caret("sync", f"{album}/", f"s3://{bucket}", "--delete", "--dry-run").splitlines() == [
        "add     cats/tom.jpg  5 B",
        "add     dogs/rex.jpg  5 B",
        "change  index.txt  4 B",
        "delete  old/1  5 B",
        "2 to add, 1 to change, 1 to delete, 0 unchanged; 14 B to transfer",
    ]
    assert client.get_branch(bucket, "main").head == head
    assert client.list_transactions(bucket).transactions == []


def test_of_filters_the_last_that_matches_decides(caret: Caret, s3: Any, bucket: str, album: Path) -> None:
    line = ("sync", f"{album}/", f"s3://{bucket}/p/")
    caret(*line, "--exclude", "*", "--include", "*.jpg", "--exclude", "dogs/*")
    assert sorted(held(s3, bucket, "p/")) == ["cats/tom.jpg"]
    caret(*line, "--exclude", "dogs/*", "--exclude", "*", "--include", "*.jpg")
    assert sorted(held(s3, bucket, "p/")) == ["cats/tom.jpg", "dogs/rex.jpg"]


def test_what_is_compared(caret: Caret, s3: Any, bucket: str, album: Path) -> None:
    line = ("sync", f"{album}/", f"s3://{bucket}/")
    caret(*line)
    file = album / "index.txt"
    before = file.stat()
    file.write_bytes(b"none")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert outcome(caret(*line, "--json"))["unchanged"] == 3  # size, mtime and inode are what they were
    assert outcome(caret(*line, "--json", "--checksum"))["transferred"] == 1
    file.write_bytes(b"both")
    assert outcome(caret(*line, "--json", "--size-only"))["unchanged"] == 3
    assert outcome(caret(*line, "--json"))["transferred"] == 1
    assert held(s3, bucket)["index.txt"] == b"both"


def test_a_limited_rate_is_kept(caret: Caret, s3: Any, bucket: str, tmp_path: Path) -> None:
    planted(tmp_path / "large", {str(number): os.urandom(MIB // 8) for number in range(8)})
    began = time.monotonic()
    caret("sync", "large/", f"s3://{bucket}", "--limit-rate", "1M", "--jobs", 4)
    assert time.monotonic() - began > 0.75
    assert held(s3, bucket) == found(tmp_path / "large")


def test_what_is_remembered_lies_where_it_is_told(caret: Caret, home: Path, s3: Any, bucket: str, album: Path) -> None:
    before = found(home)
    caret("sync", f"{album}/", f"s3://{bucket}", "--state", album / "state.db")
    assert (album / "state.db").exists()
    assert found(home) == before
    assert sorted(held(s3, bucket)) == ["cats/tom.jpg", "dogs/rex.jpg", "index.txt"]
    assert "state" not in caret("sync", f"{album}/", f"s3://{bucket}", "--state", album / "state.db", "--dry-run")


# ---------------------------------------------------------------- another endpoint


def test_to_and_from_another_endpoint(
    caret: Caret, tls_gateway: Server, s3_tls: Any, tls_bucket: str, s3: Any, bucket: str, album: Path, tmp_path: Path
) -> None:
    assert tls_gateway.certificate is not None
    keys = {"ACCESS_KEY": tls_gateway.access_key, "SECRET_KEY": tls_gateway.secret_key, "REGION": tls_gateway.region}
    theirs = {f"CARET_{end}_{name}": value for end in ("TO", "FROM") for name, value in keys.items()}
    ours = {"CARET_ACCESS_KEY": "", "CARET_SECRET_KEY": "", "CARET_ENDPOINT": ""}
    ca_bundle = {"AWS_CA_BUNDLE": str(tls_gateway.certificate.path)}
    alone = Caret(caret.server, {**caret.variables, **theirs, **ours, **ca_bundle}, cwd=tmp_path)
    alone("sync", f"{album}/", f"s3://{tls_bucket}/p", "--to-endpoint", tls_gateway.url)
    assert held(s3_tls, tls_bucket, "p/") == found(album)
    alone("sync", f"s3://{tls_bucket}/p/", "back", "--from-endpoint", tls_gateway.url)
    assert found(tmp_path / "back") == found(album)
    both = Caret(caret.server, {**caret.variables, **theirs, **ca_bundle}, cwd=tmp_path)
    both("sync", f"s3://{tls_bucket}/p/", f"s3://{bucket}/q", "--from-endpoint", tls_gateway.url)
    assert held(s3, bucket, "q/") == found(album)


def test_this_gateways_keys_are_not_sent_elsewhere(caret: Caret, tls_gateway: Server, album: Path) -> None:
    said = caret.error("sync", album, "s3://photos", "--to-endpoint", tls_gateway.url, code=2)
    assert "set CARET_TO_ACCESS_KEY and CARET_TO_SECRET_KEY" in said


# ---------------------------------------------------------------- exit codes


def test_what_failed_is_told_and_leaves_with_1(caret: Caret, s3: Any, bucket: str, tmp_path: Path) -> None:
    for key in ("fine", "../outside"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"v")
    done = caret.run("sync", f"s3://{bucket}/", "out/", code=1)
    assert b"failed: ../outside: " in done.stderr
    assert done.stdout.startswith(b"failed: 1 transferred, 0 deleted, 0 unchanged, 1 failed; ")
    assert found(tmp_path / "out") == {"fine": b"v"}
    assert not (tmp_path / "outside").exists()


def test_a_gateway_that_is_not_there_leaves_with_1(caret: Caret) -> None:
    nowhere = Caret(caret.server, {**caret.variables, "CARET_ENDPOINT": "http://127.0.0.1:1"}, cwd=caret.cwd)
    done = nowhere.run("sync", "s3://photos/album", "out", "--json", code=1)
    assert [event["event"] for event in events(done.stdout)] == ["error"]
    assert b"Error: no gateway answers at http://127.0.0.1:1" in done.stderr


def test_partial_commits_the_rest(caret: Caret, s3: Any, client: Client, bucket: str, album: Path) -> None:
    s3.put_object(Bucket=bucket, Key="old", Body=b"v")
    planted(album, {"n": b""})
    os.rename(album / "n", os.fsencode(album) + b"/\xff")  # what has no UTF-8 can be no key
    line = ("sync", f"{album}/", f"s3://{bucket}", "--delete")
    head = client.get_branch(bucket, "main").head
    assert "--partial" in caret.error(*line, code=1)
    assert client.get_branch(bucket, "main").head == head
    told = events(caret(*line, "--partial", "--json", code=1))
    assert [event["path"] for event in told if event["event"] == "failure"] == ["\\xff"]
    assert told[-1]["commit_id"] == client.get_branch(bucket, "main").head.id
    assert sorted(held(s3, bucket)) == ["cats/tom.jpg", "dogs/rex.jpg", "index.txt", "old"]


def test_a_source_that_changes_meanwhile_leaves_with_3(
    caret: Caret, client: Client, bucket: str, tmp_path: Path
) -> None:
    planted(tmp_path / "log", {"first": os.urandom(MIB), "later": b"soon gone"})
    process = caret.start("sync", "log/", f"s3://{bucket}", "--jobs", 1, "--limit-rate", "1M", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "plan"
    (tmp_path / "log" / "later").unlink()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 3, (output, errors)
    assert [event["kind"] for event in events(output) if event["event"] == "failure"] == ["changed"]
    assert outcome(output)["state"] == "changed"
    assert len(list(client.commits(bucket))) == 1


def test_what_is_refused_leaves_with_4(caret: Caret, client: Client, s3: Any, bucket: str, album: Path) -> None:
    client.protect(bucket, "main")
    done = caret.run("sync", album, f"s3://{bucket}", code=4)
    assert b"protected" in done.stderr
    assert held(s3, bucket) == {}


def test_keys_that_are_not_known_are_refused_and_what_may_be_wrong_is_told(caret: Caret, album: Path) -> None:
    stranger = Caret(caret.server, {**caret.variables, "CARET_SECRET_KEY": "wrong-secret"}, cwd=caret.cwd)
    said = stranger.error("sync", album, "s3://photos", code=4)
    assert "SignatureDoesNotMatch" in said
    assert "Hint: the secret key does not belong to the access key." in said


# ---------------------------------------------------------------- interrupted


@pytest.fixture
def plenty(tmp_path: Path) -> Path:
    return planted(tmp_path / "plenty", {f"{number:03}": os.urandom(SIZE) for number in range(PLENTY)})


def slowly(caret: Caret, plenty: Path, bucket: str) -> subprocess.Popen[bytes]:
    """A sync that has begun to transfer, and takes some seconds for it."""
    process = caret.start("sync", f"{plenty}/", f"s3://{bucket}", "--jobs", 1, "--limit-rate", "1500k", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["files_done"]:
            return process
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_stops_it_and_the_next_run_goes_on(
    caret: Caret, client: Client, s3: Any, bucket: str, plenty: Path, number: signal.Signals
) -> None:
    process = slowly(caret, plenty, bucket)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    ended = outcome(output)
    assert ended["state"] == "cancelled"
    assert b"stopping" in errors
    assert held(s3, bucket) == {}
    again = outcome(caret("sync", f"{plenty}/", f"s3://{bucket}", "--json"))
    assert again["state"] == "done"
    assert again["bytes_sent"] + SIZE <= PLENTY * SIZE  # what the first run had sent counts
    assert held(s3, bucket) == found(plenty)
    assert len(list(client.commits(bucket))) == 2
    assert client.list_transactions(bucket).transactions == []


def test_a_second_signal_ends_it_at_once(caret: Caret, bucket: str, tmp_path: Path) -> None:
    planted(tmp_path / "large", {"one": os.urandom(4 * MIB)})
    process = caret.start("sync", "large/", f"s3://{bucket}", "--limit-rate", "64k", "--json")
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["event"] != "progress":
        pass
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 5
    assert b"Traceback" not in errors


def test_killed_it_goes_on_where_it_was(caret: Caret, s3: Any, bucket: str, plenty: Path) -> None:
    process = slowly(caret, plenty, bucket)
    process.kill()
    process.communicate()
    again = outcome(caret("sync", f"{plenty}/", f"s3://{bucket}", "--json"))
    assert again["bytes_sent"] < PLENTY * SIZE
    assert held(s3, bucket) == found(plenty)


# ---------------------------------------------------------------- how it is told


def test_events_as_json(caret: Caret, s3: Any, bucket: str, album: Path) -> None:
    s3.put_object(Bucket=bucket, Key="index.txt", Body=b"both")
    told = events(caret("sync", f"{album}/", f"s3://{bucket}", "--json"))
    assert told[0] == {"event": "plan", "add": 2, "change": 0, "delete": 0, "unchanged": 1, "bytes": 10}
    progress = [event for event in told if event["event"] == "progress"]
    assert progress[-1]["fraction"] == 1.0
    assert progress[-1]["files_done"] == progress[-1]["files_total"] == 2
    assert told[-1]["event"] == "outcome"
    assert (told[-1]["state"], told[-1]["transferred"], told[-1]["failed"]) == ("done", 2, 0)
    planned = events(caret("sync", f"{album}/", f"s3://{bucket}/q", "--json", "--dry-run"))
    assert planned[0] == {"event": "action", "kind": "add", "path": "cats/tom.jpg", "size": 5}


def test_lines_where_there_is_no_terminal(caret: Caret, bucket: str, album: Path) -> None:
    done = caret.run("sync", f"{album}/", f"s3://{bucket}")
    assert done.stderr.decode() == "3 to add, 0 to change, 0 to delete, 0 unchanged; 14 B to transfer\n"
    assert done.stdout.startswith(b"done: 3 transferred")
    assert b"\x1b" not in done.stdout + done.stderr


def on_terminal(caret: Caret, *arguments: object, act: Callable[[bytes], None] = lambda shown: None) -> tuple[int, str]:
    """The exit code, and all that a terminal shows; `act` is called with what it has shown so far."""
    master, slave = pty.openpty()
    with open(master, "rb", buffering=0, closefd=True) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *map(str, arguments)],
            cwd=caret.cwd,
            env={**caret.environment(), "TERM": "xterm", "COLUMNS": "140", "LINES": "40"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        shown = b""
        with process:
            try:
                while piece := terminal.read(1024):
                    shown += piece
                    act(shown)
            except OSError:  # EIO: nobody has it open any more
                pass
    return process.returncode, shown.decode(errors="replace")


def test_a_bar_on_a_terminal(caret: Caret, bucket: str, plenty: Path) -> None:
    code, shown = on_terminal(caret, "sync", f"{plenty}/", f"s3://{bucket}", "--limit-rate", "2M")
    assert code == 0
    assert "comparing" in shown
    assert f" of {PLENTY} files, " in shown
    assert "KiB/s" in shown or "MiB/s" in shown
    assert "0:00:0" in shown  # the time left
    assert f"done: {PLENTY} transferred" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def test_failures_stand_above_the_bar(caret: Caret, s3: Any, bucket: str) -> None:
    for key in ("fine", "../[red]outside"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"v")
    code, shown = on_terminal(caret, "sync", f"s3://{bucket}/", "out/")
    assert code == 1
    assert "failed: ../[red]outside: " in shown


# ---------------------------------------------------------------- again and again


class Watching:
    """A `--watch` under way, whose events are read as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.events.extend(map(json.loads, output))

    def is_told(self, *kinds: str) -> bool:
        """Whether the last events are of these kinds."""
        return [event["event"] for event in self.events[-len(kinds) :]] == list(kinds)

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 130
        self._reader.join()
        assert self.process.stderr is not None
        with self.process.stderr as errors:
            assert b"Traceback" not in errors.read()


def test_a_folder_is_watched(caret: Caret, client: Client, s3: Any, bucket: str, album: Path) -> None:
    process = caret.start("sync", f"{album}/", f"s3://{bucket}", "--delete", "--watch", "--json")
    with closing(Watching(process)) as watching:
        until(lambda: watching.is_told("outcome", "waiting"), 30, "the first sync")
        assert held(s3, bucket) == found(album)
        planted(album, {"deeper/new": b"new", "index.txt": b"changed"})
        (album / "dogs" / "rex.jpg").unlink()
        until(lambda: keys(s3, bucket) == set(found(album)), 30, "the changes")
        until(lambda: watching.is_told("outcome", "waiting"), 30, "it to wait again")
        assert held(s3, bucket) == found(album)
        rounds = len(list(client.commits(bucket)))
        time.sleep(1)
        assert watching.is_told("outcome", "waiting")  # and nothing that it does wakes it
    assert len(list(client.commits(bucket))) == rounds


def test_a_branch_is_watched(caret: Caret, s3: Any, bucket: str, tmp_path: Path) -> None:
    s3.put_object(Bucket=bucket, Key="p/a", Body=b"one")
    with closing(Watching(caret.start("sync", f"s3://{bucket}/p/", "out", "--watch", "--json"))) as watching:
        until(lambda: watching.is_told("outcome", "waiting"), 30, "the first sync")
        s3.put_object(Bucket=bucket, Key="p/b", Body=b"two")
        until(lambda: found(tmp_path / "out") == {"a": b"one", "b": b"two"}, 30, "the change")


def test_a_round_that_fails_is_told_and_tried_again(
    caret: Caret, client: Client, s3: Any, bucket: str, album: Path
) -> None:
    process = caret.start("sync", f"{album}/", f"s3://{bucket}", "--watch", "--json")
    with closing(Watching(process)) as watching:
        until(lambda: watching.is_told("outcome", "waiting"), 30, "the first sync")
        client.protect(bucket, "main")
        planted(album, {"new": b"new"})
        until(lambda: any(event.get("state") == "refused" for event in watching.events), 30, "the refusal")
        client.unprotect(bucket, "main")
        until(lambda: held(s3, bucket) == found(album), 30, "the next round")


# ---------------------------------------------------------------- README


def test_a_whole_line_can_be_pasted_from_the_readme(
    caret: Caret, client: Client, s3: Any, name: str, tmp_path: Path
) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("## Sync\n")[2].partition("\n## ")[0]
    lines = [line.strip().replace("album", name) for line in text.splitlines() if line.startswith("    ")]
    planted(tmp_path / "docs", {"a": b"one"})
    client.create_repo(name)
    script = "\n".join(line for line in lines if "--watch" not in line)
    function = f'caret() {{ "{sys.executable}" -m gateway "$@"; }}\nset -e\n{script}'
    done = subprocess.run(
        ["sh", "-c", function], cwd=tmp_path, env=caret.environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert len(lines) == 4
    assert held(s3, name) == {"docs/a": b"one"}
