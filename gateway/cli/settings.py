"""The table of settings as command-line options, and options back as settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.config import CONFIG_VARIABLE, SETTINGS, ConfigError, Resolved, resolve

Command = TypeVar("Command", bound=Callable[..., Any])

# Where a store is: what commands need that open one without serving it.
STORE_SETTINGS = ("data", "database_url", "blob_url")
# And how long it keeps what is nobody's.
KEEPING_SETTINGS = ("retention_s", "upload_expiry_s", "gc_grace_s")


def setting_options(names: Collection[str] | None = None) -> Callable[[Command], Command]:
    """Gives a command `--config` and the flags of the settings named, or of all.

    The command is called with the texts as keywords, which `settings_from` takes.
    """

    def decorate(command: Command) -> Command:
        for setting in reversed(SETTINGS):
            if setting.flag is not None and (names is None or setting.name in names):
                default = f"; default: {setting.default}" if setting.default else ""
                about = f"{setting.help}  [{setting.variable}{default}]"
                command = click.option(setting.flag, setting.name, metavar="VALUE", help=about)(command)
        about = f"TOML file with settings.  [{CONFIG_VARIABLE}]"
        return click.option("--config", "config_file", metavar="FILE", type=click.Path(path_type=Path), help=about)(
            command
        )

    return decorate


def settings_from(options: Mapping[str, Any]) -> Resolved:
    """The settings in force under these options. A setting that cannot be used is a usage error."""
    flags = {name: value for name, value in options.items() if name != "config_file"}
    try:
        return resolve(flags, os.environ, options["config_file"])
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
