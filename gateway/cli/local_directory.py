"""The directory of people for commands that need no gateway: opened where it is, beside one that may be serving."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click

import pfs
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError
from gateway.access.vault import VaultError
from gateway.app import directory_of
from gateway.cli.exits import FOUND_WRONG, CannotStart
from gateway.cli.settings import settings_from

DIRECTORY_SETTINGS = ("data", "database_url", "secret_keys")
_EMBEDDED = "gateway.db"  # opening a directory makes it where it is not


class Refused(click.ClickException):
    exit_code = FOUND_WRONG


@contextlib.contextmanager
def local_directory(options: dict[str, Any]) -> Iterator[Directory]:
    """Under the options of `DIRECTORY_SETTINGS`; tells what goes wrong as people need it."""
    config = settings_from(options).config
    if config.database_url is None and not (config.data / _EMBEDDED).exists():
        raise CannotStart(f"there is no gateway's directory in {config.data}; name its folder with --data")
    try:
        with contextlib.closing(directory_of(config)) as directory:
            yield directory
    except DirectoryError as error:
        raise Refused(str(error)) from error
    except (pfs.StoreError, VaultError, OSError) as error:
        raise CannotStart(f"the directory in {config.data} cannot be used: {error}") from error
