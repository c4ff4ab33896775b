"""A process that commits without end and says so: `python -m tests.crash.writing DATA URL`.

Each line is "<commit id> <key> <digest of the content>", printed once the commit's future has resolved.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from pathlib import Path

from blake3 import blake3

from pfs import Change, Delete, Entry, Put, StoreConfig, open_store
from tests.stores import AUTHOR, PROJECT, Checkout

SIZES = (0, 100, 5_000, 60_000, 200_000)  # inside the database, and as files
WRITERS = 4


def write(main: Checkout, writer: int) -> None:
    for number in itertools.count():
        key, data = f"{writer}/{number % 7}", os.urandom(SIZES[number % len(SIZES)])
        stage = main.store.stage()
        stage.write(data)
        changes: list[Change] = [Put(key, stage.finish()), Delete(f"{writer}/deleted")]
        entry = main.store.commit(main.branch, changes, author=AUTHOR).result().results[0]
        assert isinstance(entry, Entry)
        os.write(1, f"{entry.commit_id} {key} {blake3(data).hexdigest()}\n".encode())


def run(data: Path, url: str | None) -> None:
    store = open_store(StoreConfig(data, database_url=url, inline_threshold=10_000))
    main = Checkout(store, store.branch(PROJECT, "images"))
    threads = [threading.Thread(target=write, args=(main, writer)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2] or None)
