"""Calls of the REST API over HTTP: signed, decoded, and refused as exceptions.

    connection = Connection("http://127.0.0.1:9000", Credentials("CARET…", "…"))
    repo = connection.call("get_repo", repo="photos")

`gateway.client.client` has a typed method per endpoint on top of it, and content through S3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from gateway.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from gateway.api.model import Input
from gateway.client.endpoint import open_pool, parse_endpoint
from gateway.s3.errors import MalformedXML
from gateway.s3.sigv4 import UNSIGNED_PAYLOAD, Credentials, sign_v4
from gateway.s3.xml import parse_xml

__all__ = ["Connection", "Credentials", "Refusal", "SizedBody", "Unreachable", "refusal_of"]

_TIMEOUT_S = 75.0  # longer than a feed waits
_STREAM_TIMEOUT_S = 60.0  # a stream that is alive says so more often
_S3_COMMON = ("Code", "Message", "Resource", "RequestId", "HostId")


class Refusal(Exception):
    """The gateway said no. `code` and `details` are as `gateway.api.errors` lists them."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any], request_id: str) -> None:
        self.status, self.code, self.message = status, code, message
        self.details, self.request_id = details, request_id
        super().__init__(f"{code}: {message}")


class Unreachable(Exception):
    """There is no gateway at the endpoint, or it went away; the message says which and where."""


@dataclass(frozen=True)
class SizedBody:
    """A body that is sent while it is read, or piece by piece. The gateway holds it against `sha256` before anything
    is written; without one whoever sends it makes sure of that otherwise."""

    stream: BinaryIO | Iterable[bytes]
    size: int
    sha256: str = UNSIGNED_PAYLOAD


class Connection:
    """A gateway as one user reaches it. Thread-safe; connections are kept and shared."""

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials,
        *,
        region: str = "us-east-1",
        ca_bundle: str | None = None,
        certificate: Path | None = None,
        connections: int = 8,
        address: str | None = None,
    ) -> None:
        """`connections` are kept at most. `address`: as `open_pool` says.

        Raises ValueError where `endpoint` is no http(s) URL without a path.
        """
        self.endpoint, self._host = parse_endpoint(endpoint)
        self._credentials, self._region = credentials, region
        self._pool = open_pool(self.endpoint, ca_bundle, certificate, connections=connections, address=address)

    def close(self) -> None:
        self._pool.close()

    def call(self, name: str, /, **fields: Any) -> Any:
        """Calls an endpoint with the fields of its Input; its Answer, None where it has none.

        Raises Refusal, Unreachable, and msgspec.ValidationError or TypeError for fields that the Input does not take.
        """
        endpoint = ENDPOINTS[name]
        path, query, body = _encode(endpoint, fields)
        reply = self.send(endpoint.method, path, query, body)
        if endpoint.answer is None:
            return None
        try:
            return msgspec.json.decode(reply.data, type=endpoint.answer)
        except msgspec.DecodeError as exc:
            raise Unreachable(f"what answers at {self.endpoint} is no gateway of this version: {exc}") from exc

    def follow(self, name: str, /, headers: Mapping[str, str] | None = None, **fields: Any) -> Iterator[Any]:
        """The answers of an endpoint that streams, as they come, until the gateway closes the connection.

        Raises as `call` does, and Refusal where the gateway says that there is nothing more to come.
        """
        endpoint = ENDPOINTS[name]
        named = {header: fields.pop(field, None) for field, header in endpoint.headers.items()}
        sent = {header: str(value) for header, value in named.items() if value is not None}
        path, query, body = _encode(endpoint, fields)
        reply = self.send(endpoint.method, path, query, body, {**sent, **(headers or {})}, stream=True)
        assert endpoint.answer is not None
        try:
            for kind, data in _events(reply):
                if kind == "end":
                    raise _ended(reply, data)
                yield msgspec.json.decode(data, type=endpoint.answer)
        except urllib3.exceptions.HTTPError as exc:
            raise Unreachable(f"the stream from {self.endpoint} ended: {exc}") from exc
        finally:
            reply.close()

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes | SizedBody = b"",
        headers: Mapping[str, str] | None = None,
        *,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Any signed request of the gateway, S3's too. Raises Refusal for an answer above 299, Unreachable.

        With `stream` the answer's body is the caller's to read and to close.
        """
        signed, _ = sign_v4(
            self._credentials,
            method,
            path,
            query,
            {"host": self._host, **{name.lower(): value for name, value in (headers or {}).items()}},
            now=datetime.now(UTC),
            region=self._region,
            payload_hash=body.sha256 if isinstance(body, SizedBody) else hashlib.sha256(body).hexdigest(),
        )
        if isinstance(body, SizedBody):
            signed["content-length"] = str(body.size)
        try:
            reply = self._pool.urlopen(  # not request(), which would resolve the dots in a key such as a/../b
                method,
                f"{path}?{query}" if query else path,
                body=body.stream if isinstance(body, SizedBody) else body or None,
                headers={name: value.encode().decode("latin-1") for name, value in signed.items()},
                preload_content=not stream,
                decode_content=False,  # an object's Content-Encoding is its reader's
                timeout=_STREAM_TIMEOUT_S if stream else _TIMEOUT_S,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as exc:
            raise Unreachable(f"no gateway answers at {self.endpoint}: {exc}") from exc
        if reply.status >= 300:
            raise _refusal(reply)
        return reply


def _encode(endpoint: Endpoint, fields: Mapping[str, Any]) -> tuple[str, str, bytes]:
    """Path, query and body. What has its default is not sent, so that an older gateway is not asked what it
    does not know."""
    given = _given(msgspec.convert(dict(fields), endpoint.input))
    path = endpoint.path
    for name in endpoint.path_fields:
        path = path.replace(f"{{{name}}}", quote(given.pop(name), safe=""))
    if endpoint.has_body:
        return PREFIX + path, "", msgspec.json.encode(given)
    texts = {name: _text(value) for name, value in given.items() if value is not None}
    return PREFIX + path, urlencode(texts, quote_via=quote), b""


def _given(request: Input) -> dict[str, Any]:
    values = msgspec.to_builtins(request)
    defaults = {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(request)
    }
    return {name: value for name, value in values.items() if value != defaults[name]}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _refusal(reply: urllib3.BaseHTTPResponse) -> Refusal:
    try:
        body = reply.data
    except urllib3.exceptions.HTTPError:
        body = b""  # the status alone says enough
    return refusal_of(reply.status, reply.reason, reply.headers, body)


def refusal_of(status: int, reason: str | None, headers: Mapping[str, str], body: bytes) -> Refusal:
    """What an answer above 299 says: the REST API's JSON, S3's XML, or its status alone."""
    request_id = headers.get("x-amz-request-id", "")
    try:
        if body.lstrip().startswith(b"<"):
            return Refusal(status, *_s3_error(body), request_id)
        error = msgspec.json.decode(body)["error"]
        return Refusal(status, error["code"], error["message"], error["details"], request_id)
    except (msgspec.DecodeError, MalformedXML, KeyError, TypeError):
        return Refusal(status, f"HTTP {status}", reason or "no reason given", {}, request_id)


def _s3_error(body: bytes) -> tuple[str, str, Mapping[str, str]]:
    """Code, message and further elements of S3's error document. Raises MalformedXML, KeyError."""
    fields = {child.name: child.text for child in parse_xml(body, "Error").children}
    details = {name: text for name, text in fields.items() if name not in _S3_COMMON}
    return fields["Code"], fields["Message"], details


def _ended(reply: urllib3.BaseHTTPResponse, data: bytes) -> Refusal:
    end = msgspec.json.decode(data)
    return Refusal(reply.status, end["code"], end["message"], {}, reply.headers.get("x-amz-request-id", ""))


def _events(reply: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, bytes]]:
    """Kind and data of server-sent events (WHATWG HTML, section 9.2); comments, which keep it alive, are left out."""
    held, kind = b"", ""
    data: list[bytes] = []
    while chunk := reply.read1(65_536):
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif line.startswith(b"event:"):
                kind = line[6:].strip().decode()
            elif not line:
                if data:
                    yield kind, b"\n".join(data)
                kind, data = "", []
