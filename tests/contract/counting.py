"""A process that counts a key up by compare-and-swap: `python -m tests.contract.counting DATA URL TIMES`."""

from __future__ import annotations

import sys
from pathlib import Path

from pfs import Entry, GuardRefused, Put, Store, StoreConfig, inline, open_store
from tests.stores import AUTHOR, PROJECT, Checkout


class Changed(GuardRefused):
    """Somebody else was quicker."""


def count_up(store: Store, main: Checkout) -> bool:
    seen, data = store.read(main.view(), "count")
    assert data is not None

    def unchanged(entry: Entry | None) -> None:
        if entry != seen:
            raise Changed

    change = Put("count", inline(b"%d" % (int(data) + 1)), guard=unchanged)
    return store.commit(main.branch, [change], author=AUTHOR).result().commit is not None


def run(data: Path, url: str | None, times: int) -> None:
    store = open_store(StoreConfig(data, database_url=url))
    main = Checkout(store, store.branch(PROJECT, "images"))
    while times:
        times -= count_up(store, main)
    store.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3]))
