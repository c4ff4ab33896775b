"""Condition keys: what a policy's conditions can ask of a request, one table.

Source: S3 user guide, "Bucket policy examples using condition keys"; Service authorization reference, "Condition
keys for Amazon S3". A key that is not known here is refused when the policy is put.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from gateway.access.principals import Principal
from gateway.s3.errors import InvalidArgument, InvalidTag
from gateway.s3.request import Request
from gateway.s3.tags import parse_tags_header

EXISTING_TAG = "s3:existingobjecttag/"
REQUEST_TAG = "s3:requestobjecttag/"
_REQUEST_TAG_KEYS = "s3:requestobjecttagkeys"

_HEADERS: Mapping[str, str] = {
    "aws:referer": "referer",
    "aws:useragent": "user-agent",
    **{
        f"s3:{name}": name
        for name in (
            "x-amz-acl",
            "x-amz-content-sha256",
            "x-amz-copy-source",
            "x-amz-metadata-directive",
            "x-amz-storage-class",
            "x-amz-server-side-encryption",
        )
    },
}
_PARAMETERS: Mapping[str, str] = {
    "s3:prefix": "prefix",
    "s3:delimiter": "delimiter",
    "s3:max-keys": "max-keys",
    "s3:versionid": "versionId",
}
_FACTS: Mapping[str, Callable[[Request, Principal, datetime], str]] = {
    "aws:sourceip": lambda request, caller, now: request.remote,
    "aws:securetransport": lambda request, caller, now: "true" if request.secure else "false",
    "aws:currenttime": lambda request, caller, now: now.isoformat(),
    "aws:epochtime": lambda request, caller, now: str(int(now.timestamp())),
    "aws:principaltype": lambda request, caller, now: "Anonymous" if caller.is_anonymous else "Account",
    "aws:userid": lambda request, caller, now: "anonymous" if caller.is_anonymous else caller.id,
    "aws:username": lambda request, caller, now: "" if caller.is_anonymous else caller.id,
    "aws:principalarn": lambda request, caller, now: "" if caller.is_anonymous else f"arn:aws:iam::{caller.id}:root",
}


def canonical(key: str) -> str:
    """A condition key's one spelling: case matters in the key of a tag alone."""
    name, slash, tag = key.partition("/")
    return f"{name.lower()}{slash}{tag}"


def is_known(key: str) -> bool:
    name = canonical(key)
    with_tag = any(name.startswith(prefix) and len(name) > len(prefix) for prefix in (EXISTING_TAG, REQUEST_TAG))
    return with_tag or name == _REQUEST_TAG_KEYS or name in _HEADERS or name in _PARAMETERS or name in _FACTS


def condition_values(
    request: Request, caller: Principal, tags: Mapping[str, str] | None = None
) -> Mapping[str, tuple[str, ...]]:
    """The request's values by `canonical` key. `tags`: of the object that it is about, None where there is none."""
    now = datetime.now(UTC)
    found = [(key, request.headers.get(name)) for key, name in _HEADERS.items()]
    found += [(key, request.params.get(name)) for key, name in _PARAMETERS.items()]
    found += [(key, fact(request, caller, now) or None) for key, fact in _FACTS.items()]
    values: dict[str, tuple[str, ...]] = {key: (value,) for key, value in found if value is not None}
    values |= _tagged(EXISTING_TAG, (tags or {}).items())
    asked = _requested_tags(request)
    values |= _tagged(REQUEST_TAG, asked.items())
    if asked:
        values[_REQUEST_TAG_KEYS] = tuple(asked)
    return values


def _tagged(prefix: str, tags: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    return {f"{prefix}{key}": (value,) for key, value in tags}


def _requested_tags(request: Request) -> Mapping[str, str]:
    """Those of a header; what is wrong with them is for the operation to say, which will not be carried out."""
    text = request.headers.get("x-amz-tagging")
    if text is None:
        return {}
    try:
        return parse_tags_header(text)
    except (InvalidTag, InvalidArgument):
        return {}
