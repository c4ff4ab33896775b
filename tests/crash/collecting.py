"""A process that writes and collects garbage without end: `python -m tests.crash.collecting DATA URL NAME`.

Every content first goes to a branch that is deleted at once, and again to `main` about when its grace period is over
and it is being swept. Lines are "<commit id> <key> <digest of the content>", of writes to `main` that were
acknowledged, and "collected <blobs>".
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import sys
import threading
import time
from pathlib import Path

from blake3 import blake3

from pfs import StoreBusy, StoreConfig, gc, open_store
from tests.stores import PROJECT, Checkout

GRACE_S = 1.0
SIZES = (10, 500, 5_000, 60_000)  # inside the database, and as files
WRITERS = 3


def write(main: Checkout, name: str) -> None:
    for number in itertools.count():
        data = os.urandom(SIZES[number % len(SIZES)])
        gone = main.fork(f"{name}-{number}")
        gone.put("key", data)
        main.store.delete_branch(gone.branch).result()
        time.sleep(GRACE_S * random.uniform(0.8, 1.6))
        key = f"{name}/{number}"
        entry = main.put(key, data)
        os.write(1, f"{entry.commit_id} {key} {blake3(data).hexdigest()}\n".encode())


def collect(main: Checkout) -> None:
    while True:
        with contextlib.suppress(StoreBusy):
            os.write(1, f"collected {main.store.collect_garbage().blobs}\n".encode())
        time.sleep(0.02)


def run(data: Path, url: str | None, name: str) -> None:
    gc.BATCH = 3  # so that there is much to be killed in between
    gc._LEASE_S = 1.0  # and the next one need not wait long for the lease of who was
    config = StoreConfig(data, database_url=url, inline_threshold=1_000, retention_s=0, gc_grace_s=GRACE_S)
    store = open_store(config)
    main = Checkout(store, store.branch(PROJECT, "images"))
    threads = [threading.Thread(target=write, args=(main, f"{name}{number}")) for number in range(WRITERS)]
    for thread in (*threads, threading.Thread(target=collect, args=(main,))):
        thread.start()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3])
