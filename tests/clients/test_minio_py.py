"""minio-py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "minio-py",
    "put, get, fput, fget, compose, tags, links, upload_snowball_objects, versions, remove_objects",
    Pip("minio", "7.2.20"),
)

pytestmark = pytest.mark.quick


def test_minio_py(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    run_program("minio_user", client / "bin" / "python", server, bucket, tmp_path)
