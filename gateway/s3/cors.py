"""Cross-origin resource sharing: a bucket's rules, read from XML, written as XML, and matched to requests.

Sources: S3 API reference, PutBucketCors; S3 user guide, "Elements of a CORS configuration"; the Fetch
standard, §3.2. A rule matches a request when one of its origins matches the Origin header, the method
is among its methods and each header that a preflight asks for matches one of its headers. An origin and
an allowed header hold at most one `*`, which stands for any characters, none too. The first
rule that matches decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.s3.errors import InvalidRequest, MalformedXML
from gateway.s3.parse_params import integer
from gateway.s3.xml import Element, document, element, group, optional, parse_xml

MAX_BYTES = 64 * 1024
MAX_RULES = 100
MAX_ID = 255
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")

# Whether an answer may be shown to a page depends on these; a cache has to know (RFC 9110 §12.5.5).
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


@dataclass(frozen=True, slots=True)
class CorsRule:
    """One rule. `max_age_s`: how long a browser may keep the answer to a preflight."""

    allowed_origins: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    allowed_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age_s: int | None = None
    id: str | None = None

    def origin(self, origin: str) -> str | None:
        """What Access-Control-Allow-Origin says to `origin`: itself, or `*`; None where it is not allowed."""
        for pattern in self.allowed_origins:
            if pattern == "*":
                return "*"
            if _wildcard(pattern).fullmatch(origin):
                return origin
        return None

    def allows_headers(self, names: Iterable[str]) -> bool:
        """Whether a request may bear all these headers; their case makes no difference."""
        patterns = [_wildcard(pattern.lower()) for pattern in self.allowed_headers]
        return all(any(pattern.fullmatch(name.lower()) for pattern in patterns) for name in names)


@lru_cache(maxsize=1024)
def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


# ---------------------------------------------------------------- XML


def parse_cors(body: bytes) -> tuple[CorsRule, ...]:
    """The rules of a CORSConfiguration; MalformedXML, or InvalidRequest for what S3 does not accept in one."""
    root = parse_xml(body, "CORSConfiguration", max_bytes=MAX_BYTES)
    rules = tuple([_rule(child) for child in root.children])
    if not 1 <= len(rules) <= MAX_RULES:
        raise MalformedXML
    return rules


def _rule(root: Element) -> CorsRule:
    if root.name != "CORSRule":
        raise MalformedXML
    rule = CorsRule(
        allowed_origins=_texts(root, "AllowedOrigin"),
        allowed_methods=_texts(root, "AllowedMethod"),
        allowed_headers=_texts(root, "AllowedHeader"),
        expose_headers=_texts(root, "ExposeHeader"),
        max_age_s=_seconds(root.child_text("MaxAgeSeconds")),
        id=root.child_text("ID"),
    )
    _check(rule)
    return rule


def _texts(root: Element, name: str) -> tuple[str, ...]:
    return tuple(child.text.strip() for child in root.find_all(name))


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    value = integer(text.strip())
    if value is None or value < 0:
        raise MalformedXML
    return value


def _check(rule: CorsRule) -> None:
    if not rule.allowed_origins or not rule.allowed_methods or len(rule.id or "") > MAX_ID:
        raise MalformedXML
    for method in rule.allowed_methods:
        if method not in METHODS:
            raise InvalidRequest(f"Found unsupported HTTP method in CORS config. Unsupported method is {method}")
    for name, values in (("AllowedOrigin", rule.allowed_origins), ("AllowedHeader", rule.allowed_headers)):
        for value in values:
            if value.count("*") > 1:
                raise InvalidRequest(f'{name} "{value}" can not have more than one wildcard.')
    for value in rule.expose_headers:
        if "*" in value:
            raise InvalidRequest(f'ExposeHeader "{value}" contains wildcard. It must name a header.')
    for value in (*rule.allowed_origins, *rule.expose_headers):
        if not value or not value.isprintable():  # both go out as headers
            raise MalformedXML


def render_cors(rules: Sequence[CorsRule]) -> bytes:
    """The CORSConfiguration; `parse_cors` makes the same rules of it."""
    return document("CORSConfiguration", *map(_rule_xml, rules))


def _rule_xml(rule: CorsRule) -> str:
    return group(
        "CORSRule",
        optional("ID", rule.id),
        *(element("AllowedHeader", text) for text in rule.allowed_headers),
        *(element("AllowedMethod", text) for text in rule.allowed_methods),
        *(element("AllowedOrigin", text) for text in rule.allowed_origins),
        *(element("ExposeHeader", text) for text in rule.expose_headers),
        optional("MaxAgeSeconds", None if rule.max_age_s is None else str(rule.max_age_s)),
    )


# ---------------------------------------------------------------- matching


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that a request fell under, with what of it the answer repeats.

    `headers`: those that a preflight asked for, all of them allowed.
    """

    rule: CorsRule
    allow_origin: str
    method: str
    headers: tuple[str, ...] = ()

    def response_headers(self) -> list[tuple[str, str]]:
        """What tells the browser so. With `*` there are no credentials (Fetch §3.2.5)."""
        rule = self.rule
        fields = [("Access-Control-Allow-Origin", self.allow_origin), ("Access-Control-Allow-Methods", self.method)]
        if self.headers:
            fields.append(("Access-Control-Allow-Headers", ", ".join(self.headers)))
        if rule.expose_headers:
            fields.append(("Access-Control-Expose-Headers", ", ".join(rule.expose_headers)))
        if rule.max_age_s is not None:
            fields.append(("Access-Control-Max-Age", str(rule.max_age_s)))
        if self.allow_origin != "*":
            fields.append(("Access-Control-Allow-Credentials", "true"))
        return [*fields, ("Vary", VARY)]


def match(rules: Iterable[CorsRule], origin: str, method: str, headers: Sequence[str] = ()) -> Match | None:
    """The first rule under which `origin` may send `method` with these headers."""
    for rule in rules:
        allow_origin = rule.origin(origin)
        if allow_origin is not None and method in rule.allowed_methods and rule.allows_headers(headers):
            return Match(rule, allow_origin, method, tuple(headers))
    return None


def header_names(text: str | None) -> tuple[str, ...]:
    """The names in Access-Control-Request-Headers, in lower case."""
    return tuple(name for part in (text or "").split(",") if (name := part.strip().lower()))
