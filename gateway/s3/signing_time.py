"""When a request was signed, and whether that is near enough: what SigV2 and SigV4 share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from gateway.s3.dates import parse_http_date
from gateway.s3.errors import AccessDenied, RequestTimeTooSkewed

MAX_SKEW = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_signing_time(text: str) -> datetime | None:
    """None for what is no date, or one before 1970."""
    if is_basic(text):
        try:
            time: datetime | None = datetime.fromisoformat(text)
        except ValueError:
            return None
    else:
        time = parse_http_date(text)
    return time if time is not None and time >= _EPOCH else None


def is_basic(text: str) -> bool:
    """Whether `text` has the form `YYYYMMDDTHHMMSSZ`, the one that SigV4 signs."""
    return len(text) == 16 and text[8] == "T" and text[15] == "Z"


def format_basic(time: datetime) -> str:
    """`YYYYMMDDTHHMMSSZ`."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def format_extended(time: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, as error answers tell it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def header_time(headers: Mapping[str, str], now: datetime) -> tuple[str, datetime]:
    """The date as sent and what it means: x-amz-date, even an empty one, before Date.

    Raises where there is no valid date, or it is more than 15 minutes off.
    """
    text = headers.get("x-amz-date")
    if text is None:
        text = headers.get("date", "")
    signed_at = parse_signing_time(text)
    if signed_at is None:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    if abs(now - signed_at) > MAX_SKEW:
        raise RequestTimeTooSkewed(
            fields={
                "RequestTime": text,
                "ServerTime": format_extended(now),
                "MaxAllowedSkewMilliseconds": str(MAX_SKEW // timedelta(milliseconds=1)),
            }
        )
    return text, signed_at
