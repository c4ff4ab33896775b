"""aws-cli, version 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.awscli import DOES, AwsCliTests
from tests.clients.client import Client
from tests.integration.awscli import VERSION1, Aws
from tests.integration.server import Server

CLIENT = Client("aws-cli v1", DOES, VERSION1)


@pytest.fixture
def aws(client: Path, server: Server, tmp_path: Path) -> Aws:
    home = tmp_path / "home"
    home.mkdir()
    return Aws(client / "bin" / "aws", server, home)


class TestAwsCli1(AwsCliTests):
    pass
