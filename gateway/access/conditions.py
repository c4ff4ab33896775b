"""Conditions of a policy's statements: an operator, a key, and the values that the request's are compared with.

Source: IAM user guide, "IAM JSON policy elements: Condition operators". Several values are alternatives. Where the
request has no value for the key, an operator does not hold, its negation does, and so does whatever ends in
`IfExists`. `ForAnyValue:` and `ForAllValues:` are about keys that may have several values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address, ip_network
from typing import TypeVar

from gateway.access.globs import Glob

T = TypeVar("T")

Test = Callable[[str], bool]
"""Whether a request's value is as one of the document's says."""


class Invalid(ValueError):
    """What a document may not say; the message tells which part of it is meant."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`any_of` decides for one value of the request; `negated`: none of them may match. `absent`: what holds where
    the request has no value. `needs_all`: all values of the request must do, not just one."""

    key: str
    any_of: tuple[Test, ...]
    negated: bool
    absent: bool
    needs_all: bool

    def holds(self, values: Mapping[str, Sequence[str]]) -> bool:
        found = values.get(self.key, ())
        if not found:
            return self.absent
        verdicts = [any(test(value) for test in self.any_of) is not self.negated for value in found]
        return all(verdicts) if self.needs_all else any(verdicts)


def parse_condition(operator: str, key: str, expected: Sequence[str]) -> Condition:
    """Raises Invalid."""
    prefix, _, name = operator.rpartition(":")
    if prefix not in ("", "ForAnyValue", "ForAllValues"):
        raise Invalid(f"Invalid Condition type: {operator}")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null" and not prefix and not if_exists:
        return _null(key, expected)
    negated = name in _NEGATED
    make = _OPERATORS.get(_NEGATED.get(name, name))
    if make is None:
        raise Invalid(f"Invalid Condition type: {operator}")
    return Condition(
        key=key,
        any_of=tuple(make(text) for text in expected),
        negated=negated,
        absent=if_exists or prefix == "ForAllValues" or (negated and not prefix),
        needs_all=prefix == "ForAllValues" or (negated and not prefix),
    )


def _null(key: str, expected: Sequence[str]) -> Condition:
    """`true`: the request has no value for the key; `false`: it has one."""
    wanted = {_boolean(text) for text in expected}
    return Condition(key, (lambda value: False not in wanted,), True, True in wanted, True)


# ---------------------------------------------------------------- operators


def _equals(expected: str) -> Test:
    return lambda value: value == expected


def _equals_ignore_case(expected: str) -> Test:
    folded = expected.casefold()
    return lambda value: value.casefold() == folded


def _like(expected: str) -> Test:
    return Glob(expected).matches


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Invalid(f"Invalid value in a policy's condition: {text} is neither true nor false")
    return text.lower() == "true"


def _bool(expected: str) -> Test:
    wanted = _boolean(expected)
    return lambda value: value.lower() == ("true" if wanted else "false")


def _in_network(expected: str) -> Test:
    try:
        network = ip_network(expected, strict=False)
    except ValueError as error:
        raise Invalid(f"Invalid IP range in a policy's condition: {expected}") from error

    def test(value: str) -> bool:
        try:
            address = ip_address(value)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address) in network

    return test


_SECONDS = re.compile(r"[0-9]{1,12}")


def _moment(text: str) -> datetime:
    """A date, a time of day with its zone, or seconds since the epoch. Raises ValueError."""
    if _SECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _number(text: str) -> Decimal:
    """Raises ValueError."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not number.is_finite():
        raise ValueError(text)
    return number


def _ordered(read: Callable[[str], T], compare: Callable[[T, T], bool]) -> Callable[[str], Test]:
    """An operator that compares what values mean; what cannot be read is as no value says."""

    def make(expected: str) -> Test:
        try:
            wanted = read(expected)
        except (ValueError, OverflowError, OSError) as error:
            raise Invalid(f"Invalid value in a policy's condition: {expected}") from error

        def test(value: str) -> bool:
            try:
                return compare(read(value), wanted)
            except (ValueError, OverflowError, OSError):
                return False

        return test

    return make


_OPERATORS: Mapping[str, Callable[[str], Test]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignore_case,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": _bool,
    "IpAddress": _in_network,
    "NumericEquals": _ordered(_number, lambda a, b: a == b),
    "NumericLessThan": _ordered(_number, lambda a, b: a < b),
    "NumericLessThanEquals": _ordered(_number, lambda a, b: a <= b),
    "NumericGreaterThan": _ordered(_number, lambda a, b: a > b),
    "NumericGreaterThanEquals": _ordered(_number, lambda a, b: a >= b),
    "DateEquals": _ordered(_moment, lambda a, b: a == b),
    "DateLessThan": _ordered(_moment, lambda a, b: a < b),
    "DateLessThanEquals": _ordered(_moment, lambda a, b: a <= b),
    "DateGreaterThan": _ordered(_moment, lambda a, b: a > b),
    "DateGreaterThanEquals": _ordered(_moment, lambda a, b: a >= b),
}
_NEGATED: Mapping[str, str] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
