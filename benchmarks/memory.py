"""The memory of every process of the gateway while 5 GiB go in and out.

Read from /proc/PID/status of the parent and its workers, ten times a second: VmRSS, which counts pages of mapped
files too (the database is mapped into memory, and the kernel takes such pages back when it needs them), and
RssAnon, which is what the process itself holds. VmHWM, the kernel's own high-water mark of VmRSS, is reset before
each phase, so that no peak between two looks is missed.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from cli import main
from report import GIB, KIB, MIB, Options, Table, need_space, say, verdict
from s3client import Connection, Target, large_pieces
from servers import caret, processes_of

NAME = "memory"
GOAL_MB = 200
_BUCKET = "benchmark"
_PART = 64 * MIB
_PARALLEL = 4
_EVERY_S = 0.1
_FIGURE = re.compile(r"^(VmHWM|VmRSS|RssAnon):\s*(\d+) kB$", re.MULTILINE)


def run(options: Options) -> Table:
    size = options.pick(5 * GIB, 512 * MIB)
    need_space(options.folder, 2 * size + GIB)
    unit = f"{size / GIB:g} GiB"
    table = Table(NAME, f"most memory of any process of the gateway, {options.workers} workers and their parent",
                  ["transfer", "RSS MB", "of it anonymous MB", "goal"])  # fmt: skip
    with caret(options.folder / "caret", options.workers) as (ours, pid):
        with Connection(ours) as connection:
            connection.call("PUT", f"/{_BUCKET}")
        phases: dict[str, Callable[[], None]] = {
            "started, idle": lambda: None,
            f"PUT {unit}, one request": partial(_put, ours, size),
            f"PUT {unit}, {_PARALLEL} parts of 64 MiB at a time": partial(_multipart, ours, size),
            f"GET {unit}, put whole": partial(_get, ours, "whole", size),
            f"GET {unit}, put in parts": partial(_get, ours, "parts", size),
        }
        for label, transfer in phases.items():
            say(label)
            with _watched(pid) as peak:
                transfer()
            rss, anonymous = peak.rss / 1000, peak.anonymous / 1000
            table.rows.append([label, f"{rss:,.0f}", f"{anonymous:,.0f}", verdict(round(rss), most=GOAL_MB)])
    return table


# ---------------------------------------------------------------- transfers


def _put(target: Target, size: int) -> None:
    with Connection(target) as connection:
        connection.upload(f"/{_BUCKET}/whole", large_pieces("whole", size), size)


def _get(target: Target, key: str, size: int) -> None:
    with Connection(target) as connection:
        got = connection.download(f"/{_BUCKET}/{key}")
    assert got == size, f"{got} bytes came instead of {size}"


def _multipart(target: Target, size: int) -> None:
    path = f"/{_BUCKET}/parts"
    with Connection(target) as connection:
        upload_id = _text(connection.call("POST", path, "uploads=").body, "UploadId")

    def put_part(number: int) -> str:
        with Connection(target) as connection:
            query = f"partNumber={number}&uploadId={upload_id}"
            return connection.upload(path, large_pieces(f"part {number}", _PART), _PART, query).etag

    with ThreadPoolExecutor(_PARALLEL) as threads:
        etags = list(threads.map(put_part, range(1, size // _PART + 1)))
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in zip(itertools.count(1), etags, strict=False)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    with Connection(target) as connection:
        connection.call("POST", path, f"uploadId={upload_id}", body)


def _text(document: bytes, tag: str) -> str:
    found = ElementTree.fromstring(document).findtext(f"{{*}}{tag}")
    assert found is not None
    return found


# ---------------------------------------------------------------- watching


class _Peak:
    """The most that any one process held at a time, in kB (1,024 bytes, as the kernel has it, made 1,000)."""

    rss = 0.0
    anonymous = 0.0

    def look(self, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{pid}/status").read_text()
                kb = {name: int(value) * KIB / 1000 for name, value in _FIGURE.findall(status)}
                self.rss = max(self.rss, kb["VmHWM"], kb["VmRSS"])
                self.anonymous = max(self.anonymous, kb["RssAnon"])


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[_Peak]:
    pids = processes_of(pid)
    for each in pids:
        Path(f"/proc/{each}/clear_refs").write_text("5")  # resets VmHWM: proc(5)
    peak, stop = _Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY_S):
            peak.look(pids)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()
        peak.look(pids)
    assert processes_of(pid) == pids, "a worker was replaced meanwhile"


if __name__ == "__main__":
    main(run)
