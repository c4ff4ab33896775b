"""The console as a browser without scripts reaches it, and as whoever pretends to be one."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from html import unescape
from urllib.parse import urlencode

from .server import Server

FORM = "application/x-www-form-urlencoded"
PAGE = "text/html,application/xhtml+xml"


@dataclass
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return unescape(self.body.decode())

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")


@dataclass
class Visit:
    """Keeps the cookie that the console sets, and the token of the page seen last."""

    server: Server
    cookie: str = ""
    csrf: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept": PAGE})

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """`headers`: with underscores for hyphens; those that are "" are left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {**self.headers, **({"Cookie": self.cookie} if self.cookie else {}), **named}
        connection = self._connect()
        try:
            connection.request(method, path, body, {name: value for name, value in given.items() if value})
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        for cookie in reply.headers.get_all("Set-Cookie", []):
            self.cookie = "" if "Max-Age=0" in cookie else cookie.partition(";")[0]
        token = re.search(rb'name="csrf" content="([^"]+)"', reply.body)
        if token is not None:
            self.csrf = token[1].decode()
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Reply:
        """A form; the token of the page seen last goes along unless the fields have another."""
        sent = {**({"csrf": self.csrf} if self.csrf else {}), **fields}
        return self.send("POST", path, urlencode(sent).encode(), Content_Type=FORM, **headers)

    def log_in(self, name: str, password: str, code: str = "", project: str = "", then: str = "") -> Reply:
        """The pages are open to him from then on."""
        fields = {"name": name, "password": password, "code": code, "project": project, "then": then}
        reply = self.post("/login", fields)
        assert reply.status == 303, reply.text
        self.get("/me")
        return reply

    def _connect(self) -> http.client.HTTPConnection:
        port = self.server.console_port
        if self.server.certificate is None:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        context = ssl.create_default_context(cafile=str(self.server.certificate.path))
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
