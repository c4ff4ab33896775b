"""Requests of the AWS query protocol → Inputs: parameters in a form or a query, all checked.

    POST /    Content-Type: application/x-www-form-urlencoded    Action=…&Version=2011-06-15&…
    GET /?Action=…&Version=2011-06-15&…

A parameter that is not offered is refused, whether AWS knows it or not: a session policy that was read over would give
more than was asked for. Neither codes nor secrets are repeated in errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from gateway.s3.address import percent_decode
from gateway.s3.request import Request
from gateway.sts.errors import NO_CODE, AccessDenied, InvalidAction, MalformedInput, MissingAction, ValidationError
from gateway.sts.operations import AssumeRole, GetCallerIdentity, GetSessionToken, Input, Role, SecondFactor

VERSION = "2011-06-15"
MAX_BODY = 64 * 1024
SHORTEST_S = 900

_FORM = "application/x-www-form-urlencoded"
_SCOPE = "/sts/aws4_request"
_MOST_PARAMETERS = 100
_MOST_ECHOED = 64  # characters of a value that an error repeats
_ROLE = re.compile(r"arn:aws:iam::([0-9]{12}):role/(import|export|admin|member)")
_DEVICE = re.compile(r"(?:arn:aws:iam::[0-9]{12}:mfa/)?([A-Za-z0-9._@-]{1,64})")
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
_CODE = re.compile(r"[0-9]{6}")
_SECONDS = re.compile(r"[0-9]{1,9}")


def is_sts(request: Request) -> bool:
    """Whether a request is meant for STS: it is made to `/`, and the scope of its signature says so."""
    if request.raw_path != "/":
        return False
    credential = request.params.get("X-Amz-Credential", "")
    return credential.endswith(_SCOPE) or _SCOPE + "," in request.headers.get("authorization", "") + ","


def parameters(request: Request, body: bytes) -> Mapping[str, str]:
    """Those of the query, but for the signature's, and those of the form. Raises MalformedInput."""
    if request.method not in ("GET", "POST"):
        raise MalformedInput("STS takes GET and POST.")
    pairs = [(name, value) for name, value in request.query if not name.startswith("X-Amz-")]
    if body:
        pairs += _form(request, body)
    if len(pairs) > _MOST_PARAMETERS:
        raise MalformedInput(f"There are more than {_MOST_PARAMETERS} parameters.")
    given = dict(pairs)
    if len(given) != len(pairs):
        raise MalformedInput("A parameter is given twice.")
    return given


def _form(request: Request, body: bytes) -> Iterable[tuple[str, str]]:
    content_type = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if content_type != _FORM:
        raise MalformedInput(f"The parameters are to be sent as {_FORM}.")
    pieces = body.split(b"&", _MOST_PARAMETERS)
    try:
        return [_pair(piece) for piece in pieces if piece]
    except ValueError as exc:
        raise MalformedInput("The form is not percent-encoded UTF-8.") from exc


def _pair(piece: bytes) -> tuple[str, str]:
    """Raises ValueError."""
    name, _, value = piece.decode("ascii").replace("+", " ").partition("=")
    return percent_decode(name), percent_decode(value)


# ---------------------------------------------------------------- actions


def parse(given: Mapping[str, str]) -> Input:
    """Raises MissingAction, InvalidAction, ValidationError, and AccessDenied for half a second factor."""
    name = given.get("Action")
    if not name:
        raise MissingAction
    version = given.get("Version", "NO_VERSION_SPECIFIED")
    action = _ACTIONS.get(name) if version == VERSION else None
    if action is None:
        raise InvalidAction(f"Could not find operation {_echo(name)} for version {_echo(version)}")
    unknown = sorted(given.keys() - {"Action", "Version", *action.parameters})
    if unknown:
        raise ValidationError(f"The parameter {_echo(unknown[0])} is not offered by this gateway.")
    missing = [_wire(wanted) for wanted in action.required if not given.get(wanted)]
    if missing:
        told = [f"Value null at '{name}' failed to satisfy constraint: Member must not be null" for name in missing]
        raise ValidationError(f"{len(told)} validation error{'s'[: len(told) - 1]} detected: {'; '.join(told)}")
    return action.parse(given)


def _session_token(given: Mapping[str, str]) -> Input:
    return GetSessionToken(_duration(given), _factor(given))


def _assume_role(given: Mapping[str, str]) -> Input:
    role = _ROLE.fullmatch(given["RoleArn"])
    if role is None:
        raise _invalid(
            given,
            "RoleArn",
            "Member must be arn:aws:iam::<12-digit number of a project>:role/import, export, admin or member",
        )
    if not _SESSION_NAME.fullmatch(given["RoleSessionName"]):
        raise _invalid(given, "RoleSessionName", "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}")
    return AssumeRole(Role(role[1], role[2]), given["RoleSessionName"], _duration(given), _factor(given))


def _identity(_given: Mapping[str, str]) -> Input:
    return GetCallerIdentity()


@dataclass(frozen=True, slots=True)
class _Action:
    parse: Callable[[Mapping[str, str]], Input]
    parameters: Collection[str]
    required: Collection[str] = ()


_SESSION = ("DurationSeconds", "SerialNumber", "TokenCode")
_ACTIONS: Mapping[str, _Action] = {
    "GetSessionToken": _Action(_session_token, _SESSION),
    "AssumeRole": _Action(_assume_role, ("RoleArn", "RoleSessionName", *_SESSION), ("RoleArn", "RoleSessionName")),
    "GetCallerIdentity": _Action(_identity, ()),
}
ACTIONS: Collection[str] = _ACTIONS.keys()


# ---------------------------------------------------------------- parameters


def _duration(given: Mapping[str, str]) -> int | None:
    text = given.get("DurationSeconds")
    if text is None:
        return None
    if not _SECONDS.fullmatch(text):
        raise _invalid(given, "DurationSeconds", "Member must be a number")
    if int(text) < SHORTEST_S:
        raise _invalid(given, "DurationSeconds", f"Member must have value greater than or equal to {SHORTEST_S}")
    return int(text)


def _factor(given: Mapping[str, str]) -> SecondFactor | None:
    serial, code = given.get("SerialNumber"), given.get("TokenCode")
    if serial is None and code is None:
        return None
    if not serial or not code:
        raise AccessDenied(NO_CODE)
    device = _DEVICE.fullmatch(serial)
    if device is None:
        raise _invalid(
            given, "SerialNumber", "Member must be arn:aws:iam::<12-digit number of a project>:mfa/<user name>"
        )
    if not _CODE.fullmatch(code):
        raise ValidationError(
            "1 validation error detected: Value at 'tokenCode' failed to satisfy constraint: Member must have 6 digits"
        )
    return SecondFactor(device[1], code)


def _invalid(given: Mapping[str, str], name: str, constraint: str) -> ValidationError:
    """As AWS words it."""
    return ValidationError(
        f"1 validation error detected: Value '{_echo(given[name])}' at '{_wire(name)}' failed to satisfy constraint: "
        f"{constraint}"
    )


def _wire(name: str) -> str:
    """AWS's errors begin a parameter's name with a small letter."""
    return name[0].lower() + name[1:]


def _echo(text: str) -> str:
    return text if len(text) <= _MOST_ECHOED else text[:_MOST_ECHOED] + "…"
