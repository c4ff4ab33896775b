"""The console asked without a browser: what no page of ours would send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import urllib3

from tests.integration.server import Server


@dataclass(frozen=True)
class Plain:
    """Somebody who is logged in. `csrf` is his token."""

    pool: urllib3.PoolManager
    base: str
    cookie: str
    csrf: str

    def ask(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        sent = {"Cookie": self.cookie, "Accept": "text/html", **(headers or {})}
        return self.pool.request(method, f"{self.base}{path}", body=body, headers=sent, redirect=False)

    def post(self, path: str, **fields: str) -> urllib3.BaseHTTPResponse:
        """As a form does, with the token unless told otherwise."""
        return self.ask(
            "POST",
            path,
            urlencode({"csrf": self.csrf, **fields}),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )


@contextmanager
def logged_in(server: Server, name: str, password: str) -> Iterator[Plain]:
    ca_certs = str(server.certificate.path) if server.certificate else None
    with urllib3.PoolManager(retries=False, timeout=30, ca_certs=ca_certs) as pool:
        reply = pool.request(
            "POST",
            f"{server.console_url}/login",
            body=urlencode({"name": name, "password": password}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
        )
        assert reply.status == 303, reply.data
        cookie = reply.headers["set-cookie"].partition(";")[0]
        page = pool.request("GET", f"{server.console_url}/repos", headers={"Cookie": cookie}).data.decode()
        found = re.search(r'name="csrf" content="([^"]+)"', page)
        assert found is not None
        yield Plain(pool, server.console_url, cookie, found[1])
