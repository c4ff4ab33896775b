"""Where a gateway is, and connections to it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3


def parse_endpoint(endpoint: str) -> tuple[str, str]:
    """Scheme and authority, and the authority alone, which requests are signed for.

    Raises ValueError for what is no http(s) URL without a path.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{endpoint!r} is not an endpoint such as http://127.0.0.1:9000")
    return f"{parts.scheme}://{parts.netloc}", parts.netloc


def open_pool(
    endpoint: str,
    ca_bundle: str | None,
    certificate: Path | None = None,
    *,
    connections: int = 8,
    address: str | None = None,
) -> urllib3.HTTPConnectionPool:
    """`ca_bundle`: a file of the authorities that vouch for it, in place of the system's. `certificate`: a file with
    the one certificate that is accepted, whatever names it bears. Nothing is tried twice.

    `address`: connections go to this IP address; the certificate still has to be the endpoint's name's.
    """
    options: dict[str, Any] = {"maxsize": connections, "retries": False}
    parts = urlsplit(endpoint)
    if parts.scheme == "https":
        if certificate is not None:
            options |= {"ssl_context": only(certificate), "assert_hostname": False}
        elif ca_bundle:
            options["ca_certs"] = ca_bundle
        if address is not None:
            options = {"server_hostname": parts.hostname, "assert_hostname": parts.hostname, **options}
    if address is not None:
        host = f"[{address}]" if ":" in address else address
        endpoint = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    return urllib3.connection_from_url(endpoint, **options)


def only(certificate: Path) -> ssl.SSLContext:
    """Accepts that one certificate, whatever names it bears."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it is no authority's, and vouches for itself alone
    return context
