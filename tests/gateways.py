"""Live gateways for the tests that need one, over http and over TLS.

Each pytest-xdist worker starts its own; the tests in one worker share them, so a test looks at
its own bucket only.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.integration.server import Certificate, Server, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    try:
        return Certificate.make(tmp_path_factory.mktemp("tls"))
    except FileNotFoundError:
        pytest.skip("the openssl command, which makes the test's certificate, is not installed")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared gateway, over http. Its webhooks may call this machine."""
    options = ("--webhook-allow", "127.0.0.1/32")
    with running(Server(tmp_path_factory.mktemp("gateway") / "data", options=options)) as server:
        yield server


@pytest.fixture(scope="session")
def tls_gateway(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    """A second one over TLS, where the SDKs send trailers; it has a store of its own."""
    with running(Server(tmp_path_factory.mktemp("gateway") / "tls", certificate)) as server:
        yield server


@pytest.fixture
def name() -> str:
    """A legal repo name that no other test uses."""
    return f"t{os.getpid()}-{next(_numbers)}"
