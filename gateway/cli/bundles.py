"""`caret export` and `caret import`: a repo with all its history to a file and back, whether it is served or not."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

import pfs
from gateway.app import store_config
from gateway.cli.calling import Command
from gateway.cli.exits import CannotStart
from gateway.cli.settings import STORE_SETTINGS, setting_options, settings_from
from gateway.handlers.api.labels import relabelled

STANDARD = "-"
_EMBEDDED = "caret.db"  # opening a store makes it where it is not: an export must not
_BUFFER = 1024 * 1024

Function = TypeVar("Function", bound=Callable[..., Any])


def _options(command: Function) -> Function:
    command = setting_options(STORE_SETTINGS)(command)
    command = click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")(command)
    return click.option(
        "--project", default="default", show_default=True, metavar="NAME", help="The project that the repo is in."
    )(command)


@click.command("export", cls=Command, example="caret export photos photos.bundle --data ./data")
@click.argument("repo")
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@_options
def export_command(repo: str, file: str, force: bool, project: str, as_json: bool, **options: Any) -> None:
    """Write REPO with all its history to FILE, or to standard output where FILE is -.

    What is written is one state of the repo, whatever a gateway writes meanwhile. FILE appears when it is whole and
    on disk.
    """
    config = settings_from(options).config
    if config.database_url is None and not (config.data / _EMBEDDED).exists():
        raise CannotStart(f"there is no store in {config.data}; name its folder with --data")
    if file != STANDARD and not force and os.path.lexists(file):
        raise click.UsageError(f"{file} is there already; --force replaces it")
    with (
        _store(store_config(config)) as store,
        _refusals(f"repo {repo!r} could not be exported"),
        _written(file) as target,
        _shown("exported", target) as counted,
    ):
        summary = store.export_repo(project, repo, counted)
    # where the bundle itself goes to standard output, the summary must not
    _tell("exported", summary, as_json, to_stderr=file == STANDARD)


@click.command("import", cls=Command, example="caret import photos.bundle --as pictures --data ./data")
@click.argument("file")
@click.option("--as", "name", metavar="NAME", help="Give the repo another name than it had.")
@_options
def import_command(file: str, name: str | None, project: str, as_json: bool, **options: Any) -> None:
    """Make the repo that FILE holds, or standard input where FILE is -, with all its history and the same ids.

    It appears when all of it was read, verified and stored; before that, and where anything is wrong, there is
    nothing.
    """
    config = settings_from(options).config
    with _refusals(f"{file} could not be read"):
        source = _opened(file)
    with (
        source,
        _store(store_config(config)) as store,
        _refusals(f"{file} could not be imported"),
        _shown("imported", source) as counted,
    ):
        summary = store.import_repo(counted, project, name, relabel=relabelled)
    _tell("imported", summary, as_json, to_stderr=False)


@contextlib.contextmanager
def _store(config: pfs.StoreConfig) -> Iterator[pfs.Store]:
    try:
        store = pfs.open_store(config)
    except (pfs.StoreError, OSError) as error:
        raise CannotStart(f"the store in {config.data} cannot be opened: {error}") from error
    with contextlib.closing(store):
        yield store


@contextlib.contextmanager
def _refusals(what: str) -> Iterator[None]:
    """What can go wrong, told in a line; nothing was changed."""
    try:
        yield
    except BrokenPipeError as error:
        # what Python still holds for it would be complained about once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.ClickException(f"{what}: its reader has gone") from error
    except (pfs.StoreError, OSError) as error:
        raise click.ClickException(f"{what}: {error}") from error


def _opened(file: str) -> BinaryIO:
    return sys.stdin.buffer if file == STANDARD else Path(file).open("rb", buffering=_BUFFER)


@contextlib.contextmanager
def _written(file: str) -> Iterator[BinaryIO]:
    """Standard output, or a new file that takes its name, durably, at the end."""
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", _BUFFER) as target:
            yield target
            target.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Counted:
    """A file whose bytes are counted as they pass."""

    def __init__(self, file: BinaryIO, passed: Callable[[int], None]) -> None:
        self._file, self._passed = file, passed

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._passed(len(data))
        return data

    def write(self, data: bytes) -> int:
        self._passed(len(data))
        return self._file.write(data)


@contextlib.contextmanager
def _shown(done: str, file: BinaryIO) -> Iterator[BinaryIO]:
    """The file, with the bytes that pass shown on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield file
        return
    columns = (SpinnerColumn(), TextColumn(done), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(done, total=None)
        yield cast("BinaryIO", _Counted(file, lambda count: progress.advance(task, count)))


def _tell(done: str, summary: pfs.BundleSummary, as_json: bool, *, to_stderr: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(summary), indent=2), err=to_stderr)
        return
    holds = f"{summary.commits} commits, {summary.branches} branches, {summary.tags} tags, {summary.blobs} blobs"
    click.echo(f"{done} {summary.repo}: {holds}, {decimal(summary.size_bytes)}", err=to_stderr)
