"""`caret ls`, `caret cat`, `caret stat`: a tree as it is, or as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

import click

from gateway.api import model
from gateway.cli.calling import Command, Place, calls_gateway, json_option, place_argument, rev_option
from gateway.cli.output import ID, KEY, SIZE, Column, facts, human, local, print_json, print_json_list, short, table
from gateway.client import Client


@click.command("ls", cls=Command, example="caret ls photos cats/ --rev HEAD^")
@place_argument
@click.argument("prefix", default="")
@rev_option
@click.option("-r", "--recursive", is_flag=True, help="All keys below, not only up to the next slash.")
@json_option
@calls_gateway
def ls_command(client: Client, place: Place, prefix: str, rev: str, recursive: bool, as_json: bool) -> None:
    """List keys, with their sizes and the commits that wrote them."""
    commit_id = client.resolve(place.repo, rev, branch=place.branch)
    items = client.tree(
        place.repo, branch=place.branch, rev=commit_id, prefix=prefix, delimiter="" if recursive else "/"
    )
    if as_json:
        prefixes: list[str] = []
        print_json_list("entries", _entries(items, prefixes), prefixes=prefixes, commit_id=commit_id)
        return
    table([SIZE, Column("modified", "dim"), ID, KEY], (_row(item) for item in items))


def _entries(items: Iterable[model.Entry | str], prefixes: list[str]) -> Iterator[model.Entry]:
    """The entries, while the prefixes between them are put aside."""
    for item in items:
        if isinstance(item, str):
            prefixes.append(item)
        else:
            yield item


def _row(item: model.Entry | str) -> list[str]:
    if isinstance(item, str):
        return ["-", "", "", item]
    return [human(item.size), local(item.modified), short(item.version_id), item.key]


@click.command("cat", cls=Command, example="caret cat photos cats/tom.jpg --rev HEAD^ > tom-before.jpg")
@place_argument
@rev_option
@click.argument("key")
@calls_gateway
def cat_command(client: Client, place: Place, key: str, rev: str) -> None:
    """Write a key's content to standard output, byte by byte as it is."""
    out = sys.stdout.buffer
    with client.read(place.repo, key, branch=place.branch, rev=rev) as content:
        for chunk in content:
            out.write(chunk)
    out.flush()


@click.command("stat", cls=Command, example="caret stat photos cats/tom.jpg")
@place_argument
@click.argument("key")
@rev_option
@json_option
@calls_gateway
def stat_command(client: Client, place: Place, key: str, rev: str, as_json: bool) -> None:
    """Show all about a key but its content."""
    found = client.stat(place.repo, key, branch=place.branch, rev=rev)
    if as_json:
        print_json(found)
        return
    facts(
        [
            ("key", found.key),
            ("size", f"{human(found.size)} ({found.size} bytes)"),
            ("etag", found.etag),
            ("commit", found.version_id),
            ("modified", local(found.modified)),
            ("parts", str(found.parts)),
            *_named("header", found.headers),
            *_named("metadata", found.metadata),
            *_named("tag", found.tags),
            *_named("checksum", found.checksums),
        ]
    )


def _named(what: str, values: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(what, f"{name}: {value}") for name, value in sorted(values.items())]
