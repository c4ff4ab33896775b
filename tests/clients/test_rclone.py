"""rclone, as Debian packages it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.client import Client, Command
from tests.clients.install import Debian
from tests.clients.rclone import DOES, RcloneTests, rclone_for
from tests.integration.server import Server

CLIENT = Client("rclone", DOES, Debian("rclone", "1.60.1", "+dfsg-2+b5"))


@pytest.fixture
def rclone(client: Path, server: Server, tmp_path: Path) -> Command:
    return rclone_for(client / "root/usr/bin/rclone", server, tmp_path)


class TestRclone(RcloneTests):
    pass
