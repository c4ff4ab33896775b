"""A gateway with a console, and a browser. Where there is no browser these tests are skipped, unless
CARET_REQUIRE_BROWSER is set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.access.directory import Directory, open_directory
from gateway.access.vault import open_vault
from gateway.client import Client, Credentials, Reach
from tests.integration.server import Server, free_port, running

from .browser import Browser, programs
from .visitor import Visitor

REQUIRED = "CARET_REQUIRE_BROWSER"


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway with a console, shared by all tests of a process."""
    folder = tmp_path_factory.mktemp("console")
    options = ("--uploads", str(folder / "uploads"))
    with running(Server(folder / "data", workers=1, console_port=free_port(), options=options)) as server:
        yield server


@pytest.fixture(scope="session")
def uploads(console: Server) -> Path:
    """The folder that its sync jobs read from."""
    folder = console.data.parent / "uploads"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def caret(console: Server) -> Iterator[Client]:
    """Its gateway, as root."""
    keys = Credentials(console.access_key, console.secret_key)
    with Client(Reach(console.url, keys, console.region)) as client:
        yield client


@pytest.fixture(scope="session")
def people(console: Server) -> Iterator[Directory]:
    """Its directory, beside the running gateway."""
    with contextlib.closing(open_directory(console.data, None, open_vault(console.data))) as directory:
        yield directory


@pytest.fixture(scope="session")
def visitor(console: Server) -> Iterator[Visitor]:
    """Root, logged in without a browser."""
    with contextlib.closing(Visitor(console)) as visitor:
        yield visitor


@pytest.fixture(scope="session")
def _chromium(console: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = programs()
    if found is None:
        message = "there is no Chromium to drive: apt-get install chromium chromium-driver"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{message}, which {REQUIRED} asks for")
        pytest.skip(message)
    browser = Browser(*found, tmp_path_factory.mktemp("profile"), console.console_url)
    yield browser
    browser.close()


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """Nobody is logged in. At the end no page may have complained: a script's error, a refusal of the policy."""
    _chromium.forget()
    yield _chromium
    assert _chromium.console() == []


@pytest.fixture
def root(browser: Browser, console: Server) -> Browser:
    """Root is logged in."""
    browser.log_in(console.access_key, console.secret_key)
    return browser
