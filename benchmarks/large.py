"""One large object at a time: GET beside nginx's sendfile of the same file, PUT beside disk and SHA-256.

The client reads into one buffer and drops what it reads, sends one buffer over and over, and has computed
the body's SHA-256 before the clock runs; what it does itself is the same on all sides.

What a round has written is removed when its clock has stopped, a PUT's blob too. Otherwise the sides would not be
equal: on a virtual machine memory that was never used costs several times as much to fill as memory that a removed
file has just left, and so does a disk that grows as it is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from cli import main
from report import GIB, MIB, Options, Table, in_turn, need_space, ratio, say, verdict
from s3client import Connection, Target, large_pieces
from servers import caret, nginx

from gateway.s3.sigv4 import UNSIGNED_PAYLOAD

NAME = "large"
GET_GOAL = 0.8
# "Bounded by disk or SHA-256": what client, sockets and BLAKE3 take besides, on two cores, is not to double it.
PUT_GOAL = 0.5
_BUCKET = "benchmark"
_seeds = itertools.count()


def run(options: Options) -> Table:
    size = options.pick(GIB, 128 * MIB)
    need_space(options.folder, 4 * size)
    unit = f"{size // MIB} MiB" if size < GIB else f"{size // GIB} GiB"
    table = Table(NAME, f"MB/s of one {unit} object on one connection",
                  ["transfer", "Caret MB/s", "beside", "its MB/s", "Caret ÷ it", "goal"])  # fmt: skip
    data = options.folder / "caret"
    with contextlib.ExitStack() as stack:
        ours, _ = stack.enter_context(caret(data, options.workers))
        with Connection(ours) as connection:
            connection.call("PUT", f"/{_BUCKET}")
        say(f"GET {unit}")
        _upload(ours, "read", size, signed=False)
        (blob,) = _files(data)
        files = stack.enter_context(nginx(options.folder, options.folder))
        gets = _rates(
            options,
            size,
            {
                "ours": partial(_download, ours, f"/{_BUCKET}/read"),
                "nginx": partial(_download, files, f"/{blob.relative_to(options.folder)}"),
            },
        )
        own, theirs = gets["ours"], gets["nginx"]
        quotient = ratio(own, theirs)
        table.rows.append([f"GET {unit}", f"{median(own):,.0f}", "nginx sendfile", f"{median(theirs):,.0f}",
                           f"{quotient:.2f}", verdict(quotient, least=GET_GOAL)])  # fmt: skip
        say(f"PUT {unit}")
        puts = _rates(
            options,
            size,
            {
                "signed": partial(_upload_and_remove, ours, data, size, signed=True),
                "disk": partial(_write_synced, options.folder / "disk", size),
                "unsigned": partial(_upload_and_remove, ours, data, size, signed=False),
                "sha256": partial(_sha256, size),
            },
        )
    _put_rows(table, unit, puts)
    return table


def _put_rows(table: Table, unit: str, puts: Mapping[str, Sequence[float]]) -> None:
    """Each PUT beside what bounds it: with a signed payload the slower of disk and SHA-256, without one the disk."""
    labels = {"disk": "write + fsync", "sha256": "SHA-256"}
    for kind, label, bounds in (("signed", "SHA-256 signed", ("disk", "sha256")), ("unsigned", "unsigned", ("disk",))):
        slowest = min(bounds, key=lambda bound: median(puts[bound]))
        first = [f"PUT {unit}, payload {label}", f"{median(puts[kind]):,.0f}"]
        for bound in bounds:
            quotient = ratio(puts[kind], puts[bound])
            goal = verdict(quotient, least=PUT_GOAL) if bound == slowest else "not the bound"
            table.rows.append([*first, labels[bound], f"{median(puts[bound]):,.0f}", f"{quotient:.2f}", goal])
            first = ["", ""]


def _rates(options: Options, size: int, contenders: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """MB/s of contenders that return the seconds they took."""
    for measure in contenders.values():
        measure()  # once without counting: pages and blocks that this run has not used before cost more
    return {name: [size / 1e6 / s for s in found] for name, found in in_turn(options.rounds, contenders).items()}


def _download(target: Target, path: str) -> float:
    with Connection(target) as connection:
        began = time.perf_counter()
        connection.download(path)
        return time.perf_counter() - began


def _upload(target: Target, key: str, size: int, *, signed: bool) -> float:
    """Content of its own each time, so that nothing is stored already."""
    pieces = large_pieces(f"{key}{next(_seeds)}", size)
    payload = _digest(pieces) if signed else UNSIGNED_PAYLOAD
    os.sync()  # what earlier rounds left for the disk to do is not this one's
    with Connection(target) as connection:
        began = time.perf_counter()
        connection.upload(f"/{_BUCKET}/{key}", pieces, size, payload=payload)
        return time.perf_counter() - began


def _upload_and_remove(target: Target, data: Path, size: int, *, signed: bool) -> float:
    before = set(_files(data))
    took = _upload(target, "write", size, signed=signed)
    for blob in set(_files(data)) - before:
        blob.unlink()
    return took


def _write_synced(path: Path, size: int) -> float:
    """What `dd bs=1M conv=fsync` does, into a new file."""
    os.sync()
    pieces = large_pieces("disk", size)
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    path.unlink()
    return took


def _sha256(size: int) -> float:
    pieces = large_pieces("hash", size)
    began = time.perf_counter()
    _digest(pieces)
    return time.perf_counter() - began


def _digest(pieces: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _files(data: Path) -> list[Path]:
    """The blobs of a store."""
    return [path for path in (data / "blobs").rglob("*") if path.is_file()]


if __name__ == "__main__":
    main(run)
