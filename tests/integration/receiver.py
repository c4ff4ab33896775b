"""A real HTTP server in a thread that takes what webhooks are told, and answers as a test wants."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Told:
    """One delivery, as it arrived."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def commit(self) -> str:
        return str(self.document["commit"]["id"])

    def is_signed_with(self, secret: str) -> bool:
        signed = self.headers["X-Caret-Timestamp"].encode() + b"." + self.body
        expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, self.headers["X-Caret-Signature"])


class Receiver:
    """`answer` gives the status for a delivery; it may wait, too. `told` has all of them, `taken` those of 2xx."""

    def __init__(self, answer: Callable[[Told], int] = lambda _: 200) -> None:
        self.answer = answer
        self.told: list[Told] = []
        self.taken: list[Told] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = Told(time.monotonic(), self.path, dict(self.headers), body)
                receiver.told.append(told)
                status = receiver.answer(told)
                if status < 300:
                    receiver.taken.append(told)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: what was told is kept."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A gateway that is killed cuts its connections."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def commits(self) -> list[str]:
        return [told.commit for told in list(self.taken)]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
