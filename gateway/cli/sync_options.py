"""Options of `caret sync` that need more than click offers: rates, and filters in the order in which they are given."""

from __future__ import annotations

import re
from typing import Any

import click

from gateway.cli.calling import Command
from gateway.sync import Filter

_RATE = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)", re.ASCII)
_UNITS = {"": 1, "k": 1024, "M": 1024**2, "G": 1024**3}


class Rate(click.ParamType[float]):
    """`10M`: bytes a second, in units of 1024."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _RATE.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no rate; 500k, 10M and 1.5G are, in bytes a second", param, ctx)
        rate = float(found[1]) * _UNITS[found[2]]
        if not 1 <= rate < float("inf"):
            self.fail(f"{value!r}: at least a byte a second must pass", param, ctx)
        return rate


class FilteringCommand(Command):
    """Calls the command with `filters`, from --exclude and --include as they stand on the line: click itself knows
    the order of one option's values only."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        rest = super().parse_args(ctx, args)
        values = {name: iter(ctx.params.pop(name)) for name in ("exclude", "include")}
        ctx.params["filters"] = [
            Filter(next(values[parameter.name]), is_included=parameter.name == "include")
            for parameter in order
            if parameter.name in values
        ]
        return rest
