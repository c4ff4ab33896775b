"""One answer as a frozen value: what `render` makes and the server sends."""

from __future__ import annotations

from dataclasses import dataclass

# Filler for x-amz-id-2 and <HostId>, which must agree.
HOST_ID = "caret"


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and body of an answer.

    The server adds Date, Server, x-amz-request-id and x-amz-id-2, and Content-Length from
    `body`; only where the content travels beside the Response (GetObject, HeadObject) is a
    Content-Length among `headers`, and `body` is empty then. Values are any text without line
    breaks, so they go out as UTF-8.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
