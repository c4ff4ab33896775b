"""`caret transaction`: many writes as one commit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from gateway.api import model
from gateway.cli.calling import (
    Command,
    Place,
    calls_gateway,
    confirm,
    json_option,
    message_option,
    metadata_option,
    place_argument,
    repo_argument,
    yes_option,
)
from gateway.cli.output import TIME, Column, facts, local, print_json, print_json_list, say, short, subject, table
from gateway.client import Client, Refusal, Unreachable

_ID = click.argument("transaction_id", metavar="ID")
_EXPIRES = click.option(
    *("--expires-in", "expires_in_s"),
    type=click.IntRange(1, 30 * 86_400),
    default=86_400,
    metavar="SECONDS",
    help="Forget it after so long.  [default: 86400, a day]",
)
# What a shell leaves with where it cannot start a command, or a signal ended it.
_NOT_FOUND, _NOT_EXECUTABLE, _SIGNALLED = 127, 126, 128


@click.group("transaction")
def transaction_group() -> None:
    """Transactions: many S3 writes as one commit, or none."""


@transaction_group.command("begin", cls=Command, example="caret transaction begin photos -m 'A new album'")
@place_argument
@message_option
@metadata_option
@_EXPIRES
@json_option
@calls_gateway
def begin(
    client: Client, place: Place, message: str | None, metadata: dict[str, str], expires_in_s: int, as_json: bool
) -> None:
    """Get a bucket to write to with any S3 client. It shows the branch as it is now, and what was written since."""
    _show(_begin(client, place, message, metadata, expires_in_s), as_json)


@transaction_group.command("list", cls=Command, example="caret transaction list photos")
@repo_argument
@json_option
@calls_gateway
def list_(client: Client, repo: str, as_json: bool) -> None:
    """List open transactions, the oldest first."""
    if as_json:
        print_json_list("transactions", client.transactions(repo))
        return
    columns = [Column("id", "yellow"), Column("branch"), Column("bucket"), TIME, Column("author"), Column("message")]
    rows = (
        [found.id, found.branch, found.bucket, local(found.begun), found.author, subject(found.message)]
        for found in client.transactions(repo)
    )
    table(columns, rows)


@transaction_group.command("show", cls=Command, example="caret transaction show photos ID")
@repo_argument
@_ID
@json_option
@calls_gateway
def show(client: Client, repo: str, transaction_id: str, as_json: bool) -> None:
    """Show a transaction, open or ended."""
    _show(client.get_transaction(repo, transaction_id), as_json)


@transaction_group.command("commit", cls=Command, example="caret transaction commit photos ID -m 'A new album'")
@repo_argument
@_ID
@message_option
@metadata_option
@json_option
@calls_gateway
def commit(
    client: Client, repo: str, transaction_id: str, message: str | None, metadata: dict[str, str], as_json: bool
) -> None:
    """Make one commit of it. Message and metadata given here take the place of those it was begun with.

    Where a key that it touched has changed on the branch meanwhile, it stays open and the command leaves with 5.
    """
    _show(client.commit_transaction(repo, transaction_id, message=message, metadata=metadata or None), as_json)


@transaction_group.command("abandon", cls=Command, example="caret transaction abandon photos ID --yes")
@repo_argument
@_ID
@yes_option
@calls_gateway
def abandon(client: Client, repo: str, transaction_id: str, yes: bool) -> None:
    """Forget it and all that was written to it."""
    confirm(f"Abandon the transaction {transaction_id} of {repo} and all that was written to it?", yes)
    client.abandon_transaction(repo, transaction_id)
    say(f"abandoned {transaction_id}")


@transaction_group.command(
    "run", cls=Command, example="caret transaction run photos -m 'A new album' -- python3 album.py"
)
@message_option
@metadata_option
@_EXPIRES
@place_argument
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@calls_gateway
def run(
    client: Client,
    place: Place,
    message: str | None,
    metadata: dict[str, str],
    expires_in_s: int,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND inside a transaction: committed where it leaves with 0, else abandoned.

    COMMAND finds the bucket in CARET_BUCKET, and endpoint and credentials in the AWS_* and CARET_* variables. Its
    exit code is passed on; where a signal ended it, that is 128 and the signal's number, as in a shell.
    """
    begun = _begin(client, place, message, metadata, expires_in_s)
    try:
        code = _run(command, {**client.reach.environment(), **_variables(begun)})
    except BaseException:
        _forget(client, begun)
        raise
    if code != 0:
        _forget(client, begun)
        sys.exit(code)
    try:
        done = client.commit_transaction(begun.repo, begun.id)
    except (Refusal, Unreachable):
        say(f"The command has left with 0; its transaction {begun.id} of {begun.repo} is not committed.", err=True)
        raise
    say(f"committed {short(done.commit_id or '')} to {done.branch} of {done.repo}", err=True)


def _begin(
    client: Client, place: Place, message: str | None, metadata: dict[str, str], expires_in_s: int
) -> model.Transaction:
    branch = place.branch_of(client)
    return client.begin_transaction(
        place.repo, branch, message=message or "", metadata=metadata, expires_in_s=expires_in_s
    )


def _variables(begun: model.Transaction) -> Mapping[str, str]:
    return {"CARET_BUCKET": begun.bucket, "CARET_TRANSACTION": begun.id}


def _run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """The command's exit code, as a shell tells it."""
    try:
        process = subprocess.Popen(command, env={**os.environ, **variables})
    except FileNotFoundError as error:
        say(f"Error: {command[0]} cannot be run: {error.strerror}", err=True)
        return _NOT_FOUND
    except OSError as error:
        say(f"Error: {command[0]} cannot be run: {error.strerror}", err=True)
        return _NOT_EXECUTABLE
    with process, _signals_of(process):
        code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


@contextmanager
def _signals_of(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Meanwhile the command decides what a signal means. A terminal sends Ctrl-C to both; SIGTERM is passed on."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    def leave_to_it(number: int, frame: FrameType | None) -> None:
        """SIG_IGN would be inherited, had the command children of ours."""

    handlers = {signal.SIGINT: leave_to_it, signal.SIGTERM: pass_on, signal.SIGHUP: pass_on}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _forget(client: Client, begun: model.Transaction) -> None:
    """Abandons it. Where that fails it is told, and the transaction expires by itself."""
    try:
        client.abandon_transaction(begun.repo, begun.id)
    except (Refusal, Unreachable) as error:
        say(f"The transaction {begun.id} of {begun.repo} could not be abandoned: {error}", err=True)


def _show(found: model.Transaction, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    pairs = [
        ("transaction", found.id),
        ("state", found.state),
        ("branch", f"{found.branch} of {found.repo}, as at {short(found.base)}"),
        ("bucket", found.bucket),
        ("author", found.author),
        ("message", found.message),
        *((f"[{name}]", value) for name, value in sorted(found.metadata.items())),
        ("begun", local(found.begun)),
        ("expires", local(found.expires)),
    ]
    if found.ended is not None:
        pairs.append(("ended", local(found.ended)))
    if found.commit_id is not None:
        pairs.append(("commit", found.commit_id))
    facts(pairs)
