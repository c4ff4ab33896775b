"""`caret branch`: branches, those deleted, and which take merges only."""

from __future__ import annotations

from collections.abc import Sequence

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

_BRANCH = click.argument("branch")


@click.group("branch")
def branch_group() -> None:
    """Branches: what S3 clients know as buckets."""


@branch_group.command("create", cls=Command, example="caret branch create photos draft HEAD^")
@place_argument
@click.argument("name")
@click.argument("rev", default="HEAD")
@json_option
@calls_gateway
def create(client: Client, place: Place, name: str, rev: str, as_json: bool) -> None:
    """Make the branch NAME whose head is REV (by default HEAD). It costs the same at any size."""
    _show(client.create_branch(place.repo, name, rev=rev, branch=place.branch), as_json)


@branch_group.command("list", cls=Command, example="caret branch list photos")
@repo_argument
@json_option
@calls_gateway
def list_(client: Client, repo: str, as_json: bool) -> None:
    """List a repo's branches with their heads."""
    if as_json:
        print_json_list("branches", client.branches(repo))
        return
    columns = [Column("branch"), Column("bucket"), Column("protected"), ID, TIME, Column("message")]
    table(columns, (_row(branch) for branch in client.branches(repo)))


@branch_group.command("show", cls=Command, example="caret branch show photos draft")
@repo_argument
@_BRANCH
@json_option
@calls_gateway
def show(client: Client, repo: str, branch: str, as_json: bool) -> None:
    """Show a branch and its head."""
    _show(client.get_branch(repo, branch), as_json)


@branch_group.command("delete", cls=Command, example="caret branch delete photos draft --yes")
@repo_argument
@_BRANCH
@expected_head_option
@yes_option
@calls_gateway
def delete(client: Client, repo: str, branch: str, expected_head: str | None, yes: bool) -> None:
    """Delete a branch. For a while it can be restored; with the last one goes its repo."""
    confirm(f"Delete the branch {branch} of {repo}?", yes)
    client.delete_branch(repo, branch, expected_head=expected_head)
    say(f"deleted {branch} of {repo}")


@branch_group.command("deleted", cls=Command, example="caret branch deleted photos")
@repo_argument
@json_option
@calls_gateway
def deleted(client: Client, repo: str, as_json: bool) -> None:
    """List the deleted branches that can be restored."""
    found = client.list_deleted_branches(repo)
    if as_json:
        print_json(found)
        return
    columns = [Column("branch"), Column("deleted", "dim"), Column("restorable until")]
    table(columns, ([item.name, local(item.deleted), local(item.restorable_until)] for item in found.branches))


@branch_group.command("restore", cls=Command, example="caret branch restore photos draft")
@repo_argument
@_BRANCH
@json_option
@calls_gateway
def restore(client: Client, repo: str, branch: str, as_json: bool) -> None:
    """Bring back a deleted branch, and its repo with it."""
    _show(client.restore_branch(repo, branch), as_json)


@branch_group.command("reset", cls=Command, example="caret branch reset photos draft HEAD^")
@repo_argument
@_BRANCH
@click.argument("rev")
@expected_head_option
@json_option
@calls_gateway
def reset(client: Client, repo: str, branch: str, rev: str, expected_head: str | None, as_json: bool) -> None:
    """Move a branch's head to REV. The old head stays reachable by its id."""
    _show(client.reset_branch(repo, branch, rev, expected_head=expected_head), as_json)


@branch_group.command("protect", cls=Command, example="caret branch protect photos 'release-*'")
@repo_argument
@click.argument("pattern", required=False)
@json_option
@calls_gateway
def protect(client: Client, repo: str, pattern: str | None, as_json: bool) -> None:
    """Have branches whose names match PATTERN (*, ? and [a-z] are wild) take merges only.

    Without PATTERN: list the patterns there are.
    """
    found = client.list_protections(repo) if pattern is None else client.protect(repo, pattern)
    if as_json:
        print_json(found)
    elif isinstance(found, model.Protections):
        _print_protections(found.protections)
    else:
        _print_protections([found])


@branch_group.command("unprotect", cls=Command, example="caret branch unprotect photos 'release-*'")
@repo_argument
@click.argument("pattern")
@calls_gateway
def unprotect(client: Client, repo: str, pattern: str) -> None:
    """Lift the protection of a PATTERN, spelled as it was given."""
    client.unprotect(repo, pattern)
    say(f"{pattern} of {repo} is not protected any more")


def _print_protections(found: Sequence[model.Protection]) -> None:
    rows = ([item.pattern, item.author, local(item.created)] for item in found)
    table([Column("pattern"), Column("author"), Column("since", "dim")], rows)


def _row(branch: model.Branch) -> Sequence[str]:
    head = branch.head
    protected = "yes" if branch.protected else "no"
    return [branch.name, branch.bucket, protected, short(head.id), local(head.time), subject(head.message)]


def _show(branch: model.Branch, as_json: bool) -> None:
    if as_json:
        print_json(branch)
        return
    facts(
        [
            ("branch", branch.name),
            ("repo", branch.repo),
            ("bucket", branch.bucket),
            ("created", local(branch.created)),
            ("protected", "yes, it takes merges only" if branch.protected else "no"),
            ("head", branch.head.id),
            ("time", local(branch.head.time)),
            ("author", branch.head.author),
            ("message", branch.head.message),
        ]
    )
