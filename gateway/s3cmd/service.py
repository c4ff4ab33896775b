"""A gateway over HTTP: its token endpoints, and S3 with a session."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3

from gateway.s3.errors import MalformedXML
from gateway.s3.sigv4 import Credentials, sign_v4
from gateway.s3.xml import Element, parse_xml
from gateway.s3cmd.exits import CONFIG, DENIED, FAILED, UNREACHABLE, Leave
from gateway.s3cmd.files import Session

_TIMEOUT_S = 60.0
_BLOCK = 256 * 1024
_REGION = "us-east-1"  # a signature for it is right everywhere
_MAX_XML = 16 * 1024 * 1024


class Refused(Exception):
    """S3 said no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(f"{code}: {message}")


class Gateway:
    def __init__(self, endpoint: str, ca_certs: str = "") -> None:
        """Raises Leave where `endpoint` is none."""
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise Leave(CONFIG, f"{endpoint!r} is no endpoint such as https://s3.example.org.")
        self.endpoint, self._host = f"{parts.scheme}://{parts.netloc}", parts.netloc
        tls = {"ca_certs": ca_certs} if parts.scheme == "https" and ca_certs else {}
        self._pool = urllib3.connection_from_url(
            self.endpoint, retries=False, timeout=_TIMEOUT_S, blocksize=_BLOCK, **tls
        )

    @property
    def is_private(self) -> bool:
        """Whether what is sent stays between here and there."""
        parts = urlsplit(self.endpoint)
        return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")

    # ------------------------------------------------------------ logging in

    def register(self, project: str, login: Mapping[str, Any]) -> str:
        """An API key. Raises Leave."""
        return str(self._ask(f"/v1/{quote(project, safe='')}/auth/tsd/api_key", login, {})["api_key"])

    def log_in(self, project: str, kind: str, api_key: str, login: Mapping[str, Any]) -> Session:
        """Raises Leave."""
        path = f"/v1/{quote(project, safe='')}/auth/tsd/token?type={kind}"
        answer = self._ask(path, login, {"Authorization": f"Bearer {api_key}"})
        expires = datetime.fromisoformat(answer["expires"]).timestamp()
        return Session(self.endpoint, answer["token"], expires=expires, **answer["credentials"])

    def _ask(self, path: str, document: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        body = msgspec.json.encode(document)
        reply = self._send("POST", path, {"Content-Type": "application/json", **headers}, body)
        try:
            answer = msgspec.json.decode(reply.data, type=dict[str, Any])
        except msgspec.DecodeError:
            raise Leave(
                UNREACHABLE, f"what answers at {self.endpoint} is no Caret gateway (HTTP {reply.status})."
            ) from None
        if reply.status >= 300:
            raise Leave(DENIED, answer.get("message") or f"refused with HTTP {reply.status}.")
        return answer

    # ------------------------------------------------------------ S3

    def is_in_force(self, session: Session) -> bool:
        """Whether the gateway still takes the session: it may have been ended."""
        try:
            self.s3(session, "GET", "/", tries=1)
        except Refused as exc:
            return exc.code not in ("InvalidToken", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch")
        return True

    def s3(
        self,
        session: Session,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        *,
        digest: str | None = None,
        length: int = 0,
        tries: int = 5,
    ) -> urllib3.BaseHTTPResponse:
        """`path` is not encoded yet. A body that is no bytes comes with its SHA-256 and its length, and can be read
        more than once. Tried again where the connection breaks or the gateway is busy. Raises Refused, Leave."""
        raw_path, raw_query = quote(path, safe="/-_.~"), urlencode(query or {}, quote_via=quote)
        credentials = Credentials(session.access_key, session.secret_key, session.session_token)
        if isinstance(body, bytes):
            digest, length = hashlib.sha256(body).hexdigest(), len(body)
        assert digest is not None
        for attempt in range(1, tries + 1):
            is_last = attempt == tries
            headers, _ = sign_v4(
                credentials,
                method,
                raw_path,
                raw_query,
                {"host": self._host, "content-length": str(length)},
                now=datetime.now(UTC),
                region=_REGION,
                payload_hash=digest,
            )
            try:
                reply = self._send(method, f"{raw_path}?{raw_query}" if raw_query else raw_path, headers, body)
            except Leave:
                if is_last:
                    raise
            else:
                if reply.status < 300:
                    return reply
                if reply.status < 500 or is_last:
                    raise _refusal(reply)
            time.sleep(0.2 * 2**attempt)
        raise AssertionError

    def xml(self, session: Session, root: str, path: str, query: Mapping[str, str]) -> Element:
        reply = self.s3(session, "GET", path, query)
        try:
            return parse_xml(reply.data, root, max_bytes=_MAX_XML)
        except MalformedXML as exc:
            raise Leave(FAILED, f"the answer of {self.endpoint} is not S3's.") from exc

    def _send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Iterable[bytes]
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.urlopen(method, target, body=body or None, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as exc:
            raise Leave(UNREACHABLE, f"no gateway answers at {self.endpoint}: {exc}") from exc


def _refusal(reply: urllib3.BaseHTTPResponse) -> Refused:
    try:
        error = parse_xml(reply.data, "Error")
    except MalformedXML:
        return Refused(reply.status, f"HTTP {reply.status}", reply.reason or "no reason was given")
    return Refused(reply.status, error.child_text("Code") or "", error.child_text("Message") or "")
