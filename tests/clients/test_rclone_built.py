"""rclone, a newer one, built from source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.client import Client, Command
from tests.clients.install import Go
from tests.clients.rclone import DOES, RcloneTests, rclone_for
from tests.integration.server import Server

CLIENT = Client("rclone, built", DOES, Go("rclone", "1.75.1", "github.com/rclone/rclone"), required=False)

pytestmark = [pytest.mark.built, pytest.mark.timeout(1800)]


@pytest.fixture
def rclone(client: Path, server: Server, tmp_path: Path) -> Command:
    return rclone_for(client / "bin" / "rclone", server, tmp_path)


class TestRcloneBuilt(RcloneTests):
    pass
