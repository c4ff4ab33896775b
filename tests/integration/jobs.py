"""The job API as a program uses it: any method, path and headers, and what comes back as JSON."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from .server import Server, until

Document = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a refusal."""
        return str(self.json["error"]["code"])


@dataclass(frozen=True)
class JobApi:
    server: Server
    headers: Mapping[str, str] = field(default_factory=dict)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.console_port, timeout=30)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Header names with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, {**self.headers, **named})
            reply = connection.getresponse()
            return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def get(self, path: str, **parameters: object) -> Answer:
        return self.ask("GET", f"{path}?{urlencode(parameters)}" if parameters else path)

    def post(self, path: str, document: object) -> Answer:
        return self.ask("POST", path, json.dumps(document).encode(), Content_Type="application/json")

    def start(self, source: str, dest: str, **further: object) -> int:
        answer = self.get("/sync", source=source, dest=dest, **further)
        assert answer.status == 200, answer
        return int(answer.json["id"])

    def job(self, number: int) -> Document:
        found: Document = self.get("/get", id=number).json
        return found

    def ended(self, number: int, wait_s: float = 30) -> Document:
        until(lambda: self.job(number)["state"] != "running", wait_s, f"job {number} to end")
        return self.job(number)

    def done(self, number: int, wait_s: float = 30) -> Document:
        found = self.ended(number, wait_s)
        assert (found["status"], found["progress"]) == ("success", "100%"), found
        return found

    def has_written(self, number: int) -> Document:
        """Once something is done of it, while it runs."""
        until(lambda: self.job(number)["files_done"] > 0, 20, f"job {number} to write")
        return self.job(number)

    def events(self, number: int, **headers: str) -> Iterator[tuple[str, Document]]:
        """Kind and job, until the stream ends."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", f"/api/v1/jobs/{number}/events", headers={**self.headers, **headers})
            reply = connection.getresponse()
            assert (reply.status, reply.getheader("Content-Type")) == (200, "text/event-stream"), reply.read()
            kind = ""
            for line in reply:
                if line.startswith(b"event: "):
                    kind = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    yield kind, json.loads(line[6:])
