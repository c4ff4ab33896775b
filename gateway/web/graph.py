"""The commit graph as a picture: which column each commit stands in, and the lines between the rows.

One commit per row, children before parents. A lane is a column that waits for a commit: its children's lines run down
it. Whoever needs a commit that is waited for already joins its lane, so that there is one lane per commit and one
commit per lane. A row is drawn by itself, whatever its height: half of each curve above its boundary, half below.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Protocol

_STEP = 16  # between columns, px
_COLOURS = 8


class Node(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def parents(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from a column of one row to a column of the next."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Row:
    """A commit's place, with the edges between it and the rows above and below."""

    id: str
    column: int
    above: Sequence[Edge]
    below: Sequence[Edge]


@dataclass(frozen=True, slots=True)
class Stroke:
    """A path of SVG, and which colour it has."""

    path: str
    colour: int


def lay_out(commits: Sequence[Node], tips: Collection[str] = (), first: str | None = None) -> Sequence[Row]:
    """Rows for a page of commits.

    What has no child on the page and is no tip is entered from above: its children are on the page before. Parents
    that are not on the page are left to at its end. The tip `first`, where it is on the page, has the leftmost column.
    """
    lanes: list[str | None] = []
    ahead: set[str] = set()  # has a column that nothing leads to yet
    if first is not None and any(commit.id == first for commit in commits):
        lanes, ahead = [first], {first}
    with_child = {parent for commit in commits for parent in commit.parents}
    for commit in commits:
        if commit.id not in with_child and commit.id not in tips:
            _lane(lanes, commit.id)
            ahead.discard(commit.id)
    above: Sequence[Edge] = [Edge(column, column) for column in _occupied(lanes, ahead)]
    rows: list[Row] = []
    for commit in commits:
        column = _lane(lanes, commit.id)
        lanes[column] = None
        ahead.discard(commit.id)
        passing = {lane: lane for lane in _occupied(lanes, ahead)}
        ahead.difference_update(commit.parents)
        parents = list(dict.fromkeys(commit.parents))
        if parents:
            _lead_on(lanes, column, parents[0], passing)
        leaving = [Edge(column, _lane(lanes, parent)) for parent in parents]
        rows.append(Row(commit.id, column, above, [*starmap(Edge, passing.items()), *leaving]))
        above = rows[-1].below
    return rows


def _lead_on(lanes: list[str | None], column: int, parent: str, passing: dict[int, int]) -> None:
    """A first parent stands below its child, unless its lane is further left already; one further right bends."""
    known = lanes.index(parent) if parent in lanes else column
    if known < column:
        return
    if known > column:
        lanes[known], passing[known] = None, column
    lanes[column] = parent


def _lane(lanes: list[str | None], wanted: str) -> int:
    """The column that waits for a commit: the one that does, or else the leftmost free one from now on."""
    if wanted in lanes:
        return lanes.index(wanted)
    if None not in lanes:
        lanes.append(None)
    free = lanes.index(None)
    lanes[free] = wanted
    return free


def _occupied(lanes: Sequence[str | None], ahead: Collection[str]) -> Sequence[int]:
    return [column for column, commit in enumerate(lanes) if commit is not None and commit not in ahead]


# ---------------------------------------------------------------- as SVG

HEIGHT = 10  # of a row, in units that are stretched to whatever it has


def width(rows: Sequence[Row]) -> int:
    """Of the picture, in px."""
    columns = [column for row in rows for edge in (*row.above, *row.below) for column in (edge.start, edge.end)]
    return _STEP * (max([*columns, *(row.column for row in rows)], default=0) + 1)


def centre(column: int) -> int:
    return column * _STEP + _STEP // 2


def colour(column: int) -> int:
    return column % _COLOURS


def strokes(row: Row) -> Sequence[Stroke]:
    """The lines in a row: from its upper boundary to its middle, and on to its lower boundary.

    A whole edge is the cubic Bézier curve that leaves and arrives upright; each row has one half of it, divided at its
    middle (de Casteljau), which lies on the boundary.
    """
    return [
        *(Stroke(_half(edge.end, edge.start, 0), _hue(edge)) for edge in row.above),
        *(Stroke(_half(edge.start, edge.end, HEIGHT), _hue(edge)) for edge in row.below),
    ]


def _half(own: int, other: int, boundary: int) -> str:
    """From the middle of the row, in column `own`, to the boundary, on the way to column `other`."""
    here, there, middle = centre(own), centre(other), HEIGHT / 2
    if here == there:
        return f"M{here} {middle:g}V{boundary}"
    upright, bent = (middle + boundary) / 2, (middle + 3 * boundary) / 4
    return (
        f"M{here} {middle:g}C{here} {upright:g} {(3 * here + there) / 4:g} {bent:g} {(here + there) / 2:g} {boundary}"
    )


def _hue(edge: Edge) -> int:
    """A fork and a merge have the colour of the outer lane."""
    return colour(max(edge.start, edge.end))
