"""Bucket policies: JSON documents of statements, read into values that can be asked for a verdict. Pure.

Sources: S3 user guide, "Policies and permissions in Amazon S3"; IAM user guide, "JSON policy elements" and
"Condition operators". A document that could be taken for more, or for less, than it says is refused as a
whole (MalformedPolicy) when it is put: an unknown element, operator or condition key, a policy variable, an
`Allow` for whoever is not named.

    {"Version": "2012-10-17", "Id": "…", "Statement": [{
        "Sid": "…", "Effect": "Allow" or "Deny",
        "Principal": "*", {"AWS": ["<account id>", "arn:aws:iam::<account id>:root"]}, or NotPrincipal with Deny,
        "Action": ["s3:Get*"], or NotAction,
        "Resource": ["arn:aws:s3:::bucket/*"], or NotResource,
        "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}}]}

`*` in an action or a resource stands for any text, `?` for any character.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from gateway.access.condition_keys import canonical, is_known
from gateway.access.conditions import Condition, Invalid, parse_condition
from gateway.access.globs import Glob
from gateway.access.principals import Principal
from gateway.s3.errors import MalformedPolicy

_VERSIONS = ("2012-10-17", "2008-10-17")
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
)
_KINDS = frozenset({"AWS", "CanonicalUser", "Service", "Federated"})
_ARN = "arn:aws:s3:::"


class Verdict(Enum):
    ALLOW = "Allow"
    DENY = "Deny"
    SILENT = "no statement applies"


@dataclass(frozen=True, slots=True)
class Asking:
    """What a document is asked about: `resource` under all names that the bucket has; `values` by the canonical
    names of condition keys. A revision is read under an action of its own, and `denied_by` the plain one too."""

    caller: Principal
    action: str
    resources: Collection[str]
    values: Mapping[str, Sequence[str]]
    denied_by: str = ""


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom a statement names: everybody, or accounts by the spellings of `_spellings`; `negated`: all others."""

    everybody: bool
    named: frozenset[str]
    negated: bool = False

    def include(self, caller: Principal) -> bool:
        found = self.everybody or (not caller.is_anonymous and not self.named.isdisjoint(_spellings(caller)))
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    effect: Verdict
    principals: Principals
    actions: tuple[Glob, ...]
    resources: tuple[Glob, ...]
    conditions: tuple[Condition, ...]
    not_actions: bool = False
    not_resources: bool = False

    def applies(self, asking: Asking, action: str) -> bool:
        return (
            self._covers(action, asking.resources)
            and self.principals.include(asking.caller)
            and all(condition.holds(asking.values) for condition in self.conditions)
        )

    def names(self, caller: Principal, action: str) -> bool:
        """Whether it is about this caller and action, with whatever resource and under whatever condition."""
        return self._covers_action(action) and self.principals.include(caller)

    def _covers(self, action: str, resources: Collection[str]) -> bool:
        is_resource = any(glob.matches(resource) for glob in self.resources for resource in resources)
        return self._covers_action(action) and is_resource is not self.not_resources

    def _covers_action(self, action: str) -> bool:
        return any(glob.matches(action.lower()) for glob in self.actions) is not self.not_actions


@dataclass(frozen=True, slots=True)
class Document:
    statements: tuple[Statement, ...]

    def verdict(self, asking: Asking) -> Verdict:
        """Deny wins over Allow, in whatever order they come."""
        actions = (asking.action, asking.denied_by) if asking.denied_by else (asking.action,)
        for statement in self.statements:
            if statement.effect is Verdict.DENY and any(statement.applies(asking, action) for action in actions):
                return Verdict.DENY
        for statement in self.statements:
            if statement.effect is Verdict.ALLOW and statement.applies(asking, asking.action):
                return Verdict.ALLOW
        return Verdict.SILENT

    def ever_allows(self, caller: Principal, actions: Collection[str]) -> bool:
        """Whether one of the actions may be allowed to the caller, depending on what it is done to."""
        return any(
            statement.effect is Verdict.ALLOW and statement.names(caller, action)
            for statement in self.statements
            for action in actions
        )

    def check_is_for(self, names: Collection[str]) -> None:
        """MalformedPolicy where a resource can not be of the bucket that has these names: it would be in vain."""
        for glob in (glob for statement in self.statements for glob in statement.resources):
            bucket = Glob(glob.pattern.removeprefix(_ARN).partition("/")[0])
            if not any(bucket.matches(name) for name in names):
                raise MalformedPolicy(f"Policy has invalid resource: {glob.pattern} is not of {' or '.join(names)}")

    @property
    def is_public(self) -> bool:
        """Whether it allows anything to everybody, whatever the circumstances."""
        return any(
            statement.effect is Verdict.ALLOW and statement.principals.everybody and not statement.conditions
            for statement in self.statements
        )


def _spellings(caller: Principal) -> tuple[str, ...]:
    name = caller.id
    return (name, f"arn:aws:iam::{name}:root", f"arn:aws:iam::{name}:user/{name}", f"arn:aws:iam:::user/{name}")


# ---------------------------------------------------------------- reading


@lru_cache(maxsize=256)
def parse_document(text: str) -> Document:
    """Raises MalformedPolicy."""
    try:
        return _document(json.loads(text, object_pairs_hook=_distinct))
    except (Invalid, RecursionError) as error:
        raise MalformedPolicy(str(error)) from error
    except ValueError as error:
        raise MalformedPolicy("Policies must be valid JSON and the first byte must be '{'") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("Policy has an element twice")
    return found


def _document(root: Any) -> Document:
    if not isinstance(root, dict):
        raise Invalid("Policies must be valid JSON and the first byte must be '{'")
    _check_elements(root, _DOCUMENT)
    if root.get("Version", _VERSIONS[-1]) not in _VERSIONS:
        raise Invalid("The policy must contain a valid version string")
    if not isinstance(root.get("Id", ""), str):
        raise Invalid("The Id of a policy must be a text")
    listed = root.get("Statement")
    statements = [listed] if isinstance(listed, dict) else listed
    if not isinstance(statements, list) or not statements:
        raise Invalid("Missing required field Statement")
    return Document(tuple(_statement(item) for item in statements))


def _check_elements(element: Mapping[str, Any], known: Collection[str]) -> None:
    for name in element:
        if name not in known:
            raise Invalid(f"Unknown field {name}")


def _statement(item: Any) -> Statement:
    if not isinstance(item, dict):
        raise Invalid("A Statement must be an object")
    _check_elements(item, _STATEMENT)
    if not isinstance(item.get("Sid", ""), str):
        raise Invalid("The Sid of a statement must be a text")
    if item.get("Effect") not in ("Allow", "Deny"):
        raise Invalid(f"Invalid effect: {item.get('Effect')!r}")
    effect = Verdict(item["Effect"])
    actions, not_actions = _either(item, "Action")
    resources, not_resources = _either(item, "Resource")
    return Statement(
        effect,
        _principals(item, effect),
        tuple(_action(text) for text in _texts("Action", actions)),
        tuple(_resource(text) for text in _texts("Resource", resources)),
        _conditions(item.get("Condition", {})),
        not_actions,
        not_resources,
    )


def _either(item: Mapping[str, Any], name: str) -> tuple[Any, bool]:
    """The element of this name, or the one that means all others; and whether it is the latter."""
    if (name in item) is (f"Not{name}" in item):
        raise Invalid(f"A statement has either {name} or Not{name}")
    return (item[name], False) if name in item else (item[f"Not{name}"], True)


def _texts(name: str, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Invalid(f"{name} must be a text or a list of texts")
    return texts


def _principals(item: Mapping[str, Any], effect: Verdict) -> Principals:
    value, negated = _either(item, "Principal")
    if negated and effect is Verdict.ALLOW:
        raise Invalid("Allow with NotPrincipal is not allowed")
    if value == "*":
        return Principals(True, frozenset(), negated)
    if not isinstance(value, dict) or not value or not _KINDS.issuperset(value):
        raise Invalid("Invalid principal in policy")
    named = {kind: _texts("Principal", texts) for kind, texts in value.items()}
    accounts = [*named.get("AWS", ()), *named.get("CanonicalUser", ())]
    others = [name for name in accounts if name != "*"]
    if any("*" in name or "?" in name for name in others) or "*" in named.get("CanonicalUser", ()):
        raise Invalid("Invalid principal in policy: a wildcard stands alone, or not at all")
    return Principals("*" in accounts, frozenset(others), negated)


def _action(text: str) -> Glob:
    lower = text.lower()
    if lower != "*" and not lower.startswith("s3:"):
        raise Invalid(f"Policy has invalid action: {text}")
    return Glob(lower)


def _resource(text: str) -> Glob:
    if text != "*" and (not text.startswith(_ARN) or text == _ARN):
        raise Invalid(f"Policy has invalid resource: {text}")
    return Glob(_without_variables(text))


def _without_variables(text: str) -> str:
    if "${" in text:
        raise Invalid(f"Policy variables are not offered: {text}")
    return text


def _conditions(block: Any) -> tuple[Condition, ...]:
    if not isinstance(block, dict):
        raise Invalid("A Condition must be an object")
    found = []
    for operator, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise Invalid(f"The condition {operator} must name keys")
        for key, values in keys.items():
            if not is_known(key):
                raise Invalid(f"Policy has an invalid condition key: {key}")
            texts = [_without_variables(text) for text in _texts("Condition", _as_texts(values))]
            found.append(parse_condition(operator, canonical(key), texts))
    return tuple(found)


def _as_texts(values: Any) -> Any:
    """Numbers and booleans may be given without quotes."""
    return [_as_text(value) for value in values] if isinstance(values, list) else _as_text(values)


def _as_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def resource_arn(bucket: str, key: str | None) -> str:
    return f"{_ARN}{bucket}" if key is None else f"{_ARN}{bucket}/{key}"
