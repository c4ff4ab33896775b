"""Times on the wire: HTTP dates, and the ISO 8601 of S3's XML. All values are aware UTC.

Read:    Sat, 21 Nov 2026 05:49:53 GMT     IMF-fixdate; also with a numeric zone, as `-0000`
         Saturday, 21-Nov-26 05:49:53 GMT  RFC 850
         Sat Nov 21 05:49:53 2026          asctime
         2026-11-21T05:49:53.123Z          ISO 8601, extended
         20261121T054953Z                  ISO 8601, basic: x-amz-date
Written: IMF-fixdate in headers, ISO 8601 with milliseconds in XML.

A weekday that does not fit its date is read over, as S3 does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, start=1)}

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_ZONE = r"(?P<zone>GMT|UTC|Z|[+-]\d{4})"
_FIXDATE = re.compile(
    r"(?:[a-z]{3,9},? *)?"
    rf"(?P<day>\d{{1,2}})[ -](?P<month>[a-z]{{3}})[ -](?P<year>\d{{4}}|\d\d) {_CLOCK}(?: {_ZONE})?",
    re.ASCII | re.IGNORECASE,
)
_ASCTIME = re.compile(
    rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK} (?P<year>\d{{4}})(?: {_ZONE})?",
    re.ASCII | re.IGNORECASE,
)
_ISO = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|\d{8}T\d{6})(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def parse_http_date(text: str) -> datetime | None:
    """The instant that `text` names in any of the forms above; None where it is none of them."""
    text = text.strip()
    try:
        if match := _FIXDATE.fullmatch(text) or _ASCTIME.fullmatch(text):
            return _from_fields(match)
        return _as_utc(datetime.fromisoformat(text)) if _ISO.fullmatch(text) else None
    except (ValueError, OverflowError):  # 31 Feb, 25:00:00, a zone that leaves the calendar
        return None


def _from_fields(match: re.Match[str]) -> datetime:
    month = _MONTH_NUMBERS.get(match["month"].lower())
    if month is None:
        raise ValueError(match["month"])
    moment = datetime(
        _full_year(match["year"]),
        month,
        int(match["day"]),
        int(match["hour"]),
        int(match["minute"]),
        59 if match["second"] == "60" else int(match["second"]),  # datetime knows no leap second
        tzinfo=_zone(match["zone"]),
    )
    return moment.astimezone(UTC)


def _full_year(digits: str) -> int:
    """A four-digit year; of two digits, those from 70 on belong to the last century (POSIX)."""
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (1900 if year >= 70 else 2000)


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-offset if text[0] == "-" else offset)


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_http_date(moment: datetime) -> str:
    """IMF-fixdate, to the second: `Sat, 21 Nov 2026 05:49:53 GMT`."""
    return _fixdate(moment.astimezone(UTC).replace(microsecond=0))


@lru_cache(maxsize=4096)
def _fixdate(second: datetime) -> str:
    # strftime would speak the process's locale.
    return (
        f"{_WEEKDAYS[second.weekday()]}, {second.day:02d} {_MONTHS[second.month - 1]} {second.year:04d} "
        f"{second.hour:02d}:{second.minute:02d}:{second.second:02d} GMT"
    )


def format_iso(moment: datetime) -> str:
    """ISO 8601 to the millisecond, as in S3's XML: `2026-11-21T05:49:53.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
