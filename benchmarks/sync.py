"""`caret sync` beside `aws s3 sync` and `rclone sync`, to the same gateway: many small files, a large one, nothing new.

The peers are taken from PATH, else from where `make clients` puts them; each with its defaults. Every round has files
with content of their own and a fresh bucket. The whole command is timed, interpreters and all.

Then an upload that `kill -9` ends in the middle: what the gateway holds of it is counted there, and held against what
the next run says it sent.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import quote

from cli import main
from report import GIB, KIB, MIB, NotMeasured, Options, Table, in_turn, need_space, ratio, say, verdict
from s3client import Connection, Content, Target, large_pieces
from servers import REPOSITORY, caret, find

from gateway.cli.output import human
from gateway.client import Client, Credentials, Reach

NAME = "sync"
FASTER_AT_LEAST, UNCHANGED_S_AT_MOST, SENT_AGAIN_AT_MOST = 3.0, 2.0, 1.0
_CLIENTS = REPOSITORY / ".venv-clients"
_INSTALLED = {
    "aws": ("awscli-1*/bin/aws",),
    "rclone": ("rclone-*/bin/rclone", "rclone-*/root/usr/bin/rclone"),
}
_PER_FOLDER = 100
_UPLOAD_S = 8.0  # how long the upload that is killed would take
_numbers = itertools.count(1)


def run(options: Options) -> Table:
    few, size = options.pick(10_000, 500), options.pick(2 * GIB, 128 * MIB)
    # each round's large file is a blob of its own for each
    need_space(options.folder, (3 * options.rounds + 4) * size)
    table = Table(NAME, "seconds that a sync takes, the whole command; the client on the same machine",
                  ["sync", "caret s", "beside", "its s", "it ÷ caret", "goal"])  # fmt: skip
    with caret(options.folder / "caret", options.workers) as (target, _):
        tools = _tools(target, options.folder, table)
        small, large = partial(_small_files, few), partial(_large_file, size)
        _compare(table, options, tools, target, f"{few:,} files of 4 KiB", small, {"aws": FASTER_AT_LEAST})
        _compare(table, options, tools, target, f"a file of {human(size)}", large, {})
        _resume(table, options, tools["caret"], target, size)
    return table


# ---------------------------------------------------------------- tools


@dataclass(frozen=True)
class Tool:
    """A command that syncs a folder to a bucket: `command` makes its line."""

    name: str
    command: Callable[[Path, str], Sequence[str]]
    environment: Mapping[str, str]

    def sync(self, folder: Path, bucket: str) -> float:
        """Seconds. Raises NotMeasured where it fails."""
        began = time.perf_counter()
        done = subprocess.run(
            self.command(folder, bucket), env=dict(self.environment), capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if done.returncode != 0:
            raise NotMeasured(f"{self.name} left with {done.returncode}:\n{(done.stderr or done.stdout)[-2000:]}")
        return took


def _tools(target: Target, home: Path, table: Table) -> dict[str, Tool]:
    """By name; those that are not installed are told in a note."""
    endpoint = f"http://{target.host}:{target.port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CARET_", "RCLONE_"))}
    environment = {**kept, **_reach(target).environment(), "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}
    state = home / "sync.state"
    line = [sys.executable, "-m", "gateway", "sync", "--state", str(state), "--json"]
    environment["PYTHONPATH"] = str(REPOSITORY)
    found = {"caret": Tool("caret", lambda folder, bucket: [*line, f"{folder}/", f"s3://{bucket}/"], environment)}
    theirs = {**environment, "PYTHONPATH": ""}
    aws, rclone = _installed("aws"), _installed("rclone")
    if aws is not None:
        begin = [aws, "--endpoint-url", endpoint, "s3", "sync", "--no-progress"]
        found["aws"] = Tool(_version(aws), lambda folder, bucket: [*begin, str(folder), f"s3://{bucket}"], theirs)
    if rclone is not None:
        config = home / "rclone.conf"
        config.write_text(
            f"[caret]\ntype = s3\nprovider = Other\nenv_auth = true\nendpoint = {endpoint}\nregion = {target.region}\n"
        )
        start = [rclone, "--config", str(config), "sync"]
        found["rclone"] = Tool(
            _version(rclone), lambda folder, bucket: [*start, str(folder), f"caret:{bucket}"], theirs
        )
    for name in ("aws", "rclone"):
        if name not in found:
            table.notes.append(f"{name} is not installed here, and so not measured.")
    return found


def _reach(target: Target) -> Reach:
    credentials = Credentials(target.access_key, target.secret_key)
    return Reach(f"http://{target.host}:{target.port}", credentials, target.region)


def _installed(program: str) -> str | None:
    there = [path for pattern in _INSTALLED[program] for path in sorted(_CLIENTS.glob(pattern), reverse=True)]
    return find(program) or next(map(str, there), None)


def _version(program: str) -> str:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(aws-cli|rclone)[ /]v?([\d.]+)", told)
    return f"{found[1]} {found[2]}" if found else Path(program).name


# ---------------------------------------------------------------- what is synced


def _small_files(count: int, folder: Path, seed: str) -> None:
    content = Content(4 * KIB)
    for number in range(count):
        path = folder / f"{number // _PER_FOLDER:04}" / f"{number:06}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.body(f"{seed}/{number}"))


def _large_file(size: int, folder: Path, seed: str) -> None:
    with (folder / "large.bin").open("wb") as file:
        file.writelines(large_pieces(seed, size))


@contextlib.contextmanager
def _made(options: Options, target: Target, make: Callable[[Path, str], None]) -> Iterator[tuple[Path, str]]:
    """A folder of new files, all on disk already, and an empty bucket."""
    bucket = f"benchmark-{next(_numbers)}"
    folder = options.folder / bucket
    folder.mkdir()
    try:
        make(folder, bucket)
        with Connection(target) as connection:
            connection.call("PUT", f"/{bucket}")
        os.sync()
        yield folder, bucket
    finally:
        shutil.rmtree(folder)


# ---------------------------------------------------------------- beside one another


@dataclass(frozen=True)
class _Times:
    first_s: float
    again_s: float


def _compare(
    table: Table,
    options: Options,
    tools: Mapping[str, Tool],
    target: Target,
    label: str,
    make: Callable[[Path, str], None],
    goals: Mapping[str, float],
) -> None:
    say(label)

    def measure(tool: Tool) -> _Times:
        with _made(options, target, make) as (folder, bucket):
            return _Times(tool.sync(folder, bucket), tool.sync(folder, bucket))

    found = in_turn(options.rounds, {name: partial(measure, tool) for name, tool in tools.items()})
    first = {name: [times.first_s for times in all_times] for name, all_times in found.items()}
    again = {name: [times.again_s for times in all_times] for name, all_times in found.items()}
    _rows(table, tools, label, first, goals)
    own = verdict(median(again["caret"]), most=UNCHANGED_S_AT_MOST) + " (s)"
    _rows(table, tools, f"{label}, nothing changed", again, {}, own)


def _rows(
    table: Table,
    tools: Mapping[str, Tool],
    label: str,
    seconds: Mapping[str, Sequence[float]],
    goals: Mapping[str, float],
    own_goal: str = "",
) -> None:
    """A row for each peer, with its goal behind it; caret's own goal behind the first."""
    own = seconds["caret"]
    first = [label, f"{median(own):.2f}"]
    peers = [name for name in seconds if name != "caret"]
    if not peers:
        table.rows.append([*first, "", "", "", own_goal])
    for name in peers:
        slower = ratio(seconds[name], own)
        goal = verdict(slower, least=goals[name]) if name in goals else own_goal
        table.rows.append([*first, tools[name].name, f"{median(seconds[name]):.2f}", f"{slower:.2f}", goal])
        first, own_goal = ["", ""], ""


# ---------------------------------------------------------------- going on


def _resume(table: Table, options: Options, tool: Tool, target: Target, size: int) -> None:
    """Killed when half of it is sent; then run again."""
    say(f"a file of {human(size)}, killed in the middle")
    with _made(options, target, partial(_large_file, size)) as (folder, bucket):
        _kill_in_the_middle(tool, folder, bucket, size)
        held = _held(target, bucket)
        done = subprocess.run(
            tool.command(folder, bucket), env=dict(tool.environment), capture_output=True, text=True, check=True
        )
    sent = json.loads(done.stdout.splitlines()[-1])["bytes_sent"]
    missing = size - held
    if not held or not missing:
        raise NotMeasured(f"the kill came at a bad time: the gateway held {human(held)}")
    table.notes.append(
        f"A file of {human(size)}, killed in the middle: the gateway held {human(held)} and lacked {human(missing)}; "
        f"the next run sent {human(sent)}. Sent ÷ missing: {sent / missing:.2f} "
        f"({verdict(sent / missing, most=SENT_AGAIN_AT_MOST)})."
    )


def _kill_in_the_middle(tool: Tool, folder: Path, bucket: str, size: int) -> None:
    command = [*tool.command(folder, bucket), "--jobs", "2", "--limit-rate", str(int(size / _UPLOAD_S))]
    with subprocess.Popen(command, env=dict(tool.environment), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["bytes_done"] >= size / 2:
                process.send_signal(signal.SIGKILL)
                return
    raise NotMeasured("the upload was over before it could be killed")


def _held(target: Target, bucket: str) -> int:
    """Bytes of the parts that open uploads to a transaction on this bucket have, once no more arrive."""
    with Client(_reach(target)) as client:
        (begun,) = client.transactions(bucket)
    before = -1
    while (held := _staged(target, begun.bucket)) != before:
        before = held
        time.sleep(0.5)
    return held


def _staged(target: Target, bucket: str) -> int:
    held = 0
    with Connection(target) as connection:
        uploads = connection.call("GET", f"/{bucket}", "uploads=").body.decode()
        for key, upload_id in re.findall(r"<Key>(.*?)</Key>.*?<UploadId>(.*?)</UploadId>", uploads, re.DOTALL):
            parts = connection.call("GET", f"/{bucket}/{quote(key)}", f"uploadId={upload_id}").body.decode()
            held += sum(map(int, re.findall(r"<Size>(\d+)</Size>", parts)))
    return held


if __name__ == "__main__":
    main(run)
