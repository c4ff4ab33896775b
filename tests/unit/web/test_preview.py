"""What a page shows of a content, whatever bytes it has."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.preview import Bytes, Image, Kind, Table, Text, kinds, preview

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@given(
    st.one_of(st.binary(), st.text().map(str.encode), st.text().map(lambda text: text.encode("utf-16"))),
    st.integers(0, 10),
    st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a", "a.txt"]),
    st.sampled_from([None, *get_args(Kind)]),
)
def test_nothing_fails_and_all_of_it_can_be_sent(head: bytes, more: int, key: str, wanted: Kind | None) -> None:
    shown = preview(head, len(head) + more, key, "text/plain", wanted)
    assert shown.kind in kinds(head, key)
    match shown:
        case Text():
            texts = list(shown.lines)
        case Table():
            texts = [*shown.columns, *(cell for row in shown.rows for cell in row)]
            assert {len(row) for row in shown.rows} <= {len(shown.columns)}
        case Bytes():
            texts = [part for row in shown.rows for part in row]
        case Image():
            texts = []
    "".join(texts).encode()
    assert all(sign.isprintable() or sign in "\t\xa0" or ord(sign) > 0xA0 for text in texts for sign in text)


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("naïve ✓".encode(), "utf-8", "naïve ✓"),
        ("naïve".encode("utf-8-sig"), "utf-8-sig", "naïve"),
        ("naïve".encode("utf-16"), "utf-16", "naïve"),
        ("naïve".encode("utf-32"), "utf-32", "naïve"),
        ("naïve".encode("utf-16-le"), "utf-16-le", "naïve"),
        ("naïve".encode("utf-16-be"), "utf-16-be", "naïve"),
        ("naïve €".encode("cp1252"), "cp1252", "naïve €"),
    ],
)
def test_text_is_read_in_its_charset(content: bytes, charset: str, text: str) -> None:
    assert preview(content, len(content), "t") == Text([text], charset, is_cut=False)


def test_a_cut_through_a_character_is_no_other_charset() -> None:
    shown = preview("✓✓".encode()[:-1], 100, "t")
    assert shown == Text(["✓"], "utf-8", is_cut=True)


def test_lines_end_in_every_way_and_controls_are_signs() -> None:
    shown = preview(b"a\r\nb\rc\n\td\x1b[31m\n", 15, "t")
    assert shown == Text(["a", "b", "c", "\td␛[31m"], "utf-8", is_cut=False)


@pytest.mark.parametrize(
    ("start", "content_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x20ftypavif", "image/avif"),
    ],
)
def test_an_image_is_told_by_its_bytes(start: bytes, content_type: str) -> None:
    assert preview(start, 9_999, "notes.txt", "text/html") == Image(content_type)


def test_what_claims_to_be_an_image_is_none() -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    assert isinstance(preview(svg, len(svg), "a.svg", "image/svg+xml"), Text)
    assert isinstance(preview(b"<script>", 8, "a.png", "image/png"), Text)


def test_rows_of_any_length_make_a_table() -> None:
    content = b'a;b;c\n1;"x;y"\n\n1;2;3;4\n'
    shown = preview(content, len(content), "t.csv")
    assert shown == Table(["a", "b", "c", ""], [["1", "x;y", "", ""], ["1", "2", "3", "4"]], 0, is_cut=False)


def test_json_lines_make_a_table_of_all_members() -> None:
    content = b'{"a": 1, "b": {"c": [true, null]}}\n{"b": "x", "d": "\\u00e9"}\n'
    shown = preview(content, len(content), "t.jsonl")
    assert shown == Table(["a", "b", "d"], [["1", '{"c":[true,null]}', ""], ["", "x", "é"]], 0, is_cut=False)


def test_the_row_that_the_cut_goes_through_is_left_out() -> None:
    shown = preview(b"a,b\n1,2\n3", 1_000, "t.csv")
    assert shown == Table(["a", "b"], [["1", "2"]], 0, is_cut=True)


def test_a_large_table_has_bounds() -> None:
    line = b",".join(b"%d" % number for number in range(80)) + b"\n"
    shown = preview(line * 300, 300 * len(line), "t.csv")
    assert isinstance(shown, Table)
    assert (len(shown.columns), len(shown.rows), shown.more_columns, shown.is_cut) == (50, 200, 30, True)


@pytest.mark.parametrize("content", [b"{not json\n", b"[" * 100_000, b'{"a": "' + b"\\ud800" + b'"}\n'])
def test_what_is_no_table_is_text(content: bytes) -> None:
    assert isinstance(preview(content, len(content), "t.jsonl"), Text)


def test_a_quote_that_nothing_closes_is_text() -> None:
    content = b'"' + b"x" * 200_000
    assert isinstance(preview(content, len(content), "t.csv"), Text)


def test_bytes_are_shown_in_hex_with_what_they_begin_as() -> None:
    shown = preview(b"PAR1" + bytes(range(1, 17)) + bytes(1_000), 1_020, "t.parquet")
    assert isinstance(shown, Bytes)
    assert shown.rows[0] == ("00000000", "50 41 52 31 01 02 03 04 05 06 07 08 09 0a 0b 0c", "PAR1············")
    assert (shown.what, len(shown.rows), shown.is_cut) == ("Parquet", 32, True)
