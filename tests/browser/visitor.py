"""The console as plain HTTP shows it to whoever is logged in: for what a browser would not send."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode

from tests.integration.server import Server


@dataclass(frozen=True)
class Answer:
    """Headers' names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    def links(self, text: str) -> list[str]:
        """The addresses of the links with this text."""
        return [unescape(at) for at in re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>{re.escape(text)}</a>', self.text)]


class Visitor:
    """Root, logged in."""

    def __init__(self, console: Server) -> None:
        self._connection = console.http(console.console_port)
        self._cookie = ""
        entered = self.post("/login", {"name": console.access_key, "password": console.secret_key})
        self._cookie = entered.headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" content="([^"]*)"', self.get("/repos").text)
        assert found is not None
        self.csrf = found[1]

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, form: Mapping[str, str]) -> Answer:
        """With the token, unless the form has one."""
        token = {"csrf": self.csrf} if self._cookie else {}
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode({**token, **form}).encode(), sent)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Without the token, unless it is among the headers."""
        self._connection.request(method, path, body, {"Accept": "text/html", "Cookie": self._cookie, **(headers or {})})
        reply = self._connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def break_off(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """PUT with the beginning of a body, and gone."""
        with contextlib.closing(self._connection):
            self._connection.putrequest("PUT", path)
            for name, value in {"Cookie": self._cookie, **headers}.items():
                self._connection.putheader(name, value)
            self._connection.endheaders(body)
