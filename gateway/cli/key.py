"""`caret key`: the access keys of people."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.calling import Command, calls_gateway, confirm, json_option, yes_option
from gateway.cli.local_directory import DIRECTORY_SETTINGS, local_directory
from gateway.cli.output import Column, count, facts, local, print_json, say, table
from gateway.cli.people import of_option, project_argument, user_argument
from gateway.cli.settings import setting_options
from gateway.client import Client


@click.group("key")
def key_group() -> None:
    """Access keys: each is one user's, for one project."""


@key_group.command("create", cls=Command, example="caret key create p11 ann")
@project_argument
@user_argument
@json_option
@calls_gateway
def create(client: Client, project: str, user: str, as_json: bool) -> None:
    """Give a user an access key for a project. Its secret is told this once."""
    made = client.create_key(project, user)
    if as_json:
        print_json(made)
        return
    facts(
        [
            ("access key", made.access_key),
            ("secret key", made.secret),
            ("user", made.user),
            ("project", made.project),
        ]
    )


@key_group.command("list", cls=Command, example="caret key list --project p11")
@of_option("user")
@of_option("project")
@json_option
@calls_gateway
def list_(client: Client, user: str | None, project: str | None, as_json: bool) -> None:
    """List access keys, the oldest first, without their secrets."""
    found = client.list_keys(user=user, project=project)
    if as_json:
        print_json(found)
        return
    columns = [
        *(Column("access key", "yellow"), Column("user"), Column("project")),
        *(Column("created", "dim"), Column("disabled", "red")),
    ]
    rows = (
        [it.access_key, it.user, it.project, local(it.created), local(it.disabled) if it.disabled else ""]
        for it in found.keys
    )
    table(columns, rows)


@key_group.command("disable", cls=Command, example="caret key disable ID --yes")
@click.argument("access_key_id", metavar="ACCESS_KEY")
@yes_option
@calls_gateway
def disable(client: Client, access_key_id: str, yes: bool) -> None:
    """Have an access key work no more, for ever and within a second. Sessions made with it go on: see caret session."""
    confirm(f"Disable {access_key_id} for ever?", yes)
    client.disable_key(access_key_id)
    say(f"{access_key_id} is disabled")


@key_group.command("rotate", cls=Command, example="caret key rotate --data ./data")
@setting_options(DIRECTORY_SETTINGS)
def rotate(**options: Any) -> None:
    """Seal all secrets that are kept with the newest of the gateway's keys (the setting secret_keys).

    Works on the data folder, beside a serving gateway or without one. Access keys and their secrets stay as they are.
    """
    with local_directory(options) as directory:
        say(f"{count(directory.rotate(), 'secret')} sealed anew")
