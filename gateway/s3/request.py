"""One HTTP request as a frozen value: what every pure part of the protocol reads.

Nothing here is normalised: signatures cover the path and query exactly as they were
sent, and keys may hold `//`, `..`, `%2F` and `+`. Text is UTF-8 with `surrogateescape`,
so the bytes as sent can always be had back with `wire_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


def wire_bytes(text: str) -> bytes:
    """The bytes that `text` (a header's value, a path) had on the wire."""
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Request:
    """A request's head. The body travels beside it, as a stream.

    `bucket` and `key` are decoded exactly once from the path (or the Host header, for
    virtual-host addressing); `key` is None for bucket-level requests and never "".
    `query` keeps the order and the repetitions of the query string, values decoded; a name
    without `=` has the value "". `headers` has lower-case names; repeated headers are
    joined with ",".
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()
    bucket: str | None = None
    key: str | None = None
    secure: bool = False
    remote: str = ""
    request_id: str = ""
    # First value of each query name; derived, so that look-ups are one dict access.
    params: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The header's value, `name` in lower case; None where it was not sent."""
        return self.headers.get(name)

    def param(self, name: str) -> str | None:
        """The first value of a query parameter; None where it was not sent, "" for `?name`."""
        return self.params.get(name)

    def amz_headers(self) -> Iterator[tuple[str, str]]:
        """All `x-amz-*` headers, in the order of arrival."""
        return ((name, value) for name, value in self.headers.items() if name.startswith("x-amz-"))
