"""The reference of all commands, as Markdown, made from the argument tree: `python -m gateway.cli.reference`.

docs/cli.md holds it; a test says when it has fallen behind.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from gateway.cli.calling import Command
from gateway.cli.main import COMMANDS, command_at
from gateway.config import SETTINGS

# Options that docs/cli.md and docs/configuration.md explain once.
_ELSEWHERE = {"endpoint", "access_key", "config_file", *(setting.name for setting in SETTINGS)}


def reference() -> str:
    """The part of docs/cli.md between its marks."""
    lines = []
    for topic, places in COMMANDS.items():
        found = {name: command_at(place) for name, place in places.items()}
        lines += [f"## {topic}", "", "| command | does |", "|---|---|"]
        lines += [f"| `caret {name}` | {_first_line(command)} |" for name, command in found.items()]
        lines.append("")
        for name, command in found.items():
            for path, inner in _walk(f"caret {name}", command):
                lines += _section(path, inner)
    return "\n".join(lines)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, under the words that call it."""
    for places in COMMANDS.values():
        for name, place in places.items():
            yield from _walk(name, command_at(place))


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from _walk(f"{path} {name}", inner)


def _section(path: str, command: click.Command) -> list[str]:
    words = [*path.split(), "[OPTIONS]", *_arguments(command)]
    lines = [f"### {path}", "", f"    {' '.join(words)}", "", inspect.cleandoc(command.help or ""), ""]
    options = [
        option for option in command.params if isinstance(option, click.Option) and option.name not in _ELSEWHERE
    ]
    if options:
        lines += ["| option | |", "|---|---|", *(_row(option) for option in options), ""]
    if isinstance(command, Command):
        lines += [f"    {command.example}", ""]
    return lines


def _arguments(command: click.Command) -> list[str]:
    context = click.Context(command)
    return [argument.make_metavar(context) for argument in command.params if isinstance(argument, click.Argument)]


def _row(option: click.Option) -> str:
    spelled = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    about = (option.help or "").replace("|", "\\|")
    return f"| {spelled}{value} | {about} |"


def _first_line(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
