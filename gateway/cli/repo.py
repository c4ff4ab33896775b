"""`caret repo`: repos."""

from __future__ import annotations

import click

from gateway.api import model
from gateway.cli.calling import Command, calls_gateway, confirm, json_option, repo_argument, yes_option
from gateway.cli.output import Column, count, facts, human, local, print_json, print_json_list, say, table
from gateway.client import Client


@click.group("repo")
def repo_group() -> None:
    """Repos: sets of branches that share their history."""


@repo_group.command("create", cls=Command, example="caret repo create photos")
@click.argument("name")
@click.option("--default-branch", default="main", metavar="BRANCH", help="Its first branch.  [default: main]")
@json_option
@calls_gateway
def create(client: Client, name: str, default_branch: str, as_json: bool) -> None:
    """Make a repo with its default branch, which S3 clients know as the bucket of the repo's name."""
    _show(client.create_repo(name, default_branch=default_branch), as_json)


@repo_group.command("list", cls=Command, example="caret repo list")
@json_option
@calls_gateway
def list_(client: Client, as_json: bool) -> None:
    """List the repos that are yours."""
    if as_json:
        print_json_list("repos", client.repos())
        return
    columns = [Column("repo"), Column("default branch"), Column("created", "dim")]
    table(columns, ([repo.name, repo.default_branch, local(repo.created)] for repo in client.repos()))


@repo_group.command("show", cls=Command, example="caret repo show photos")
@repo_argument
@json_option
@calls_gateway
def show(client: Client, repo: str, as_json: bool) -> None:
    """Count what a repo holds."""
    _show(client.get_repo(repo), as_json)


@repo_group.command("rename", cls=Command, example="caret repo rename photos pictures")
@repo_argument
@click.argument("name")
@json_option
@calls_gateway
def rename(client: Client, repo: str, name: str, as_json: bool) -> None:
    """Give a repo another name. The names of its buckets change with it."""
    _show(client.rename_repo(repo, name), as_json)


@repo_group.command("delete", cls=Command, example="caret repo delete photos --yes")
@repo_argument
@yes_option
@calls_gateway
def delete(client: Client, repo: str, yes: bool) -> None:
    """Delete a repo with all its branches. For a while `caret branch restore` brings them back."""
    confirm(f"Delete the repo {repo} with all its branches?", yes)
    client.delete_repo(repo)
    say(f"deleted {repo}")


def _show(repo: model.RepoDetail, as_json: bool) -> None:
    if as_json:
        print_json(repo)
        return
    facts(
        [
            ("repo", repo.name),
            ("default branch", repo.default_branch),
            ("created", local(repo.created)),
            ("branches", str(repo.branches)),
            ("tags", str(repo.tags)),
            ("commits", str(repo.commits)),
            ("holds", f"{count(repo.objects, 'object')}, {human(repo.size_bytes)}"),
        ]
    )
