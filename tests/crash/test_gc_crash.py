"""Garbage collected beside writers, and killed at it: nothing that was acknowledged is lost, and the store is sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from blake3 import blake3

from pfs import StoreConfig, open_store
from pfs.commits.transaction import now_us
from tests.integration.server import until
from tests.stores import PROJECT, Checkout

ROUNDS = (1, 12, 30)
"""After how many acknowledged writes the processes are killed."""
PROCESSES = 2


def said_until_killed(config: StoreConfig, folder: Path, writes: int, names: str) -> list[list[str]]:
    """What several processes said, all killed after so many writes and a collection."""
    arguments = [sys.executable, "-m", "tests.crash.collecting", str(config.data), config.database_url or ""]
    running = []
    for name in names:
        with (folder / name).open("wb") as output:
            running.append(subprocess.Popen([*arguments, name], stdout=output))

    def said() -> list[list[str]]:
        lines = [line for name in names for line in (folder / name).read_text().splitlines(keepends=True)]
        return [line.split() for line in lines if line.endswith("\n")]

    def have_worked() -> bool:
        lines = said()
        collections = sum(words[0] == "collected" for words in lines)
        return collections > 0 and len(lines) - collections >= writes

    try:
        until(have_worked, 60, "writes and collections")
    finally:
        for process in running:
            process.kill()
        codes = [process.wait() for process in running]
    assert codes == [-9] * len(running)
    return said()


def test_nothing_acknowledged_is_lost_to_a_collection_that_is_killed(config: StoreConfig, tmp_path: Path) -> None:
    store = open_store(config)
    Checkout.create(store, "images")
    store.close()
    acknowledged: list[list[str]] = []
    collections = swept = 0
    for number, writes in enumerate(ROUNDS):
        names = "abcdef"[number * PROCESSES : (number + 1) * PROCESSES]
        for words in said_until_killed(config, tmp_path, writes, names):
            if words[0] == "collected":
                collections, swept = collections + 1, swept + int(words[1])
            else:
                acknowledged.append(words)
        store = open_store(config)
        main = Checkout(store, store.branch(PROJECT, "images"))
        assert store.fsck(verify_data=True).problems == []
        for commit_id, key, digest in acknowledged:
            assert blake3(main.get(key, commit_id)).hexdigest() == digest
        store.close()
    assert len(acknowledged) >= sum(ROUNDS)
    assert collections >= len(ROUNDS)
    assert swept > 0
    store = open_store(config)
    with store._database.transaction() as conn:
        conn.script("DELETE FROM leases")  # one that a killed collector held would run out in two minutes
    for days in (10, 20, 30):
        assert store.collect_garbage(now_us=now_us() + days * 86_400 * 1_000_000).is_complete
    assert store.fsck(verify_data=True).problems == []
    main = Checkout(store, store.branch(PROJECT, "images"))
    for commit_id, key, digest in acknowledged:
        assert blake3(main.get(key, commit_id)).hexdigest() == digest
    with store._database.connection() as conn:
        (blobs,) = conn.raw.execute("SELECT count(*) FROM blobs").fetchone()
        (held,) = conn.raw.execute("SELECT count(DISTINCT digest) FROM entries WHERE kind = 0").fetchone()
    assert blobs == held
    store.close()
