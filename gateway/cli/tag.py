"""`caret tag`: names for commits."""

from __future__ import annotations

import click

from gateway.api import model
from gateway.cli.calling import (
    Command,
    Place,
    calls_gateway,
    confirm,
    expected_head_option,
    json_option,
    place_argument,
    repo_argument,
    yes_option,
)
from gateway.cli.output import ID, TIME, Column, facts, local, print_json, print_json_list, say, short, subject, table
from gateway.client import Client


@click.group("tag")
def tag_group() -> None:
    """Tags: names for commits, that do not move."""


@tag_group.command("create", cls=Command, example="caret tag create photos v2 HEAD^ -m 'As shown in Vienna'")
@place_argument
@click.argument("name")
@click.argument("rev", default="HEAD")
@click.option("-m", "--message", default="", metavar="TEXT", help="What it is for.")
@expected_head_option
@json_option
@calls_gateway
def create(
    client: Client, place: Place, name: str, rev: str, message: str, expected_head: str | None, as_json: bool
) -> None:
    """Name the commit REV (by default HEAD). The tag is usable wherever a revision is."""
    fields = {"branch": place.branch, "expected_head": expected_head}
    _show(client.create_tag(place.repo, name, rev=rev, message=message, **fields), as_json)


@tag_group.command("list", cls=Command, example="caret tag list photos")
@repo_argument
@json_option
@calls_gateway
def list_(client: Client, repo: str, as_json: bool) -> None:
    """List a repo's tags."""
    if as_json:
        print_json_list("tags", client.tags(repo))
        return
    columns = [Column("tag"), ID, TIME, Column("author"), Column("message")]
    rows = (
        [tag.name, short(tag.commit_id), local(tag.time), tag.author, subject(tag.message)] for tag in client.tags(repo)
    )
    table(columns, rows)


@tag_group.command("show", cls=Command, example="caret tag show photos v1")
@repo_argument
@click.argument("tag")
@json_option
@calls_gateway
def show(client: Client, repo: str, tag: str, as_json: bool) -> None:
    """Show a tag and the commit that it names."""
    _show(client.get_tag(repo, tag), as_json)


@tag_group.command("delete", cls=Command, example="caret tag delete photos v1 --yes")
@repo_argument
@click.argument("tag")
@yes_option
@calls_gateway
def delete(client: Client, repo: str, tag: str, yes: bool) -> None:
    """Forget a tag. Its commit stays."""
    confirm(f"Delete the tag {tag} of {repo}?", yes)
    client.delete_tag(repo, tag)
    say(f"deleted {tag} of {repo}")


def _show(tag: model.Tag, as_json: bool) -> None:
    if as_json:
        print_json(tag)
        return
    facts(
        [
            ("tag", tag.name),
            ("commit", tag.commit_id),
            ("author", tag.author),
            ("time", local(tag.time)),
            ("message", tag.message),
        ]
    )
