"""The revision grammar: every value has a spelling that reads back, and all else is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfs import InvalidRevision, Revision, format_revision, parse_revision
from pfs.revision import Ancestor, Parent

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
ids = st.from_regex(r"[0-9a-f]{4,64}", fullmatch=True)
numbers = st.integers(0, 999_999_999)
steps = st.lists(st.builds(Parent, numbers) | st.builds(Ancestor, numbers), max_size=5).map(tuple)
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(timezones=zones).filter(lambda time: 1 < time.year < 9999)  # in UTC still a time
revisions = st.builds(Revision, st.none() | names | ids, st.none() | times.map(lambda t: t.astimezone(UTC)), steps)


@given(revisions)
def test_every_revision_reads_back(revision: Revision) -> None:
    assert parse_revision(format_revision(revision)) == revision


@given(st.text(max_size=40) | st.text("HEAD@{}~^0123456789abcdefT:Z.+- ", max_size=30))
def test_text_is_refused_or_has_one_meaning(text: str) -> None:
    try:
        revision = parse_revision(text)
    except InvalidRevision:
        return
    assert parse_revision(format_revision(revision)) == revision


@given(times, steps)
def test_a_leading_time_is_that_instant_of_head(time: datetime, further: tuple[Parent | Ancestor, ...]) -> None:
    tail = format_revision(Revision(steps=further)).removeprefix("HEAD")
    if len(tail) < 200 and time.utcoffset() in (timedelta(0), timedelta(hours=2)):
        assert parse_revision(f"@{time.isoformat()}{tail}") == Revision(None, time.astimezone(UTC), further)
    moment = time.replace(tzinfo=UTC)
    assert parse_revision(f"@{moment.isoformat()[:-6]}Z{tail}").at == moment


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("HEAD", Revision()),
        ("@", Revision()),
        ("@^", Revision(steps=(Parent(1),))),
        ("@~2^", Revision(steps=(Ancestor(2), Parent(1)))),
        ("HEAD~~", Revision(steps=(Ancestor(1), Ancestor(1)))),
        ("HEAD^0", Revision(steps=(Parent(0),))),
        ("main^2~3", Revision("main", steps=(Parent(2), Ancestor(3)))),
        ("0", Revision("0")),
        ("deadbeef", Revision("deadbeef")),
        ("null", Revision("null")),  # S3's name for a version before versioning is a legal branch name here
        ("ab" * 32, Revision("ab" * 32)),
        ("@2026-11-20", Revision(at=datetime(2026, 11, 20, tzinfo=UTC))),
        ("@2026-11-20T12:00:00Z", Revision(at=datetime(2026, 11, 20, 12, tzinfo=UTC))),
        ("@2026-11-20T12:00:00", Revision(at=datetime(2026, 11, 20, 12, tzinfo=UTC))),
        ("@2026-11-20T12:00:00.000001+02:00", Revision(at=datetime(2026, 11, 20, 10, 0, 0, 1, tzinfo=UTC))),
        ("@2026-11-20T12:00:00-02:00^", Revision(at=datetime(2026, 11, 20, 14, tzinfo=UTC), steps=(Parent(1),))),
        ("@{2026-11-20 12:00}~2", Revision(at=datetime(2026, 11, 20, 12, tzinfo=UTC), steps=(Ancestor(2),))),
        ("HEAD@{2026-11-20}", Revision(at=datetime(2026, 11, 20, tzinfo=UTC))),
        ("main@{2026-11-20}", Revision("main", datetime(2026, 11, 20, tzinfo=UTC))),
    ],
)
def test_spellings(text: str, revision: Revision) -> None:
    assert parse_revision(text) == revision


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "HEAD ", " HEAD", "HEAD\n", "head^x", "HEAD^-1", "HEAD~-1", "^", "~1", "^HEAD", "HEADS", "Main", "-a",
        "a-", "a_b", "a.b", "a..b", "a:b", "HEAD~1234567890", "@{", "@{}", "@}", "@x", "@@", "@{now}", "@{1}",
        "@2026-13-01", "@2026-11-20T25:00:00Z", "@2026-11-20\n", "main@2026-11-20", "HEAD^@{2026-11-20}",
        "@{2026-11-20", "@{2026-11-20}}", "main@{2026-11-20}@{2026-11-20}", "@0000-01-01", "é", "\ud800",
        "HEAD^٣", "@٢٠٢٦-11-20", "ab" * 32 + "a", "a" * 65, "HEAD" + "^" * 300, "\0", "HEAD\0",
        "@9999-12-31T23:59:59-23:00",
    ],
)  # fmt: skip
def test_what_is_no_revision(text: str) -> None:
    with pytest.raises(InvalidRevision) as refused:
        parse_revision(text)
    assert refused.value.rev == text


@given(st.text(max_size=80))
def test_only_what_can_be_an_id_is_read_as_one(text: str) -> None:
    prefix = Revision(text).id_prefix
    assert prefix is None or (4 <= len(prefix) <= 64 and set(prefix) <= set("0123456789abcdef"))
    assert Revision("deadbeef", datetime(2026, 1, 1, tzinfo=UTC)).id_prefix is None
