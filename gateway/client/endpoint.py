"""Where a gateway is, and connections to it."""

from __future__ import annotations

from urllib.parse import urlsplit

import urllib3

_CONNECTIONS = 8


def parse_endpoint(endpoint: str) -> tuple[str, str]:
    """Scheme and authority, and the authority alone, which requests are signed for.

    Raises ValueError for what is no http(s) URL without a path.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{endpoint!r} is not an endpoint such as http://127.0.0.1:9000")
    return f"{parts.scheme}://{parts.netloc}", parts.netloc


def open_pool(endpoint: str, ca_bundle: str | None) -> urllib3.HTTPConnectionPool:
    """`ca_bundle`: a file of the authorities that vouch for it, in place of the system's; nothing is tried twice."""
    if ca_bundle and endpoint.startswith("https:"):
        return urllib3.connection_from_url(endpoint, maxsize=_CONNECTIONS, retries=False, ca_certs=ca_bundle)
    return urllib3.connection_from_url(endpoint, maxsize=_CONNECTIONS, retries=False)
