"""`caret config`: the settings in force, and where each comes from."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.calling import Command
from gateway.cli.settings import setting_options, settings_from
from gateway.config import SETTINGS, printable, settings_table


@click.command("config", cls=Command, example="caret config")
@click.option("--markdown", is_flag=True, help="Print the table of all settings instead, as in the documentation.")
@setting_options()
def config_command(markdown: bool, **options: Any) -> None:
    """Show the settings in force and where each comes from. Secrets are masked."""
    if markdown:
        click.echo(settings_table(), nl=False)
        return
    resolved = settings_from(options)
    rows = []
    for setting in SETTINGS:
        value = printable(setting, getattr(resolved.config, setting.name))
        rows.append((setting.name, value or setting.default, resolved.origins[setting.name]))
    rows += [("accounts", account.access_key, account.display_name) for account in resolved.config.accounts]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
