"""kill -9 in the middle of commits: what was acknowledged is there afterwards, and the store is sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3

from pfs import StoreConfig, open_store
from pfs.meta.database import Connection
from tests.stores import PROJECT, Checkout

LINES = (1, 20, 40)


def acknowledged_until_killed(config: StoreConfig, lines: int) -> list[list[str]]:
    """What a writing process said it has committed, after it was killed behind that many lines."""
    arguments = [str(config.data), config.database_url or ""]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.writing", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        found = [said.readline() for _ in range(lines)]
        process.kill()
        found += said.readlines()
    process.wait()
    assert process.returncode == -9
    return [line.split() for line in found if line.endswith("\n")]


def temporary_files(config: StoreConfig) -> list[Path]:
    return list((config.data / "tmp").iterdir())


def test_what_was_acknowledged_survives_kill_9(config: StoreConfig) -> None:
    store = open_store(config)
    Checkout.create(store, "images")
    store.close()
    acknowledged: list[list[str]] = []
    for lines in LINES:
        acknowledged += acknowledged_until_killed(config, lines)
        store = open_store(config)
        main = Checkout(store, store.branch(PROJECT, "images"))
        assert temporary_files(config) == []
        assert store.fsck(verify_data=True).problems == []
        for commit_id, key, digest in acknowledged:
            assert blake3(main.get(key, commit_id)).hexdigest() == digest
        assert store.resolve(main.branch, "HEAD").seq >= len(acknowledged)
        main.put("after", b"the crash")
        assert main.get("after") == b"the crash"
        store.close()
    assert len(acknowledged) >= sum(LINES)


def test_a_blob_without_a_commit_is_no_problem(tmp_path: Path) -> None:
    """A crash between a blob's rename and its commit leaves garbage, and nothing else."""
    config = StoreConfig(tmp_path, inline_threshold=10)
    store = open_store(config)
    main = Checkout.create(store, "images")
    stage = store.stage()
    stage.write(b"orphan" * 10)
    content = stage.finish()
    assert main.keys() == []
    assert store.fsck(verify_data=True).problems == []
    store.close()
    store = open_store(config)
    assert store.read_blob(content.digest, 0, 6) == b"orphan"
    assert Checkout(store, main.branch).put("key", b"orphan" * 10).digest == content.digest
    store.close()


class Died(Exception):
    pass


def die(*_: object, **__: object) -> None:
    raise Died


def die_at(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer fails there: at a query function, `module.function`, or at the database's COMMIT."""
    if step == "COMMIT":
        script = Connection.script
        monkeypatch.setattr(Connection, "script", lambda self, sql: die() if sql == "COMMIT" else script(self, sql))
    else:
        monkeypatch.setattr(f"pfs.meta.{step}", die)


@pytest.mark.parametrize("step", ["commits.insert_commit", "entries.insert_entry", "refs.move_head", "COMMIT"])
def test_a_transaction_that_dies_at_any_step_leaves_nothing(
    config: StoreConfig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = open_store(config)
    main = Checkout.create(store, "images")
    main.put("before")
    die_at(step, monkeypatch)
    before = main.head()
    with pytest.raises(Died):
        main.put("during")
    monkeypatch.undo()
    assert (main.head(), main.keys()) == (before, ["before"])
    main.put("after")
    assert store.fsck().problems == []
    store.close()


@pytest.mark.parametrize(
    "step",
    [
        *("commits.insert_commit", "entries.insert_entry", "refs.move_head", "refs.delete_branch"),
        *("uploads.delete_uploads", "transactions.end", "COMMIT"),
    ],
)
def test_many_writes_that_die_while_they_become_one_commit_can_still_become_it(
    config: StoreConfig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = open_store(config)
    main = Checkout.create(store, "images")
    main.put_all("a", "b")
    info = store.begin_transaction(main.branch, author="ann", expires_in_s=60, label=lambda name: name).result()
    work = Checkout(store, store.branch(PROJECT, "images", info.id))
    work.put("a", b"2")
    work.delete("b")
    before = main.head()
    die_at(step, monkeypatch)
    with pytest.raises(Died):
        store.commit_transaction(info, author="ann").result()
    monkeypatch.undo()
    assert (main.head(), main.keys(), work.keys()) == (before, ["a", "b"], ["a"])
    assert store.transaction(PROJECT, "images", info.id) == info
    assert store.commit_transaction(info, author="ann").result().commit_id == main.head()
    assert (main.keys(), main.get("a")) == (["a"], b"2")
    assert store.fsck().problems == []
    store.close()
