"""`caret user`: people, and what they prove themselves with."""

from __future__ import annotations

import io
import sys

import click
import segno

from gateway.api import model
from gateway.cli.calling import Command, calls_gateway, confirm, json_option, yes_option
from gateway.cli.output import Column, facts, local, print_json, say, table
from gateway.cli.people import RIGHTS, user_argument, yes_no
from gateway.client import Client


@click.group("user")
def user_group() -> None:
    """Users: people, who have rights in projects."""


@user_group.command("create", cls=Command, example="caret user create ben --display-name 'Ben Aker'")
@user_argument
@click.option("--display-name", default="", metavar="TEXT", help="What S3 shows as an owner's name.")
@click.option("--project", metavar="NAME", help="Where the first rights are; a project's administrator: his own.")
@click.option(
    *("--right", "rights"),
    multiple=True,
    type=click.Choice(RIGHTS),
    metavar="RIGHT",
    help="A first right, `member`, `import`, `export` or `admin`; again for more.",
)
@json_option
@calls_gateway
def create(
    client: Client, user: str, display_name: str, project: str | None, rights: tuple[model.Right, ...], as_json: bool
) -> None:
    """Make a user, who can do nothing before he has rights and a key."""
    _show(client.create_user(user, display_name=display_name, project=project, rights=list(rights)), as_json)


@user_group.command("list", cls=Command, example="caret user list")
@json_option
@calls_gateway
def list_(client: Client, as_json: bool) -> None:
    """List users: all for root, those of his project for an administrator."""
    found = client.list_users()
    if as_json:
        print_json(found)
        return
    columns = [Column("user"), Column("name"), Column("password"), Column("codes"), Column("disabled", "red")]
    rows = (
        [
            it.name,
            it.display_name,
            yes_no(it.has_password),
            yes_no(it.has_totp),
            local(it.disabled) if it.disabled else "",
        ]
        for it in found.users
    )
    table(columns, rows)


@user_group.command("show", cls=Command, example="caret user show ann")
@user_argument
@json_option
@calls_gateway
def show(client: Client, user: str, as_json: bool) -> None:
    """Show a user and his rights."""
    _show(client.get_user(user), as_json)


@user_group.command("disable", cls=Command, example="caret user disable ann")
@user_argument
@json_option
@calls_gateway
def disable(client: Client, user: str, as_json: bool) -> None:
    """Have a user's keys and sessions work no more, within a second. What he wrote stays."""
    _show(client.disable_user(user), as_json)


@user_group.command("enable", cls=Command, example="caret user enable ann")
@user_argument
@json_option
@calls_gateway
def enable(client: Client, user: str, as_json: bool) -> None:
    """Have a disabled user's keys and sessions work again."""
    _show(client.enable_user(user), as_json)


@user_group.command("password", cls=Command, example="printf 'correct horse battery' | caret user password ann --stdin")
@user_argument
@click.option("--stdin", "from_stdin", is_flag=True, help="Read one line from standard input, and ask nobody.")
@calls_gateway
def password(client: Client, user: str, from_stdin: bool) -> None:
    """Give a user another password, of 8 characters at least. It is asked for twice, and not shown."""
    client.set_password(user, _password(user, from_stdin))
    say(f"{user} has a new password")


def _password(user: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("without a terminal this needs --stdin")
    given: str = click.prompt(f"Password for {user}", hide_input=True, confirmation_prompt=True, err=True)
    return given


@user_group.command("totp", cls=Command, example="caret user totp ann --yes")
@user_argument
@yes_option
@json_option
@calls_gateway
def totp(client: Client, user: str, yes: bool, as_json: bool) -> None:
    """Give a user a secret for one-time codes, shown this once: as a QR code for an authenticator app, and as text."""
    if client.get_user(user).has_totp:
        confirm(f"{user} has codes already; those of the old secret will count no more. Go on?", yes)
    made = client.enrol_totp(user)
    if as_json:
        print_json(made)
        return
    say(_drawn(made.uri))
    facts([("user", made.user), ("secret", made.secret), ("uri", made.uri)])


def _drawn(text: str) -> str:
    """The QR code as half blocks, two rows a line; nothing where the output cannot show these."""
    drawing = io.StringIO()
    segno.make(text, micro=False).terminal(drawing, compact=True)
    try:
        drawing.getvalue().encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return ""
    return drawing.getvalue()


def _show(user: model.UserDetail, as_json: bool) -> None:
    if as_json:
        print_json(user)
        return
    pairs = [
        ("user", user.name),
        ("name", user.display_name),
        ("id", user.id),
        ("password", yes_no(user.has_password)),
        ("one-time codes", yes_no(user.has_totp)),
        ("created", local(user.created)),
    ]
    if user.disabled is not None:
        pairs.append(("disabled", local(user.disabled)))
    pairs += [(f"in {it.project}", ", ".join(it.rights)) for it in user.memberships]
    facts(pairs)
