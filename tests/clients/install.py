"""Outside clients, installed at one version each by the package manager that they come with.

Each lives in a folder of its own, `.venv-clients/<name>-<version>/` beside the code (git-ignored),
made by the first test that asks for it. Nothing is put into the project's environment or the system.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

FOLDER = Path(__file__).resolve().parents[2] / ".venv-clients"
_WAIT_S = 1800
_DEBIANS_PYTHON = "usr/lib/python3/dist-packages"


class Unavailable(Exception):
    """A client cannot be installed here; says why."""


class Recipe(Protocol):
    """How to install one client. `make` fills an empty folder or raises Unavailable."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def make(self, folder: Path) -> None: ...


def install(recipe: Recipe) -> Path:
    """The folder, whole. Processes that come at the same time wait for the one that installs.

    A folder without the marker, left by an installation that broke off, is made anew.
    """
    FOLDER.mkdir(exist_ok=True)
    folder = FOLDER / f"{recipe.name}-{recipe.version}"
    marker = folder / ".installed"
    with (FOLDER / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            recipe.make(folder)
            marker.touch()
    return folder


@dataclass(frozen=True)
class Pip:
    """A Python package, and `also` more requirements, in a virtual environment: bin/python, bin/<command>."""

    name: str
    version: str
    also: tuple[str, ...] = ()

    def make(self, folder: Path) -> None:
        _run(sys.executable, "-m", "venv", folder)
        pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, f"{self.name}=={self.version}", *self.also)


@dataclass(frozen=True)
class Npm:
    """A Node package, and `also` more, in node_modules/; `name` names the folder. Needs node and npm."""

    name: str
    version: str
    package: str
    also: tuple[str, ...] = ()

    def make(self, folder: Path) -> None:
        _run("node", "--version")
        npm = ("npm", "install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts")
        _run(*npm, f"{self.package}@{self.version}", *self.also)


@dataclass(frozen=True)
class Debian:
    """A Debian package with what it needs that the system lacks, unpacked into root/ and not installed.

    Needs no rights. `revision` is Debian's own; other releases and distributions have other versions.
    """

    name: str
    version: str
    revision: str

    def make(self, folder: Path) -> None:
        package = f"{self.name}={self.version}{self.revision}"
        plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", package)
        missing = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", plan, re.MULTILINE)
        archives = folder / "archives"
        archives.mkdir()
        _run("apt-get", "download", *sorted({package, *map("=".join, missing)}), cwd=archives)
        for archive in sorted(archives.iterdir()):
            _run("dpkg-deb", "--extract", archive, folder / "root")
        shutil.rmtree(archives)
        if (folder / "root" / _DEBIANS_PYTHON).exists():  # or each start of a command would compile its modules
            _run("/usr/bin/python3", "-m", "compileall", "-q", folder / "root" / _DEBIANS_PYTHON)


@dataclass(frozen=True)
class Go:
    """A command built from source: bin/<command>. Takes minutes, so one process at a time and politely."""

    name: str
    version: str
    module: str

    def make(self, folder: Path) -> None:
        build = ["nice", "go", "install", "-p", "1", f"{self.module}@v{self.version}"]
        _run(*build, environment={"GOBIN": str(folder / "bin")})


def _run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a command that succeeds."""
    settings = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=settings, capture_output=True, text=True, timeout=_WAIT_S, check=False
        )
    except FileNotFoundError:
        raise Unavailable(f"there is no {command[0]} here") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not end within {_WAIT_S} s") from None
    if done.returncode != 0:
        raise Unavailable(f"{command[0]}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout
