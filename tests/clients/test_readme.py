"""The README's table of clients is the one that the tests make."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from tests.clients.client import Client
from tests.clients.table import Row, Run, markdown, render
from tests.integration.server import REPOSITORY


def clients() -> list[Client]:
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    return [module.CLIENT for module in modules if hasattr(module, "CLIENT")]


def test_the_readme_has_the_table_of_clients() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- clients -->\n\n(.*)\n\n<!-- /clients -->", text, re.DOTALL)
    assert found is not None
    table = markdown([client.row for client in clients()])
    assert found[1] == table, f"put this there:\n{table}"


def test_one_failure_makes_a_failed_cell() -> None:
    row = Row("a client", "1.0", "all")
    runs = [
        Run(row, "http", "passed", "setup", 9.0),
        Run(row, "http", "passed", "call", 0.25),
        Run(row, "http", "failed", "call", 0.5),
        Run(row, "tls", "skipped", "setup", 0.0),
    ]
    assert render(runs).splitlines() == [
        "client    version  http    TLS      what was done  seconds",
        "a client  1.0      failed  skipped  all            0.8",
    ]
