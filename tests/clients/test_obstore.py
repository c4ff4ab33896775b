"""obstore."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "obstore",
    "put, get, ranges, multipart, copy, rename, list, delete; compare and swap",
    Pip("obstore", "0.12.1"),
    required=False,
)


def test_obstore(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    trusted = {"SSL_CERT_FILE": str(server.certificate.path)} if server.certificate else {}
    run_program("obstore_user", client / "bin" / "python", server, bucket, tmp_path, **trusted)
