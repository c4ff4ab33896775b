"""The argument tree of `caret`. A command is loaded when it is called: most need none of the server."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

# Topic → command → where it is. Help lists them in this order.
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "Run a gateway": {
        "serve": "gateway.cli.serve:serve_command",
        "config": "gateway.cli.config:config_command",
        "fsck": "gateway.cli.fsck:fsck_command",
        "gc": "gateway.cli.gc:gc_command",
        "export": "gateway.cli.bundles:export_command",
        "import": "gateway.cli.bundles:import_command",
    },
    "People": {
        "project": "gateway.cli.project:project_group",
        "user": "gateway.cli.user:user_group",
        "member": "gateway.cli.member:member_group",
        "key": "gateway.cli.key:key_group",
        "session": "gateway.cli.session:session_group",
        "audit": "gateway.cli.audit:audit_group",
        "credentials": "gateway.cli.credentials:credentials_command",
    },
    "History": {
        "repo": "gateway.cli.repo:repo_group",
        "branch": "gateway.cli.branch:branch_group",
        "tag": "gateway.cli.tag:tag_group",
        "log": "gateway.cli.history:log_command",
        "show": "gateway.cli.history:show_command",
        "diff": "gateway.cli.history:diff_command",
        "merge": "gateway.cli.merge:merge_command",
        "revert": "gateway.cli.merge:revert_command",
        "cherry-pick": "gateway.cli.merge:cherry_pick_command",
    },
    "Data": {
        "ls": "gateway.cli.content:ls_command",
        "cat": "gateway.cli.content:cat_command",
        "stat": "gateway.cli.content:stat_command",
        "sync": "gateway.cli.sync:sync_command",
        "transaction": "gateway.cli.transaction:transaction_group",
        "feed": "gateway.cli.feed:feed_command",
        "webhook": "gateway.cli.webhook:webhook_group",
    },
}
_PLACES = {name: place for commands in COMMANDS.values() for name, place in commands.items()}


class Tree(click.Group):
    """A group whose commands are those of the table, listed by topic."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _PLACES.get(cmd_name)
        return None if place is None else command_at(place)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _PLACES))
        for topic, commands in COMMANDS.items():
            with formatter.section(topic):
                room = formatter.width - formatter.current_indent - width - 4
                about = {name: command_at(place).get_short_help_str(room) for name, place in commands.items()}
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in about.items()])


def command_at(place: str) -> click.Command:
    """The command that `module:name` names."""
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, click.Command)
    return found


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="caret-gateway", prog_name="caret")
def main() -> None:
    """Caret: a versioned S3 gateway. Every write is a commit; every past state can be read again.

    REPO is a repo, or one of its branches as S3 names it: branch.repo. The environment says which gateway is asked,
    and as whom: CARET_ENDPOINT, CARET_ACCESS_KEY and CARET_SECRET_KEY, or the AWS_* variables. On the gateway's own
    machine nothing need be said.
    """
