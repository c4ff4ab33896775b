"""`caret member`: who has which rights in a project."""

from __future__ import annotations

import click

from gateway.api import model
from gateway.cli.calling import Command, calls_gateway, json_option
from gateway.cli.output import Column, print_json, say, table
from gateway.cli.people import project_argument, rights_argument, user_argument
from gateway.client import Client


@click.group("member")
def member_group() -> None:
    """Members: who may do what in a project."""


@member_group.command("list", cls=Command, example="caret member list p11")
@project_argument
@json_option
@calls_gateway
def list_(client: Client, project: str, as_json: bool) -> None:
    """List who has rights in a project, and which."""
    found = client.list_members(project)
    if as_json:
        print_json(found)
        return
    table([Column("user"), Column("rights")], ([it.user, ", ".join(it.rights)] for it in found.members))


@member_group.command("grant", cls=Command, example="caret member grant p11 ann import export")
@project_argument
@user_argument
@rights_argument
@calls_gateway
def grant(client: Client, project: str, user: str, rights: tuple[model.Right, ...]) -> None:
    """Give a user rights in a project: member, import, export, admin."""
    for right in rights:
        client.grant(project, user, right)
        say(f"{user} has the right {right} in {project}")


@member_group.command("revoke", cls=Command, example="caret member revoke p11 ann export")
@project_argument
@user_argument
@rights_argument
@calls_gateway
def revoke(client: Client, project: str, user: str, rights: tuple[model.Right, ...]) -> None:
    """Take rights away, from keys and from sessions in force, within a second."""
    for right in rights:
        client.revoke(project, user, right)
        say(f"{user} has the right {right} in {project} no more")
