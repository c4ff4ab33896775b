"""What the clients' tests are given, which of them run, and the table that they end with.

A run of all tests takes in only the clients marked `quick`. Naming this folder, or a file in it,
takes in all but those marked `built`, whose clients are built from source; `-m built` asks for these.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from gateway.access.directory import open_directory
from gateway.access.vault import open_vault
from gateway.client.sts import Sts
from gateway.s3.sigv4 import Credentials
from gateway.sts.operations import Issued, SecondFactor
from tests.clients.client import Client
from tests.clients.table import Row, Run, render
from tests.integration.people import person
from tests.integration.server import Server

HERE = Path(__file__).parent
_SCHEMES = {"http": "gateway", "tls": "tls_gateway"}


@pytest.fixture(params=list(_SCHEMES))
def server(request: pytest.FixtureRequest) -> Server:
    """A gateway over http, and then one over TLS."""
    found: Server = request.getfixturevalue(_SCHEMES[request.param])
    return found


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest) -> Path:
    """The folder in which the client of this module is installed."""
    folder: Path = request.module.CLIENT.installed()
    return folder


@pytest.fixture
def s3(server: Server) -> Any:
    """A client of our own, to look at what the other one did."""
    return server.client()


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def session(server: Server, name: str) -> Issued:
    """Of somebody in a project of two factors, from STS with a one-time code."""
    with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
        ann = person(server, directory, f"{name}-two")
    ca_bundle = str(server.certificate.path) if server.certificate else None
    keys = Credentials(ann.key.key.access_key, ann.key.secret)
    with contextlib.closing(Sts(server.url, keys, region=server.region, ca_bundle=ca_bundle)) as sts:
        return sts.session_token(factor=SecondFactor(ann.name, ann.totp.now()))


# ---------------------------------------------------------------- which run


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if HERE in item.path.parents and not _is_wanted(config, item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        _label(item)


def _is_wanted(config: pytest.Config, item: pytest.Item) -> bool:
    if config.option.markexpr or _client_of(item) is None:
        return True
    named = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    if any(path == HERE or HERE in path.parents for path in named):
        return item.get_closest_marker("built") is None
    return item.get_closest_marker("quick") is not None


# ---------------------------------------------------------------- the table


def _client_of(item: pytest.Item) -> Client | None:
    found = getattr(getattr(item, "module", None), "CLIENT", None)
    return found if isinstance(found, Client) else None


def _label(item: pytest.Item) -> None:
    """Writes into an item's reports, which pytest-xdist brings home, the row and column that it counts for."""
    client, call = _client_of(item), getattr(item, "callspec", None)
    if client is not None and call is not None and "server" in call.params:
        item.user_properties.append(("client", [*client.row, call.params["server"]]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    categories = terminalreporter.stats.values()  # of reports, but for the tests that were deselected
    reports = [report for category in categories for report in category if isinstance(report, pytest.TestReport)]
    runs = [
        Run(Row(*row), scheme, report.outcome, report.when, report.duration)
        for report in reports
        for name, (*row, scheme) in getattr(report, "user_properties", [])
        if name == "client"
    ]
    if runs:
        terminalreporter.section("clients")
        terminalreporter.write_line(render(runs))
