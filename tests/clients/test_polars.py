"""polars."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "polars", "Parquet and CSV written, sunk, scanned with a glob and a filter", Pip("polars", "2.1.0"), required=False
)


def test_polars(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    trusted = {"SSL_CERT_FILE": str(server.certificate.path)} if server.certificate else {}
    run_program("polars_user", client / "bin" / "python", server, bucket, tmp_path, **trusted)
