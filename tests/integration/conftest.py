"""What the integration tests are given beside the gateways of `tests.gateways`: clients of them, and a fresh bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.access.directory import Directory, open_directory
from gateway.access.vault import open_vault
from gateway.client.connection import Connection

from . import awscli
from .awscli import Aws
from .people import Person, person
from .raw import Raw
from .server import Server, running


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


@pytest.fixture(scope="session")
def api(gateway: Server) -> Iterator[Connection]:
    """The shared gateway's REST API, as root."""
    with contextlib.closing(gateway.api()) as connection:
        yield connection


@pytest.fixture(scope="session")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway with two further accounts in one project, ann and ben."""
    folder = tmp_path_factory.mktemp("gateway")
    accounts = folder / "accounts.toml"
    accounts.write_text(
        "\n".join(
            f'[[accounts]]\naccess_key = "{name}-key"\nsecret_key = "{name}-secret"\nid = "{name}"\n'
            f'display_name = "{name.title()}"'
            for name in ("ann", "ben")
        )
    )
    with running(Server(folder / "shared", environment={"CARET_CONFIG": str(accounts)}, workers=1)) as server:
        yield server


@pytest.fixture(scope="session")
def administrator(shared_gateway: Server) -> Iterator[Connection]:
    with contextlib.closing(shared_gateway.api()) as connection:
        yield connection


@pytest.fixture(scope="session")
def ann(shared_gateway: Server) -> Iterator[Connection]:
    with contextlib.closing(shared_gateway.api(access_key="ann-key", secret_key="ann-secret")) as connection:
        yield connection


@pytest.fixture(scope="session")
def ben(shared_gateway: Server) -> Iterator[Connection]:
    with contextlib.closing(shared_gateway.api(access_key="ben-key", secret_key="ben-secret")) as connection:
        yield connection


@pytest.fixture
def repo(api: Connection, name: str) -> str:
    """A new repo with an empty default branch, `main`."""
    api.call("create_repo", name=name)
    return name


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


@pytest.fixture(scope="session")
def directory(gateway: Server) -> Iterator[Directory]:
    """The running gateway's people, whom this process changes beside it."""
    with contextlib.closing(open_directory(gateway.data, None, open_vault(gateway.data))) as opened:
        yield opened


@pytest.fixture
def researcher(gateway: Server, directory: Directory, name: str) -> Person:
    """Somebody in a project of two factors."""
    return person(gateway, directory, name)
