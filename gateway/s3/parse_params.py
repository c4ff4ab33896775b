"""Values in a query string: integers, version ids, encoding types. All refusals are InvalidArgument."""

from __future__ import annotations

import re

from gateway.s3.errors import InvalidArgument
from gateway.s3.request import Request

MAX_INTEGER = 2**31 - 1
MAX_PART_NUMBER = 10_000

_INTEGER = re.compile(r"-?[0-9]{1,18}")  # int() itself takes spaces, underscores, any script's digits


def invalid_argument(name: str, value: str, message: str | None = None) -> InvalidArgument:
    """S3's InvalidArgument names the argument and repeats its value."""
    return InvalidArgument(message, fields={"ArgumentName": name, "ArgumentValue": value})


def integer(text: str) -> int | None:
    """The integer that `text` spells in ASCII digits, None where it spells none."""
    return int(text) if _INTEGER.fullmatch(text) else None


def integer_param(request: Request, name: str, default: int, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """A parameter between `low` and `high`; `default` where it is absent or empty."""
    return _bounded(name, request.param(name), default, low, high)


def integer_header(request: Request, name: str, default: int) -> int:
    """A header with an integer that is not negative; `default` where it is absent or empty."""
    return _bounded(name, request.header(name), default, 0, MAX_INTEGER)


def _bounded(name: str, text: str | None, default: int, low: int, high: int) -> int:
    if not text:
        return default
    value = integer(text)
    if value is None:
        raise invalid_argument(name, text, f"Provided {name} not an integer or within integer range")
    if not low <= value <= high:
        raise invalid_argument(name, text, f"Argument {name} must be an integer between {low} and {high}")
    return value


def page_size(request: Request, name: str, *, low: int = 0, limit: int = 1000) -> int:
    """max-keys and its kin: more than `limit` may be asked for, but not had."""
    return min(integer_param(request, name, limit, low=low), limit)


def part_number(request: Request) -> int | None:
    """`partNumber`, 1 to 10,000; None where it was not sent."""
    text = request.param("partNumber")
    if text is None:
        return None
    value = integer(text)
    if value is None or not 1 <= value <= MAX_PART_NUMBER:
        message = f"Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive"
        raise invalid_argument("partNumber", text, message)
    return value


def version_id(request: Request) -> str | None:
    """`versionId`, an unresolved revision; None where it was not sent."""
    text = request.param("versionId")
    if text == "":
        raise invalid_argument("versionId", "", "Version id cannot be the empty string")
    return text


def encoding_type(request: Request) -> str | None:
    """`url`, or None where it was not sent."""
    text = request.param("encoding-type")
    if text not in (None, "url"):
        raise invalid_argument("encoding-type", text or "", "Invalid Encoding Method specified in Request")
    return text
