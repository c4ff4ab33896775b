"""`caret webhook`: who is told of commits."""

from __future__ import annotations

import click

from gateway.api import model
from gateway.cli.calling import Command, calls_gateway, confirm, json_option, repo_argument, yes_option
from gateway.cli.output import Column, facts, local, print_json, say, table
from gateway.client import Client

_ID = click.argument("webhook_id", metavar="ID")


@click.group("webhook")
def webhook_group() -> None:
    """Webhooks: have each new commit POSTed to a URL, signed."""


@webhook_group.command(
    "create", cls=Command, example="caret webhook create photos http://127.0.0.1:8000/hook --branches 'release-*'"
)
@repo_argument
@click.argument("url")
@click.option("--branches", default="*", metavar="PATTERN", help="Only commits to branches of these names.")
@json_option
@calls_gateway
def create(client: Client, repo: str, url: str, branches: str, as_json: bool) -> None:
    """Have commits POSTed to URL. The secret that they are signed with is made, and told this once."""
    _show(client.create_webhook(repo, url, branches=branches), as_json)


@webhook_group.command("list", cls=Command, example="caret webhook list photos")
@repo_argument
@json_option
@calls_gateway
def list_(client: Client, repo: str, as_json: bool) -> None:
    """List who is told, and how many commits they have not taken yet."""
    found = client.list_webhooks(repo)
    if as_json:
        print_json(found)
        return
    columns = [
        Column("id", "yellow"),
        Column("branches"),
        Column("pending", right=True),
        Column("url"),
        Column("last error", "red"),
    ]
    rows = ([hook.id, hook.branches, str(hook.pending), hook.url, hook.last_error or ""] for hook in found.webhooks)
    table(columns, rows)


@webhook_group.command("show", cls=Command, example="caret webhook show photos ID")
@repo_argument
@_ID
@json_option
@calls_gateway
def show(client: Client, repo: str, webhook_id: str, as_json: bool) -> None:
    """Show a webhook and how far it has come."""
    _show(client.get_webhook(repo, webhook_id), as_json)


@webhook_group.command("delete", cls=Command, example="caret webhook delete photos ID --yes")
@repo_argument
@_ID
@yes_option
@calls_gateway
def delete(client: Client, repo: str, webhook_id: str, yes: bool) -> None:
    """Stop telling."""
    confirm(f"Delete the webhook {webhook_id} of {repo}?", yes)
    client.delete_webhook(repo, webhook_id)
    say(f"deleted {webhook_id}")


def _show(hook: model.Webhook, as_json: bool) -> None:
    if as_json:
        print_json(hook)
        return
    pairs = [
        ("webhook", hook.id),
        ("url", hook.url),
        ("branches", hook.branches),
        ("author", hook.author),
        ("created", local(hook.created)),
        ("pending", str(hook.pending)),
    ]
    if hook.last_error is not None:
        pairs.append(("last error", hook.last_error))
    if hook.secret is not None:
        pairs.append(("secret", hook.secret))
    facts(pairs)
