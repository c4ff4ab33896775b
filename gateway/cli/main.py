"""The argument tree of `caret`."""

from __future__ import annotations

import click

from gateway.cli.config import config_command
from gateway.cli.credentials import credentials_command
from gateway.cli.fsck import fsck_command
from gateway.cli.serve import serve_command
from gateway.cli.session import session_group


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="caret-gateway", prog_name="caret")
def main() -> None:
    """Caret: a versioned S3 gateway. Every write is a commit; every past state can be read again."""


main.add_command(serve_command)
main.add_command(config_command)
main.add_command(fsck_command)
main.add_command(session_group)
main.add_command(credentials_command)
