"""A directory with a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.access.directory import STEPS, Directory
from gateway.access.vault import Vault
from pfs.sql import Database, upgrade
from tests.stores import PostgreSQL

KEY = bytes(range(32))


@dataclass
class Clock:
    now_us: int = 1_795_000_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def forward(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def directory(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Directory]:
    url = f"sqlite:///{tmp_path}/gateway.db"
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        url = server.new_database()
    database = Database(url, tmp_path / "gateway.lock")
    upgrade(database, STEPS)
    found = Directory(database, Vault([KEY]), clock)
    found.ensure_default()
    yield found
    found.close()
