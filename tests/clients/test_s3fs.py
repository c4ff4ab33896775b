"""s3fs, the S3 part of fsspec, on aiobotocore."""

from __future__ import annotations

from pathlib import Path

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "s3fs",
    "files read and written in blocks, ls, find, glob, get, put, mv, rm; exclusive create; versions",
    Pip("s3fs", "2026.9.0"),
)


def test_s3fs(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    run_program("s3fs_user", client / "bin" / "python", server, bucket, tmp_path)
