"""`caret session`: the temporary credentials in force, for who operates the gateway."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

import pfs
from gateway.access.directory import Directory
from gateway.access.errors import DirectoryError
from gateway.access.model import Session
from gateway.access.rights import format_rights
from gateway.access.vault import VaultError
from gateway.app import directory_of
from gateway.cli.calling import Command
from gateway.cli.exits import FOUND_WRONG, CannotStart
from gateway.cli.settings import setting_options, settings_from

DIRECTORY_SETTINGS = ("data", "database_url", "secret_keys")
_EMBEDDED = "gateway.db"  # opening a directory makes it where it is not


class Refused(click.ClickException):
    exit_code = FOUND_WRONG


@contextlib.contextmanager
def opened_directory(options: dict[str, Any]) -> Iterator[Directory]:
    """The directory that the settings lead to, for a command on the gateway's machine."""
    config = settings_from(options).config
    if config.database_url is None and not (config.data / _EMBEDDED).exists():
        raise CannotStart(f"there is no gateway's directory in {config.data}; name its folder with --data")
    try:
        with contextlib.closing(directory_of(config)) as directory:
            yield directory
    except DirectoryError as error:
        raise Refused(str(error)) from error
    except (pfs.StoreError, VaultError, OSError) as error:
        raise CannotStart(f"the directory in {config.data} cannot be used: {error}") from error


@click.group("session")
def session_group() -> None:
    """See and end the sessions in force."""


@session_group.command("list", cls=Command, example="caret session list --data ./data")
@click.option("--user", default="", metavar="NAME", help="This user's alone.")
@click.option("--project", default="", metavar="NAME", help="This project's alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@setting_options(DIRECTORY_SETTINGS)
def list_command(user: str, project: str, as_json: bool, **options: Any) -> None:
    """List the sessions in force, the oldest first."""
    with opened_directory(options) as directory:
        found = directory.sessions(user=user, project=project)
    if as_json:
        click.echo(json.dumps([_document(session) for session in found], indent=2))
    else:
        _print(found)


@session_group.command("end", cls=Command, example="caret session end --user ann --data ./data")
@click.argument("access_keys", metavar="[ACCESS_KEY]...", nargs=-1)
@click.option("--user", default="", metavar="NAME", help="End all sessions of this user.")
@setting_options(DIRECTORY_SETTINGS)
def end_command(access_keys: Sequence[str], user: str, **options: Any) -> None:
    """End sessions; they stop working within a second, everywhere.

    What a session has begun under AssumeRole has an access key of its own: --user ends these too.
    """
    if bool(access_keys) == bool(user):
        raise click.UsageError("name the access keys of sessions, or their user with --user")
    with opened_directory(options) as directory:
        if user:
            directory.user(user)
            access_keys = [session.access_key for session in directory.sessions(user=user)]
        for access_key in access_keys:
            directory.end_session(access_key)
            click.echo(f"{access_key} has ended")


def _document(session: Session) -> dict[str, object]:
    return {
        "access_key": session.access_key,
        "user": session.user,
        "project": session.project,
        "rights": format_rights(session.rights),
        "assumed": session.assumed or None,
        "created": _time(session.created_us),
        "expires": _time(session.expires_us),
    }


def _print(found: Sequence[Session]) -> None:
    head = ("access key", "user", "project", "rights", "role", "until")
    rows = [
        (
            *(session.access_key, session.user, session.project),
            *(format_rights(session.rights), session.assumed or "-", _time(session.expires_us)),
        )
        for session in found
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())


def _time(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
