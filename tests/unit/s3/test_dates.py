from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.dates import format_http_date, format_iso, parse_http_date

MOMENT = datetime(2026, 11, 21, 5, 49, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 21 Nov 2026 05:49:53 GMT",
        "sat, 21 nov 2026 05:49:53 gmt",
        "Mon, 21 Nov 2026 05:49:53 GMT",  # the wrong weekday
        "Sat, 21 Nov 2026 05:49:53 +0000",
        "Sat, 21 Nov 2026 05:49:53 -0000",
        "Sat, 21 Nov 2026 07:19:53 +0130",
        "Fri, 20 Nov 2026 21:49:53 -0800",
        "21 Nov 2026 05:49:53 GMT",
        "Saturday, 21-Nov-26 05:49:53 GMT",
        "Sat Nov 21 05:49:53 2026",
        "2026-11-21T05:49:53Z",
        "2026-11-21T05:49:53.000Z",
        "2026-11-21T05:49:53",
        "2026-11-21T06:49:53+01:00",
        "20261121T054953Z",
        "  Sat, 21 Nov 2026 05:49:53 GMT ",
    ],
)
def test_every_form_of_a_date_is_read(text: str) -> None:
    assert parse_http_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bad Date",
        "Sat, 31 Feb 2026 05:49:53 GMT",
        "Sat, 21 Nov 2026 25:49:53 GMT",
        "Sat, 21 Nix 2026 05:49:53 GMT",
        "2026-11-21",
        "2026-13-21T05:49:53Z",
        "1762000000",
        "Sat, 21 Nov 2026",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Sat, 21 Nov 2026 05:49:53 +9999",
        "Sat, 21 Nov 0000 05:49:53 GMT",
        "٢٠٢٦-11-21T05:49:53Z",
    ],
)
def test_other_text_is_no_date(text: str) -> None:
    assert parse_http_date(text) is None


def test_two_digit_years_and_single_digit_days() -> None:
    assert parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


def test_a_leap_second_is_read_as_the_last_of_its_minute() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_formats() -> None:
    moment = MOMENT.replace(microsecond=123_999)
    assert format_http_date(moment) == "Sat, 21 Nov 2026 05:49:53 GMT"
    assert format_iso(moment) == "2026-11-21T05:49:53.123Z"
    assert format_iso(MOMENT) == "2026-11-21T05:49:53.000Z"


def test_formats_speak_utc() -> None:
    moment = MOMENT.astimezone(timezone(timedelta(hours=-8)))
    assert format_http_date(moment) == "Sat, 21 Nov 2026 05:49:53 GMT"
    assert format_iso(moment) == "2026-11-21T05:49:53.000Z"


EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
moments = st.datetimes(min_value=EPOCH, timezones=st.just(UTC))


@given(moments)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_http_date(format_http_date(moment)) == moment.replace(microsecond=0)
    assert parse_http_date(format_iso(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    moment = parse_http_date(text)
    assert moment is None or moment.tzinfo is UTC
