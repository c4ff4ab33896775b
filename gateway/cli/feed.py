"""`caret feed`: a branch's commits as they were made, and as they are made."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator

import click

from gateway.api import model
from gateway.cli.calling import Command, Place, calls_gateway, json_option, place_argument
from gateway.cli.history import COMMIT_COLUMNS, commit_row
from gateway.cli.output import print_json_line, table
from gateway.client import Client


@click.command("feed", cls=Command, example="caret feed photos --since HEAD~2")
@place_argument
@click.option("--since", metavar="REV", help="Only commits behind this one.  [default: from the first commit on]")
@click.option("-f", "--follow", is_flag=True, help="Go on with new commits as they come; without --since, only these.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="Leave after so many.")
@json_option
@calls_gateway
def feed_command(
    client: Client, place: Place, since: str | None, follow: bool, limit: int | None, as_json: bool
) -> None:
    """Print a branch's commits, the oldest first, a line each; with --json a JSON document each.

    With --follow it goes on until Ctrl-C, and connects anew where the connection is lost: none is left out.
    """
    branch = place.branch_of(client)
    commits = client.follow(place.repo, branch, since=since) if follow else _so_far(client, place.repo, branch, since)
    for commit in itertools.islice(commits, limit):
        if as_json:
            print_json_line(commit)
        else:
            table(COMMIT_COLUMNS, [commit_row(commit)], heads=False)
            sys.stdout.flush()


def _so_far(client: Client, repo: str, branch: str, since: str | None) -> Iterator[model.Commit]:
    while (page := client.feed(repo, branch, since=since, limit=1000)).commits:
        yield from page.commits
        since = page.next
