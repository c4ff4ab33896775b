"""What an operator can set, run or watch is documented."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from prometheus_client import Counter, Gauge, Histogram

from gateway import metrics
from gateway.api.errors import CODES
from gateway.api.openapi import endpoints_table
from gateway.cli.main import COMMANDS, command_at
from gateway.cli.reference import reference
from gateway.config import settings_table

PLACES = {name: place for commands in COMMANDS.values() for name, place in commands.items()}
ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_one_in_the_code() -> None:
    found = re.search(r"<!-- settings -->\n\n(.*)\n<!-- /settings -->", read("docs/configuration.md"), re.DOTALL)
    assert found is not None
    assert found[1] == settings_table(), "put the output of `caret config --markdown` there"


def test_the_table_of_endpoints_is_the_one_in_the_code() -> None:
    found = re.search(r"<!-- endpoints -->\n\n(.*)\n<!-- /endpoints -->", read("docs/rest-api.md"), re.DOTALL)
    assert found is not None
    assert found[1] == endpoints_table(), "put what `gateway.api.openapi.endpoints_table` makes there"


def test_every_code_of_the_rest_api_is_documented_with_its_status() -> None:
    documented = re.findall(r"^\| `(\w+)` \| (\d+) \|", read("docs/rest-api.md"), re.MULTILINE)
    assert {code: int(status) for code, status in documented} == CODES


@pytest.mark.parametrize("name", sorted(PLACES))
def test_every_command_is_documented(name: str) -> None:
    assert f"| `caret {name}` |" in read("docs/operations.md") + read("docs/cli.md")


def test_the_reference_of_commands_is_the_one_in_the_code() -> None:
    found = re.search(r"<!-- commands -->\n\n(.*)\n<!-- /commands -->", read("docs/cli.md"), re.DOTALL)
    assert found is not None
    assert found[1] == reference(), "put the output of `python -m gateway.cli.reference` there"


@pytest.mark.parametrize("name", sorted(PLACES))
def test_every_option_that_is_no_setting_is_documented_with_its_command(name: str) -> None:
    documented = "".join(map(read, ("docs/operations.md", "docs/configuration.md", "docs/cli.md", "docs/access.md")))
    for parameter in command_at(PLACES[name]).params:
        if not isinstance(parameter, click.Option):
            continue  # the reference shows arguments where they stand
        for spelling in parameter.opts:
            assert f"`{spelling}" in documented or f" {spelling}" in documented, spelling


def names_on_the_wire() -> list[str]:
    found = [metric for metric in vars(metrics).values() if isinstance(metric, Counter | Gauge | Histogram)]
    assert found
    return [
        described.name + ("_total" if isinstance(metric, Counter) else "")
        for metric in found
        for described in metric.describe()
    ]


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    documented = re.findall(r"^\| `(caret_\w+)` \|", read("docs/operations.md"), re.MULTILINE)
    assert sorted(documented) == sorted(names_on_the_wire())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"make ([a-z]+)", read("README.md"))) | {"fmt", "lint", "types", "imports"}
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert named <= targets


def test_ci_runs_the_check_that_includes_the_readmes_test_command() -> None:
    assert "make check" in read(".ci/run")
    assert re.search(r"^check:.*\btest\b", read("Makefile"), re.MULTILINE)
    assert "    make test " in read("README.md")
