"""What `caret project`, `user`, `member` and `key` have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

import click

from gateway.api import model

Function = TypeVar("Function", bound=Callable[..., Any])

RIGHTS: Sequence[model.Right] = get_args(model.Right)

project_argument: Callable[[Function], Function] = click.argument("project", metavar="PROJECT")
user_argument: Callable[[Function], Function] = click.argument("user", metavar="USER")
rights_argument: Callable[[Function], Function] = click.argument(
    "rights", metavar="RIGHT...", nargs=-1, required=True, type=click.Choice(RIGHTS)
)


def of_option(name: str) -> Callable[[Function], Function]:
    """`--user` or `--project`, which narrows a list."""
    return click.option(f"--{name}", metavar="NAME", help=f"This {name}'s alone.")


def yes_no(value: bool) -> str:
    return "yes" if value else "no"
