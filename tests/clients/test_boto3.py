"""boto3 and its s3transfer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.client import Client, run_program
from tests.clients.install import Pip
from tests.integration.server import Server

CLIENT = Client(
    "boto3",
    "multipart transfers, every checksum, ranges, conditions, presigned links, tags, history",
    Pip("boto3", "1.44.5", also=("botocore[crt]",)),
)

pytestmark = pytest.mark.quick


def test_boto3(server: Server, client: Path, bucket: str, tmp_path: Path) -> None:
    run_program("boto3_user", client / "bin" / "python", server, bucket, tmp_path)
