"""The console as plain HTTP shows it to whoever is logged in: for what a browser would not send."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

from tests.integration.server import Server


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def links(self, text: str) -> list[str]:
        """The addresses of the links with this text."""
        return [unescape(at) for at in re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>{re.escape(text)}</a>', self.text)]


class Visitor:
    """Root, logged in."""

    def __init__(self, console: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", console.console_port or 0, timeout=30)
        self._cookie = ""
        entered = self.post("/login", {"name": console.access_key, "password": console.secret_key})
        self._cookie = entered.headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" content="([^"]*)"', self.get("/repos").text)
        assert found is not None
        self.csrf = found[1]

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> Answer:
        return self._send("GET", path)

    def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """With the token, unless the form has one."""
        token = {"csrf": self.csrf} if self._cookie else {}
        return self._send("POST", path, urlencode({**token, **form}).encode())

    def _send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        headers = {"Accept": "text/html", "Cookie": self._cookie}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode())
