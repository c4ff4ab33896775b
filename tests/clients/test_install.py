"""Installing happens once and whole, and what cannot be installed is not passed over in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients import install as installing
from tests.clients.client import Client
from tests.clients.install import Go, Unavailable, install


@dataclass(frozen=True)
class Counted:
    """Breaks off as often as it is told to."""

    name: str = "counted"
    version: str = "1.0"
    breaks: list[Exception] = field(default_factory=list)

    def make(self, folder: Path) -> None:
        assert not list(folder.iterdir())
        (folder / "half").touch()
        if self.breaks:
            raise self.breaks.pop()
        (folder / "whole").touch()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(installing, "FOLDER", tmp_path)
    return tmp_path


def test_it_is_made_once(folder: Path) -> None:
    made = install(Counted())
    assert made == folder / "counted-1.0"
    (made / "whole").unlink()
    assert not (install(Counted()) / "whole").exists()


def test_one_that_broke_off_is_made_anew() -> None:
    recipe = Counted(breaks=[OSError("no space")])
    with pytest.raises(OSError, match="no space"):
        install(recipe)
    assert (install(recipe) / "whole").exists()


@pytest.mark.parametrize(
    ("ci", "required", "end"), [("", True, "skip"), ("true", False, "skip"), ("true", True, "fail")]
)
def test_a_client_that_is_missing_skips_its_test_and_fails_it_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, required: bool, end: str
) -> None:
    monkeypatch.setenv("CI", ci)
    client = Client("it", "nothing", Counted(breaks=[Unavailable("no network")]), required)
    outcome = {"skip": pytest.skip.Exception, "fail": pytest.fail.Exception}[end]
    with pytest.raises(outcome, match=r"it 1\.0 cannot be installed: no network"):
        client.installed()


def test_a_package_manager_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="there is no nice here"):
        install(Go("none", "1.0", "example.org/none"))


def test_a_package_manager_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "nice"
    broken.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="nice: no such module"):
        install(Go("none", "1.0", "example.org/none"))
