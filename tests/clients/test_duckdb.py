"""DuckDB."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "DuckDB",
    "Parquet copied out, partitioned, and queried through a glob",
    Pip("duckdb", "1.5.5", also=("duckdb-extensions==1.5.5", "duckdb-extension-httpfs==1.5.5")),
    required=False,
)


def test_duckdb(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    run_program("duckdb_user", client / "bin" / "python", server, bucket, tmp_path)
