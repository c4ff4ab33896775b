"""What commands that call the gateway have in common: how they reach it, what their arguments look like, and how a
refusal is told.

One rule for names: REPO is a repo, or a branch of it as S3 names it, `branch.repo`; `--branch` says the same. Without
either the repo's default branch is meant. Revisions follow as arguments, or after `--rev` where they may be left out.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from gateway.api import model
from gateway.cli.exits import CANNOT_START, CONFLICT, FOUND_WRONG, INTERRUPTED
from gateway.cli.output import Column, human, print_json, say, table
from gateway.client import Client, NotConfigured, Reach, Refusal, Unreachable
from gateway.client.endpoint import parse_endpoint
from gateway.client.environment import find

Function = TypeVar("Function", bound=Callable[..., Any])

_CONFLICTS = ("MergeConflict", "TransactionConflict", "HeadMoved")
HINTS: Mapping[str, str] = {
    "NoSuchRepo": "`caret repo list` shows the repos there are.",
    "NoSuchBranch": "`caret branch list REPO` shows the branches there are, `caret branch deleted REPO` those deleted.",
    "NoSuchTag": "`caret tag list REPO` shows the tags there are.",
    "NoSuchRevision": "`caret log REPO` shows the commits there are.",
    "NoSuchKey": "`caret ls REPO -r` shows the keys there are.",
    "NoSuchTransaction": "`caret transaction list REPO` shows the open ones.",
    "NoSuchWebhook": "`caret webhook list REPO` shows the webhooks there are.",
    "NoSuchProtection": "`caret branch protect REPO` shows the patterns there are.",
    "NoSuchProject": "`caret project list` shows the projects that are yours to administer.",
    "NoSuchUser": "`caret user list` shows the users that are yours to administer.",
    "NoSuchMember": "`caret member list PROJECT` shows who has which rights.",
    "NoSuchAccessKey": "`caret key list` shows the keys there are.",
    "ProtectedBranch": "write to another branch and merge it: `caret merge REPO OTHER --into BRANCH`.",
    "MergeConflict": "decide with --strategy ours|theirs, or key by key with --ours KEY and --theirs KEY.",
    "TransactionConflict": "it stays open; abandon it and begin anew from the branch as it is now.",
    "HeadMoved": "look at what came meanwhile with `caret log`, then say the new head.",
    "InvalidAccessKeyId": "the gateway does not know this access key; is it another gateway's?",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key.",
    "RequestTimeTooSkewed": "set this machine's clock.",
}


# ---------------------------------------------------------------- refusals


class Refused(click.ClickException):
    """The gateway said no."""

    exit_code = FOUND_WRONG

    def __init__(self, refusal: Refusal, as_json: bool) -> None:
        super().__init__(refusal.message)
        self.refusal, self.as_json = refusal, as_json

    def show(self, file: Any = None) -> None:
        refusal = self.refusal
        if self.as_json:
            facts = {"request_id": refusal.request_id, "details": refusal.details}
            print_json({"error": {"code": refusal.code, "message": refusal.message, **facts}})
        say(f"Error: {refusal.message} ({refusal.code})", err=True)
        if refusal.code == "MergeConflict":
            print_conflicts(msgspec.convert(refusal.details["conflicts"], list[model.Conflict]))
        elif refusal.code == "TransactionConflict":
            table([Column("key moved meanwhile")], [[key] for key in refusal.details["keys"]], err=True)
        elif refusal.code == "AmbiguousRevision":
            table([Column("it may be")], [[commit_id] for commit_id in refusal.details["candidates"]], err=True)
        elif refusal.code == "HeadMoved":
            say(f"The head is {refusal.details['head']}.", err=True)
        if refusal.status >= 500 and refusal.request_id:
            say(f"The gateway's log knows more of request {refusal.request_id}.", err=True)
        if refusal.code in HINTS:
            say(f"Hint: {HINTS[refusal.code]}", err=True)


class Conflicting(Refused):
    """The gateway said no, for changes of others stand in the way."""

    exit_code = CONFLICT


class CannotReach(click.ClickException):
    exit_code = CANNOT_START


def print_conflicts(conflicts: list[model.Conflict]) -> None:
    """To standard error: what each side holds instead of what both had."""
    columns = [Column("conflict", "red"), Column("base"), Column("ours"), Column("theirs")]
    rows = [[found.key, _held(found.base), _held(found.ours), _held(found.theirs)] for found in conflicts]
    table(columns, rows, err=True)


def _held(version: model.Version | None) -> str:
    return "-" if version is None else f"{human(version.size)} {version.etag[:8]}"


# ---------------------------------------------------------------- reaching the gateway


def calls_gateway(function: Function) -> Function:
    """Calls the command with a Client first, and tells what goes wrong as people need it."""

    @functools.wraps(function)
    def run(*, endpoint: str | None, access_key: str | None, data: Path | None, **parameters: Any) -> Any:
        try:
            with Client(reach_of(endpoint, access_key, data)) as client:
                return function(client, **parameters)
        except Refusal as refusal:
            kind = Conflicting if refusal.code in _CONFLICTS else Refused
            raise kind(refusal, bool(parameters.get("as_json"))) from refusal
        except Unreachable as error:
            raise CannotReach(str(error)) from error
        except msgspec.ValidationError as error:
            raise click.UsageError(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    return gateway_options(run)  # type: ignore[return-value]


def gateway_options(function: Function) -> Function:
    """Where the gateway is, and who asks: `endpoint`, `access_key` and `data`, which `reach_of` understands."""
    options = (
        click.option("--endpoint", metavar="URL", help="The gateway's endpoint.  [CARET_ENDPOINT]"),
        click.option("--access-key", metavar="KEY", help="Whose secret CARET_SECRET_KEY is.  [CARET_ACCESS_KEY]"),
        click.option(
            *("--data", "data"),
            metavar="FOLDER",
            type=click.Path(path_type=Path),
            help="Where root's credentials are, if none are given.  [CARET_DATA; default: data]",
        ),
    )
    wrapped: Any = function
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def reach_of(endpoint: str | None, access_key: str | None, data: Path | None) -> Reach:
    """What the options and the environment say. Raises UsageError."""
    try:
        reach = find(os.environ, endpoint=endpoint, access_key=access_key, data=data)
        parse_endpoint(reach.endpoint)
    except (NotConfigured, ValueError) as error:
        raise click.UsageError(str(error)) from error
    return reach


# ---------------------------------------------------------------- arguments


@dataclass(frozen=True)
class Place:
    """A repo, and perhaps one of its branches."""

    repo: str
    branch: str | None = None

    def branch_of(self, client: Client) -> str:
        """The branch by name, where that is needed."""
        return self.branch or client.default_branch(self.repo)


class _Place(click.ParamType[Any]):
    name = "repo"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        labels = value.split(".")
        if len(labels) == 3:
            self.fail(f"{value!r} names a snapshot; give its revision apart, after --rev or as the argument", param)
        if len(labels) > 3 or not all(labels):
            self.fail(f"{value!r} is neither a repo nor branch.repo", param)
        return Place(labels[-1], labels[0] if len(labels) == 2 else None)


def _place_argument(*spellings: str) -> Callable[[Function], Function]:
    """REPO with an option that names the branch: the command is called with a Place."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def run(*arguments: Any, place: Place, branch: str | None, **parameters: Any) -> Any:
            if branch is not None and place.branch not in (None, branch):
                raise click.UsageError(f"two branches are named: {place.branch} and {branch}")
            return function(*arguments, place=Place(place.repo, branch or place.branch), **parameters)

        about = "The branch that is meant; by default the repo's own."
        wrapped: Any = click.option(*spellings, "branch", metavar="BRANCH", help=about)(run)
        return click.argument("place", metavar="REPO", type=_Place())(wrapped)  # type: ignore[no-any-return]

    return decorate


place_argument: Callable[[Function], Function] = _place_argument("-b", "--branch")
into_argument: Callable[[Function], Function] = _place_argument("-b", "--branch", "--into")


def repo_argument(function: Function) -> Function:
    """REPO where no branch can be meant: the command is called with the repo's name."""

    def only_repo(ctx: click.Context, param: click.Parameter, value: Place) -> str:
        if value.branch is not None:
            raise click.BadParameter(f"{value.branch}.{value.repo} names a branch; here the repo alone is meant")
        return value.repo

    return click.argument("repo", metavar="REPO", type=_Place(), callback=only_repo)(function)


json_option: Callable[[Function], Function] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, as the REST API answers it."
)
rev_option: Callable[[Function], Function] = click.option(
    "--rev", default="HEAD", metavar="REV", help="At this revision.  [default: HEAD]"
)
yes_option: Callable[[Function], Function] = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
message_option: Callable[[Function], Function] = click.option(
    "-m", "--message", metavar="TEXT", help="The commit's message."
)
expected_head_option: Callable[[Function], Function] = click.option(
    "--expected-head", metavar="ID", help="Only while this commit, by its full id, is the branch's head."
)


def metadata_option(function: Function) -> Function:
    def parse(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        pairs = {}
        for text in values:
            name, separator, value = text.partition("=")
            if not separator or not name:
                raise click.BadParameter(f"{text!r} is not NAME=VALUE")
            if name in pairs:
                raise click.BadParameter(f"{name!r} is given twice")
            pairs[name] = value
        return pairs

    return click.option(
        *("--metadata", "metadata"), metavar="NAME=VALUE", multiple=True, callback=parse, help="Part of the commit."
    )(function)


def confirm(question: str, yes: bool) -> None:
    """Returns where the answer is yes. Without a terminal nobody can be asked: that is wrong usage."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("without a terminal this needs --yes")
    click.confirm(question, abort=True, err=True)


# ---------------------------------------------------------------- help


class Command(click.Command):
    """A command whose help ends with an example. The tests run it."""

    def __init__(self, *arguments: Any, example: str, **parameters: Any) -> None:
        super().__init__(*arguments, **parameters)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            formatter.write(f"{'':>{formatter.current_indent}}{self.example}\n")
