"""What the integration tests are given: a live gateway, clients of it, and a fresh bucket.

Each pytest-xdist worker starts a gateway of its own; the tests in one worker share it, so a
test looks at its own bucket only.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from . import awscli
from .awscli import Aws
from .raw import Raw
from .server import Certificate, Server, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    try:
        return Certificate.make(tmp_path_factory.mktemp("tls"))
    except FileNotFoundError:
        pytest.skip("the openssl command, which makes the test's certificate, is not installed")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared gateway, over http."""
    with running(Server(tmp_path_factory.mktemp("gateway") / "data")) as server:
        yield server


@pytest.fixture(scope="session")
def tls_gateway(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    """A second one over TLS, where the SDKs send trailers; it has a store of its own."""
    with running(Server(tmp_path_factory.mktemp("gateway") / "tls", certificate)) as server:
        yield server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a gateway for one test alone, which may stop or kill it: `serve(workers=1)`."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Server:
            settings.setdefault("data", tmp_path / "data")
            return stack.enter_context(running(Server(**settings)))

        yield start


@pytest.fixture(scope="session")
def s3(gateway: Server) -> Any:
    return gateway.client()


@pytest.fixture(scope="session")
def s3_tls(tls_gateway: Server) -> Any:
    return tls_gateway.client()


@pytest.fixture
def name() -> str:
    """A legal repo name that no other test uses."""
    return f"t{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    """A new, empty bucket: the default branch `main` of the repo of this name."""
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def tls_bucket(s3_tls: Any, name: str) -> str:
    s3_tls.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def raw(gateway: Server) -> Raw:
    return Raw(gateway)


@pytest.fixture(scope="session")
def aws(gateway: Server, tmp_path_factory: pytest.TempPathFactory) -> Aws:
    return Aws(awscli.install(), gateway, tmp_path_factory.mktemp("aws"))


@pytest.fixture(scope="session")
def aws_tls(tls_gateway: Server, tmp_path_factory: pytest.TempPathFactory) -> Aws:
    return Aws(awscli.install(), tls_gateway, tmp_path_factory.mktemp("aws"))
