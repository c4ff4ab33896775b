"""`caret project`: projects and what they ask of those who use them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from gateway.access.model import SENSITIVE
from gateway.api import model
from gateway.cli.calling import Command, calls_gateway, json_option
from gateway.cli.output import Column, facts, local, print_json, table
from gateway.cli.people import project_argument, yes_no
from gateway.client import Client

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group("project")
def project_group() -> None:
    """Projects: people with rights, buckets of their own, and a policy."""


def _policy_options(function: Function) -> Function:
    """The command is called with the members of a policy that are named, as `policy`."""

    @functools.wraps(function)
    def run(
        *arguments: Any,
        sensitive: bool,
        two_factors: bool | None,
        max_session: int | None,
        export_buckets: tuple[str, ...],
        export_all: bool,
        audits: model.Audits | None,
        **parameters: Any,
    ) -> Any:
        if export_all and export_buckets:
            raise click.UsageError("--export-all opens all buckets, --export-bucket some: give either")
        policy = _sensitive() if sensitive else {}
        named = {
            "requires_session": two_factors,
            "max_session_s": max_session,
            "export_buckets": "all" if export_all else list(export_buckets) or None,
            "audits": audits,
        }
        policy.update({name: value for name, value in named.items() if value is not None})
        return function(*arguments, policy=policy, **parameters)

    options = (
        click.option(
            "--sensitive", is_flag=True, help="Two factors, exports from `export-bucket` alone, everything audited."
        ),
        click.option(
            "--two-factors/--one-factor",
            default=None,
            help="Whether S3 takes sessions made with a one-time code alone; `--one-factor`: access keys will do.",
        ),
        click.option("--max-session", type=int, metavar="SECONDS", help="The longest session: 900 to 604,800."),
        click.option(
            *("--export-bucket", "export_buckets"),
            multiple=True,
            metavar="NAME",
            help="Only this bucket may be exported from; again for more.",
        ),
        click.option("--export-all", is_flag=True, help="All buckets may be exported from."),
        click.option(
            "--audits", type=click.Choice(get_args(model.Audits)), metavar="WHAT", help="`everything` or `refusals`."
        ),
    )
    wrapped: Any = run
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def _sensitive() -> dict[str, Any]:
    return {
        "requires_session": SENSITIVE.requires_session,
        "max_session_s": SENSITIVE.max_session_s,
        "export_buckets": list(SENSITIVE.export_buckets or ()),
        "audits": SENSITIVE.audits,
    }


@project_group.command("create", cls=Command, example="caret project create p12 --sensitive")
@project_argument
@_policy_options
@json_option
@calls_gateway
def create(client: Client, project: str, policy: dict[str, Any], as_json: bool) -> None:
    """Make a project. Without options it is open: keys alone will do, and all buckets may be exported from."""
    _show(client.create_project(project, **policy), as_json)


@project_group.command("list", cls=Command, example="caret project list")
@json_option
@calls_gateway
def list_(client: Client, as_json: bool) -> None:
    """List the projects that you administer."""
    found = client.list_projects()
    if as_json:
        print_json(found)
        return
    columns = [Column("project"), Column("number"), Column("two factors"), Column("exports from"), Column("audits")]
    rows = (
        [it.name, it.number, yes_no(it.requires_session), _exports(it.export_buckets), it.audits]
        for it in found.projects
    )
    table(columns, rows)


@project_group.command("show", cls=Command, example="caret project show p11")
@project_argument
@json_option
@calls_gateway
def show(client: Client, project: str, as_json: bool) -> None:
    """Show a project, its number for ARNs, and its policy."""
    _show(client.get_project(project), as_json)


@project_group.command("set", cls=Command, example="caret project set p11 --max-session 86400")
@project_argument
@_policy_options
@json_option
@calls_gateway
def set_(client: Client, project: str, policy: dict[str, Any], as_json: bool) -> None:
    """Change a project's policy; what is not named stays. Counts within a second."""
    if not policy:
        raise click.UsageError("say what to change")
    _show(client.change_project(project, **policy), as_json)


def _show(project: model.Project, as_json: bool) -> None:
    if as_json:
        print_json(project)
        return
    facts(
        [
            ("project", project.name),
            ("number", project.number),
            ("two factors", yes_no(project.requires_session)),
            ("longest session", f"{project.max_session_s} s"),
            ("exports from", _exports(project.export_buckets)),
            ("audits", project.audits),
            ("created", local(project.created)),
        ]
    )


def _exports(buckets: model.ExportBuckets) -> str:
    return "all buckets" if buckets == "all" else ", ".join(buckets) or "no bucket"
