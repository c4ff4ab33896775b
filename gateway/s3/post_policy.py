"""A POST form's policy: what a form may say, signed by whoever handed it out; and the signatures of such policies.

Sources: S3 API reference, "Creating a POST policy" and "Authenticating requests in browser-based uploads using POST"
(SigV4), "Browser-based uploads using POST (SigV2)". A policy is base64 of JSON:

    {"expiration": "2026-11-21T12:00:00.000Z", "conditions": [
        {"bucket": "b"}, ["eq", "$acl", "private"], ["starts-with", "$key", "user/"],
        ["content-length-range", 0, 1048576]]}

All conditions must hold, and no field may be without one but for those in `_FREE`. The bucket, which is in the URL
and not in the form, counts as a field. Names of fields and operators are case-insensitive, the two keys are not.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.s3 import sigv2, sigv4
from gateway.s3.dates import parse_http_date
from gateway.s3.errors import AccessDenied, AuthorizationQueryParametersError, InvalidArgument, InvalidPolicyDocument
from gateway.s3.parse_params import invalid_argument
from gateway.s3.request import wire_bytes
from gateway.s3.signing_time import is_basic

POLICY = "policy"

_EXPIRATION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,18}")
_V4_FIELDS = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V2_FIELDS = ("awsaccesskeyid", "signature")

# Fields that need no condition: the policy cannot cover what signs it, nor the file itself.
_FREE = frozenset({POLICY, "file", "signature", "awsaccesskeyid", "x-amz-signature"})
_FREE_PREFIXES = ("x-ignore-", "x-amz-checksum-")


# ---------------------------------------------------------------- the policy


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator`: `eq` or `starts-with`; `field` in lower case."""

    operator: str
    field: str
    value: str

    def holds(self, value: str) -> bool:
        if self.operator == "eq":
            return value == self.value
        if self.field == "content-type" and "," in value:  # a list, each item of which must begin so
            return all(part.strip().startswith(self.value) for part in value.split(","))
        return value.startswith(self.value)


@dataclass(frozen=True, slots=True)
class Policy:
    """`sizes`: the least and the most bytes that the file may have, None where that is left open."""

    expiration: datetime
    conditions: tuple[Condition, ...]
    sizes: tuple[int, int] | None = None

    def check(self, fields: Mapping[str, str], now: datetime) -> None:
        """AccessDenied unless it is in force and all fields (`bucket` among them) are as it says."""
        if now >= self.expiration:
            raise AccessDenied("Invalid according to Policy: Policy expired.")
        for condition in self.conditions:
            if not condition.holds(fields.get(condition.field, "")):
                text = json.dumps([condition.operator, f"${condition.field}", condition.value])
                raise AccessDenied(f"Invalid according to Policy: Policy Condition failed: {text}")
        covered = {condition.field for condition in self.conditions} | _FREE
        extra = [name for name in fields if name not in covered and not name.startswith(_FREE_PREFIXES)]
        if extra:
            raise AccessDenied(f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}")


def parse_policy(text: str) -> Policy:
    """The policy of a form's field; InvalidPolicyDocument where it is none."""
    try:
        document = json.loads(b64decode(wire_bytes("".join(text.split())), validate=True))
    except (ValueError, RecursionError) as error:  # binascii's and Unicode's errors are ValueErrors too
        raise _invalid("Invalid JSON.") from error
    if not isinstance(document, dict) or document.keys() != {"expiration", "conditions"}:
        raise _invalid("A policy has an expiration and conditions, and nothing else.")
    conditions: list[Condition] = []
    sizes: tuple[int, int] | None = None
    if not isinstance(document["conditions"], list):
        raise _invalid("Conditions must be a list.")
    for item in document["conditions"]:
        if isinstance(item, list) and item and _is_size_range(item[0]):
            least, most = _size_range(item)
            sizes = (least, most) if sizes is None else (max(least, sizes[0]), min(most, sizes[1]))
        else:
            conditions.append(_condition(item))
    return Policy(_expiration(document["expiration"]), tuple(conditions), sizes)


def _invalid(reason: str) -> InvalidPolicyDocument:
    return InvalidPolicyDocument(f"Invalid Policy: {reason}")


def _expiration(text: Any) -> datetime:
    moment = parse_http_date(text) if isinstance(text, str) and _EXPIRATION.fullmatch(text) else None
    if moment is None:
        raise _invalid(f"Invalid 'expiration' value: {text!r}")
    return moment


def _is_size_range(operator: Any) -> bool:
    return isinstance(operator, str) and operator.lower() == "content-length-range"


def _size_range(item: list[Any]) -> tuple[int, int]:
    bounds = [int(bound) for bound in item[1:] if _DIGITS.fullmatch(str(bound))]
    if len(item) != 3 or len(bounds) != 2:
        raise _invalid("content-length-range needs two sizes in bytes.")
    return bounds[0], bounds[1]


def _condition(item: Any) -> Condition:
    match item:
        case {} if len(item) == 1:
            ((name, value),) = item.items()
            operator, name = "eq", f"${name}"
        case [str(operator), str(name), value] if operator.lower() in ("eq", "starts-with") and name.startswith("$"):
            operator = operator.lower()
        case _:
            raise _invalid(f"Invalid Condition: {json.dumps(item)}")
    if not isinstance(value, str):
        raise _invalid(f"The value of a condition must be a text: {json.dumps(item)}")
    return Condition(operator, name[1:].lower(), value)


# ---------------------------------------------------------------- its signature


def missing_field(name: str) -> InvalidArgument:
    """What a form without this field is refused with, or with it behind the file only."""
    message = f"Bucket POST must contain a field named '{name}'. If it is specified, check the order of the fields."
    return invalid_argument(name, "", message)


@dataclass(frozen=True, slots=True)
class PolicyClaim:
    """Who a form says its policy was signed by. `date` and `region`: of SigV4's credential, "" in SigV2."""

    access_key: str
    security_token: str | None
    policy: str
    signature: str
    date: str = ""
    region: str = ""

    def verify(self, secret: str, region: str) -> None:
        """Raise unless the signature is right and made for `region`; when it was made is for the policy to limit."""
        if not self.date:
            sigv2.verify_policy_v2(self.policy, secret, self.signature)
            return
        if self.region not in (region, sigv4.DEFAULT_REGION):
            raise AuthorizationQueryParametersError(
                f"Error parsing the X-Amz-Credential parameter; the region {self.region!r} is wrong; "
                f"expecting {region!r}",
                fields={"Region": region},
            )
        sigv4.verify_policy_v4(self.policy, secret, self.date, self.region, self.signature)


def parse_policy_claim(fields: Mapping[str, str]) -> PolicyClaim | None:
    """The claim of a form's fields; None: anonymous. InvalidArgument where a part of it is missing."""
    is_v4 = any(name in fields for name in _V4_FIELDS if name != "x-amz-date")
    is_v2 = any(name in fields for name in _V2_FIELDS)
    if POLICY not in fields and not is_v4 and not is_v2:
        return None
    for name in (POLICY, *(_V4_FIELDS if is_v4 else _V2_FIELDS)):
        if name not in fields:
            raise missing_field(name)
    token = fields.get("x-amz-security-token")
    if not is_v4:
        return PolicyClaim(fields["awsaccesskeyid"], token, fields[POLICY], fields["signature"])
    if fields["x-amz-algorithm"] != sigv4.ALGORITHM:
        raise InvalidArgument(f'X-Amz-Algorithm only supports "{sigv4.ALGORITHM}"')
    scope, date = sigv4.parse_credential(fields["x-amz-credential"]), fields["x-amz-date"]
    if scope is None or scope[3] != "s3" or not is_basic(date) or scope[1] != date[:8]:
        raise AuthorizationQueryParametersError(
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed, or not of X-Amz-Date; "
            'expecting "<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request".'
        )
    return PolicyClaim(scope[0], token, fields[POLICY], fields["x-amz-signature"], scope[1], scope[2])
