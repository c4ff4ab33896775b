"""`caret credentials`: a session for any client that takes its credentials from a command, or from the environment.

The long-lived key comes from a profile of the AWS tools, or from the environment (what comes first counts):

    endpoint    CARET_ENDPOINT; AWS_ENDPOINT_URL_STS; AWS_ENDPOINT_URL
    key         CARET_ACCESS_KEY and CARET_SECRET_KEY; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
    region      CARET_REGION; AWS_REGION; AWS_DEFAULT_REGION; us-east-1

Standard output has the credentials alone; questions are put on the terminal.
"""

from __future__ import annotations

import configparser
import contextlib
import getpass
import os
import re
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from gateway.access.rights import Right
from gateway.cli.calling import Command
from gateway.cli.exits import FOUND_WRONG, CannotStart
from gateway.client.kept_sessions import KeptSession, cache_folder, format_process
from gateway.client.sts import NoSts, Sts, StsRefusal
from gateway.s3.sigv4 import Credentials
from gateway.sts.operations import Issued, Role, SecondFactor

_TERMINAL = "/dev/tty"
_USER_ARN = re.compile(r"arn:aws:iam::[0-9]{12}:user/(.+)")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_+=,.@-]")
_ENDPOINTS = ("CARET_ENDPOINT", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
_REGIONS = ("CARET_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
_DEFAULT_REGION = "us-east-1"


class Refused(click.ClickException):
    exit_code = FOUND_WRONG


@dataclass(frozen=True)
class Wanted:
    """Without a role: all the rights that the key's user has in the key's project, which then is not named."""

    role: str | None
    project: str | None
    user: str | None
    duration_s: int | None


@click.command("credentials", cls=Command, example="caret credentials --role export")
@click.option("--profile", metavar="NAME", help="Take the long-lived key, endpoint and region from this AWS profile.")
@click.option(
    "--role",
    type=click.Choice([right.value for right in Right]),
    help="Ask for this right alone.  [default: all of the key's project]",
)
@click.option("--project", metavar="NUMBER", help="With --role: in this project.  [default: the key's]")
@click.option("--user", metavar="NAME", help="Whose one-time codes these are.  [default: whose key it is]")
@click.option("--duration", "duration_s", type=int, metavar="SECONDS", help="How long it lasts.  [default: 3600]")
@click.option("--renew", is_flag=True, help="Do not use a session that was kept.")
@click.option("--export", is_flag=True, help='Print lines for a shell: eval "$(caret credentials --export)"')
def credentials_command(
    *,
    profile: str | None,
    role: str | None,
    project: str | None,
    user: str | None,
    duration_s: int | None,
    renew: bool,
    export: bool,
) -> None:
    """Print a session's credentials, as AWS tools expect of a credential_process.

    The session is kept until it ends; only for a new one a one-time code is asked for, on the terminal.
    """
    wanted = Wanted(role, _number(role, project), user, duration_s)
    settings = os.environ if profile is None else {**os.environ, **_profile(profile, os.environ)}
    endpoint, keys = _first(settings, _ENDPOINTS), _keys(settings)
    if endpoint is None or keys is None:
        raise click.UsageError(
            "the endpoint and a long-lived key are needed: set CARET_ENDPOINT, CARET_ACCESS_KEY and CARET_SECRET_KEY, "
            "or name a profile with --profile"
        )
    try:
        region = _first(settings, _REGIONS) or _DEFAULT_REGION
        sts = Sts(endpoint, keys, region=region, ca_bundle=settings.get("AWS_CA_BUNDLE"))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    kept = KeptSession(cache_folder(settings), sts.endpoint, keys.access_key, wanted.project or "", wanted.role or "")
    try:
        with contextlib.closing(sts), kept.locked():
            issued = None if renew else kept.read()
            if issued is None:
                issued = obtain(sts, wanted)
                kept.write(issued)
    except StsRefusal as refusal:
        raise Refused(str(refusal)) from refusal
    except (NoSts, OSError) as error:
        raise CannotStart(str(error)) from error
    click.echo(_exports(issued) if export else format_process(issued))


def obtain(sts: Sts, wanted: Wanted) -> Issued:
    """A new session; asks for the code if STS does. Raises StsRefusal, NoSts, click's exceptions."""
    role = None
    if wanted.role is not None:
        role = Role(wanted.project or sts.identity().account, wanted.role)
    try:
        return _ask(sts, wanted, role, None)
    except StsRefusal as refusal:
        if not refusal.needs_code:
            raise
    user = wanted.user or _user(sts)
    return _ask(sts, wanted, role, SecondFactor(user, _code(user)))


def _ask(sts: Sts, wanted: Wanted, role: Role | None, factor: SecondFactor | None) -> Issued:
    if role is None:
        return sts.session_token(duration_s=wanted.duration_s, factor=factor)
    return sts.assume_role(role, _session_name(), duration_s=wanted.duration_s, factor=factor)


def _session_name() -> str:
    """From which machine: administrators see it."""
    return f"caret-{_NOT_IN_A_NAME.sub('-', socket.gethostname())}"[:64]


def _user(sts: Sts) -> str:
    match = _USER_ARN.fullmatch(sts.identity().arn)
    if match is None:
        raise click.UsageError("the key does not say whose one-time code is needed: name the user with --user")
    return match[1]


def _code(user: str) -> str:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError as error:  # getpass would turn to standard input
        raise Refused(
            "a one-time code is needed, and there is no terminal to ask for it. Run the same command in a terminal "
            "first: the session is kept."
        ) from error
    return getpass.getpass(f"One-time code of {user}: ").strip()


def _number(role: str | None, project: str | None) -> str | None:
    """A project's number in full; leading zeros may be left out."""
    if project is None:
        return None
    if role is None:
        raise click.UsageError("--project needs --role: without a role it is the key's project")
    if not re.fullmatch(r"[0-9]{1,12}", project):
        raise click.UsageError(f"--project takes a project's number, not {project!r}")
    return project.zfill(12)


def _exports(issued: Issued) -> str:
    values = {
        "AWS_ACCESS_KEY_ID": issued.access_key,
        "AWS_SECRET_ACCESS_KEY": issued.secret,
        "AWS_SESSION_TOKEN": issued.token,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


# ---------------------------------------------------------------- where the key comes from


def _keys(settings: Mapping[str, str]) -> Credentials | None:
    if settings.get("CARET_ACCESS_KEY") and settings.get("CARET_SECRET_KEY"):
        return Credentials(settings["CARET_ACCESS_KEY"], settings["CARET_SECRET_KEY"])
    if settings.get("AWS_ACCESS_KEY_ID") and settings.get("AWS_SECRET_ACCESS_KEY"):
        token = settings.get("AWS_SESSION_TOKEN") or None
        return Credentials(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"], token)
    return None


def _first(settings: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((settings[name] for name in names if settings.get(name)), None)


def _profile(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the AWS tools' files say of a profile, as the variables that it stands for."""
    section = name if name == "default" else f"profile {name}"
    found = {
        **_section(Path(environ.get("AWS_CONFIG_FILE") or Path.home() / ".aws" / "config"), section),
        **_section(Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials"), name),
    }
    access_key, secret = found.get("aws_access_key_id"), found.get("aws_secret_access_key")
    if not access_key or not secret:
        raise click.UsageError(f"the AWS profile {name!r} has no access key")
    variables = {"CARET_ACCESS_KEY": access_key, "CARET_SECRET_KEY": secret}
    for option, variable in (("endpoint_url", "CARET_ENDPOINT"), ("region", "CARET_REGION")):
        if found.get(option):
            variables[variable] = found[option]
    return variables


def _section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error
    return dict(parser[name]) if name in parser else {}
