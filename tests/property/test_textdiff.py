"""Texts compared: both can be read off the comparison, and no text keeps it busy for long."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web import textdiff
from gateway.web.textdiff import Line, Pair, TooLong, compare, text_of, unified

TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "d"]), max_size=60).map("".join)


def written(lines: list[Line]) -> list[tuple[int, str]]:
    return [(line.number, line.text + ("\n" if line.ends else "")) for line in lines]


def numbered(text: str) -> list[tuple[int, str]]:
    lines = text.split("\n")
    ended = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return list(enumerate(ended, 1))


@given(TEXTS, TEXTS)
def test_each_text_is_what_was_kept_and_its_own_side(before: str, after: str) -> None:
    rows = [pair for hunk in compare(before, after).hunks for pair in hunk]
    olds = written([pair.before for pair in rows if pair.before])
    news = written([pair.after for pair in rows if pair.after])
    assert set(olds) <= set(numbered(before))
    assert set(news) <= set(numbered(after))
    # What is in no hunk is alike in both.
    skipped_old = [text for number, text in numbered(before) if (number, text) not in olds]
    skipped_new = [text for number, text in numbered(after) if (number, text) not in news]
    assert skipped_old == skipped_new
    for pair in rows:
        alike = pair.before is not None and pair.after is not None and pair.before.text == pair.after.text
        assert not pair.same or alike


@given(TEXTS, TEXTS)
def test_one_column_has_the_same_lines_as_two(before: str, after: str) -> None:
    for hunk in compare(before, after).hunks:
        column = list(unified(hunk))
        assert [line for _, line, _ in column if line] == [pair.before for pair in hunk if pair.before]
        assert [line for _, _, line in column if line] == [pair.after for pair in hunk if pair.after]
        assert all((kind == "same") == bool(old and new) for kind, old, new in column)


def test_a_line_that_took_anothers_place_stands_beside_it() -> None:
    (hunk,) = compare("one\ntwo\n", "one\n2\n").hunks
    assert hunk == [
        Pair(Line(1, "one", True), Line(1, "one", True), same=True),
        Pair(Line(2, "two", True), Line(2, "2", True)),
    ]


def test_a_missing_end_of_line_and_a_carriage_return_are_told() -> None:
    (hunk,) = compare("a\r\nb", "a\nb\n").hunks
    assert [(pair.before, pair.after) for pair in hunk] == [
        (Line(1, "a␍", True), Line(1, "a", True)),
        (Line(2, "b", False), Line(2, "b", True)),
    ]


def test_what_takes_difflib_ages_is_given_up_in_time() -> None:
    lottery = random.Random(6)
    texts = ["".join(f"{lottery.randrange(150)}\n" for _ in range(40_000)) for _ in range(2)]
    began = time.monotonic()
    with pytest.raises(TooLong):
        compare(texts[0], texts[1], longest_s=0.2)
    assert time.monotonic() - began < 2


def test_more_rows_than_a_page_holds_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textdiff, "_MOST_ROWS", 10)
    found = compare("", "x\n" * 100)
    assert (sum(map(len, found.hunks)), found.is_cut) == (10, True)


def test_only_utf_8_without_nul_is_text() -> None:
    assert text_of("späť".encode()) == "späť"
    assert text_of(b"\xff") is None
    assert text_of(b"a\0b") is None
