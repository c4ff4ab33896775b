"""`caret log`, `caret show`, `caret diff`: what was committed, and what it changed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import click

from gateway.api import model
from gateway.cli.calling import Command, Place, calls_gateway, json_option, place_argument, rev_option
from gateway.cli.output import (
    ID,
    KEY,
    TIME,
    Column,
    count,
    facts,
    human,
    local,
    print_json,
    print_json_list,
    say,
    short,
    subject,
    table,
)
from gateway.client import Client

COMMIT_COLUMNS = [ID, TIME, Column("author"), Column("changes", right=True), Column("message")]
_CHANGE_COLUMNS = [Column("change", "cyan"), Column("before", right=True), Column("after", right=True), KEY]


@click.command("log", cls=Command, example="caret log photos --key cats/tom.jpg -n 5")
@place_argument
@rev_option
@click.option("--key", metavar="KEY", help="Only commits that changed this key.")
@click.option("--all", "all_parents", is_flag=True, help="Along all parents, not the first ones only.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="No more than so many.")
@json_option
@calls_gateway
def log_command(
    client: Client, place: Place, rev: str, key: str | None, all_parents: bool, limit: int | None, as_json: bool
) -> None:
    """List the commits that led to a branch's head, the newest first."""
    commits = client.commits(place.repo, branch=place.branch, rev=rev, key=key, all_parents=all_parents)
    wanted = itertools.islice(commits, limit)
    if as_json:
        print_json_list("commits", wanted)
    else:
        table(COMMIT_COLUMNS, (commit_row(commit) for commit in wanted))


@click.command("show", cls=Command, example="caret show photos HEAD^")
@place_argument
@click.argument("rev", default="HEAD")
@click.option("--prefix", default="", metavar="PREFIX", help="Only changes of keys that begin so.")
@json_option
@calls_gateway
def show_command(client: Client, place: Place, rev: str, prefix: str, as_json: bool) -> None:
    """Show the commit REV (by default HEAD) and what it changed."""
    first = client.show(place.repo, rev, branch=place.branch, prefix=prefix)
    changes = _changes(client, place, first, prefix)
    if as_json:
        print_json_list("changes", changes, commit=first.commit)
        return
    print_commit(first.commit)
    say()
    print_changes(changes)


@click.command("diff", cls=Command, example="caret diff photos HEAD~2 HEAD --stat")
@place_argument
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", default="HEAD")
@click.option("--prefix", default="", metavar="PREFIX", help="Only keys that begin so.")
@click.option("--stat", is_flag=True, help="Only count.")
@json_option
@calls_gateway
def diff_command(client: Client, place: Place, before: str, after: str, prefix: str, stat: bool, as_json: bool) -> None:
    """Show what the revision B (by default HEAD) holds otherwise than A."""
    changes = client.changes(place.repo, before, after_rev=after, branch=place.branch, prefix=prefix)
    if stat:
        _print_stat(changes, as_json)
    elif as_json:
        print_json_list("changes", changes)
    else:
        print_changes(changes)


def _changes(client: Client, place: Place, page: model.CommitDetail, prefix: str) -> Iterator[model.Change]:
    yield from page.changes
    while page.next is not None:
        page = client.show(place.repo, page.commit.id, branch=place.branch, prefix=prefix, after=page.next)
        yield from page.changes


def commit_row(commit: model.Commit) -> Sequence[str]:
    return [short(commit.id), local(commit.time), commit.author, str(commit.changes), subject(commit.message)]


def print_commit(commit: model.Commit) -> None:
    facts(
        [
            ("commit", commit.id),
            *(("parent", parent) for parent in commit.parents),
            ("author", commit.author),
            ("time", local(commit.time)),
            *((f"[{name}]", value) for name, value in sorted(commit.metadata.items())),
        ]
    )
    if commit.message:
        say()
        say("\n".join(f"    {line}" for line in commit.message.split("\n")))


def print_changes(changes: Iterable[model.Change]) -> None:
    table(_CHANGE_COLUMNS, ([change.kind, _size(change.before), _size(change.after), change.key] for change in changes))


def _size(version: model.Version | None) -> str:
    return "-" if version is None else human(version.size)


def _print_stat(changes: Iterable[model.Change], as_json: bool) -> None:
    kinds: Counter[str] = Counter()
    growth = 0
    for change in changes:
        kinds[change.kind] += 1
        growth += (change.after.size if change.after else 0) - (change.before.size if change.before else 0)
    counts = {kind: kinds[kind] for kind in ("added", "changed", "removed")}
    if as_json:
        print_json({**counts, "growth_bytes": growth})
        return
    said = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    say(f"{count(sum(counts.values()), 'key')}: {said}; {'+' if growth >= 0 else '-'}{human(abs(growth))}")
