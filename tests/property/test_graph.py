"""The commit graph: every edge to a parent can be followed in the picture, and no column holds two lanes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.graph import Edge, Row, lay_out, strokes, width


@dataclass(frozen=True)
class Commit:
    id: str
    parents: tuple[str, ...]


@st.composite
def histories(draw: st.DrawFn) -> list[Commit]:
    """Newest first: each commit has any older ones as its parents, or ones that are on no page yet."""
    size = draw(st.integers(0, 14))
    commits = []
    for number in range(size):
        older = [f"c{other}" for other in range(number + 1, size)] + ["elsewhere", "further"]
        parents = draw(st.lists(st.sampled_from(older), max_size=3, unique=True))
        commits.append(Commit(f"c{number}", tuple(parents)))
    return commits


def arrives(rows: Sequence[Row], at: int, edge: Edge) -> str | None:
    """The commit that a line leads to which leaves row `at` by this edge; None for the bottom of the page."""
    column = edge.end
    for row in rows[at + 1 :]:
        if row.column == column:
            return row.id
        (onward,) = [below for below in row.below if below.start == column]
        column = onward.end
    return None


@given(histories(), st.sampled_from([None, "c0", "c1", "c5"]))
def test_every_edge_leads_to_its_parent_and_no_others_are_drawn(commits: list[Commit], first: str | None) -> None:
    rows = lay_out(commits, tips=["c0", "c1", "c5"], first=first)
    on_page = {commit.id for commit in commits}
    for at, (commit, row) in enumerate(zip(commits, rows, strict=True)):
        assert row.id == commit.id
        leaving = [edge for edge in row.below if edge.start == row.column]
        passing = [edge for edge in row.below if edge.start != row.column]
        assert sorted(str(arrives(rows, at, edge)) for edge in leaving) == sorted(
            parent if parent in on_page else "None" for parent in commit.parents
        )
        assert {edge.start for edge in passing} <= {edge.end for edge in row.above}
        assert all(edge.end in (edge.start, row.column) for edge in passing), "a lane bends to join another, only"


@given(histories())
def test_a_column_has_one_lane_at_a_time(commits: list[Commit]) -> None:
    rows = lay_out(commits, tips=[commit.id for commit in commits])
    for at, row in enumerate(rows):
        passing = [edge.start for edge in row.below if edge.start != row.column]
        assert len(passing) == len(set(passing))
        ends: dict[int, set[str | None]] = {}
        for edge in row.below:
            ends.setdefault(edge.end, set()).add(arrives(rows, at, edge))
        assert all(len(commits_of_lane) == 1 for commits_of_lane in ends.values())


@given(histories())
def test_rows_meet_and_what_is_no_tip_is_entered_from_above(commits: list[Commit]) -> None:
    rows = lay_out(commits)
    for upper, lower in pairwise(rows):
        assert upper.below == lower.above
    for row in rows:
        assert row.column in {edge.end for edge in row.above}, "all have children, here or on the page before"


@given(histories())
def test_the_first_tip_is_leftmost_and_nothing_is_drawn_outside(commits: list[Commit]) -> None:
    tips = [commit.id for commit in commits]
    for commit in commits[-1:]:
        rows = lay_out(commits, tips, first=commit.id)
        assert rows[-1].column == 0
    rows = lay_out(commits, tips)
    assert all(0 <= edge.end * 16 < width(rows) for row in rows for edge in row.below)


def test_a_fork_and_its_merge() -> None:
    main, dev, base = Commit("main", ("base",)), Commit("dev", ("base",)), Commit("base", ())
    history = [Commit("merge", ("main", "dev")), dev, main, base]
    rows = lay_out(history, tips=["merge"])
    assert [row.column for row in rows] == [0, 1, 0, 0]
    assert rows[0].below == [Edge(0, 0), Edge(0, 1)]
    assert rows[1].below == [Edge(0, 0), Edge(1, 1)]
    assert rows[2].below == [Edge(1, 0), Edge(0, 0)]
    assert [stroke.path for stroke in strokes(rows[0])] == ["M8 5V10", "M8 5C8 7.5 12 8.75 16 10"]
