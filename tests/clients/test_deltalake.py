"""deltalake, on object_store."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "deltalake",
    "six writers racing for the next commit, none lost; delete, compact, checkpoint, vacuum",
    Pip("deltalake", "1.6.6", also=("pyarrow==26.0.1",)),
)


def test_deltalake(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    trusted = {"SSL_CERT_FILE": str(server.certificate.path)} if server.certificate else {}
    run_program("deltalake_user", client / "bin" / "python", server, bucket, tmp_path, **trusted)
