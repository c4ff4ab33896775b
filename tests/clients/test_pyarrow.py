"""pyarrow's S3FileSystem."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "pyarrow",
    "streams, ranged reads, copy, move, directories, a partitioned Parquet dataset",
    Pip("pyarrow", "26.0.1"),
)


def test_pyarrow(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    run_program("pyarrow_user", client / "bin" / "python", server, bucket, tmp_path)
