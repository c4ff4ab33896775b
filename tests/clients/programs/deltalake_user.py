"""Delta Lake: every commit of a table is a PUT with `If-None-Match: *`, so a lost race shows as a lost row."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from tests.clients.programs.given import BUCKET

TABLE = f"s3://{BUCKET}/table"
OPTIONS = {"AWS_ALLOW_HTTP": "true", "conditional_put": "etag"}
WRITERS, ROUNDS = 6, 5


def rows(values: list[int]) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


def opened(version: int | None = None) -> DeltaTable:
    return DeltaTable(TABLE, version=version, storage_options=OPTIONS)


def writers_that_race() -> None:
    write_deltalake(TABLE, rows([]), storage_options=OPTIONS)
    start = threading.Barrier(WRITERS)

    def append(writer: int) -> None:
        start.wait()
        for number in range(ROUNDS):
            write_deltalake(TABLE, rows([writer * ROUNDS + number]), mode="append", storage_options=OPTIONS)

    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(append, writer) for writer in range(WRITERS)]:
            done.result()
    table = opened()
    assert table.version() == WRITERS * ROUNDS
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == list(range(WRITERS * ROUNDS))


def upkeep() -> None:
    table = opened()
    table.delete("n >= 10")
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == list(range(10))
    table.optimize.compact()
    table.create_checkpoint()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert sorted(opened().to_pyarrow_table()["n"].to_pylist()) == list(range(10))


if __name__ == "__main__":
    writers_that_race()
    upkeep()
