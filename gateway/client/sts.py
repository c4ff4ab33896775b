"""STS over HTTP, as a person with a long-lived key asks for sessions.

sts = Sts("http://127.0.0.1:9000", Credentials("CARET…", "…"))
issued = sts.session_token(factor=SecondFactor("ann", "123456"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import urllib3

from gateway.client.endpoint import open_pool, parse_endpoint
from gateway.s3.errors import MalformedXML
from gateway.s3.sigv4 import Credentials, sign_v4
from gateway.s3.xml import Element, parse_xml
from gateway.sts.errors import NO_CODE
from gateway.sts.operations import Identity, Issued, Role, SecondFactor
from gateway.sts.parse import VERSION

_TIMEOUT_S = 30.0


class StsRefusal(Exception):
    """STS said no."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{message} ({code})")

    @property
    def needs_code(self) -> bool:
        """Whether it says so because no one-time code was given."""
        return self.code == "AccessDenied" and self.message == NO_CODE


class NoSts(Exception):
    """Nothing answers at the endpoint, or nothing that is STS; the message says which and where."""


class Sts:
    """Raises StsRefusal and NoSts."""

    def __init__(
        self, endpoint: str, credentials: Credentials, *, region: str = "us-east-1", ca_bundle: str | None = None
    ) -> None:
        """Raises ValueError where `endpoint` is no http(s) URL without a path."""
        self.endpoint, self._host = parse_endpoint(endpoint)
        self._credentials, self._region = credentials, region
        self._pool = open_pool(self.endpoint, ca_bundle)

    def close(self) -> None:
        self._pool.close()

    def identity(self) -> Identity:
        result = self._call("GetCallerIdentity", {})
        return Identity(_text(result, "Arn"), _text(result, "UserId"), _text(result, "Account"))

    def session_token(self, *, duration_s: int | None = None, factor: SecondFactor | None = None) -> Issued:
        return _issued(self._call("GetSessionToken", _terms(duration_s, factor)))

    def assume_role(
        self, role: Role, session_name: str, *, duration_s: int | None = None, factor: SecondFactor | None = None
    ) -> Issued:
        named = {"RoleArn": str(role), "RoleSessionName": session_name}
        return _issued(self._call("AssumeRole", {**named, **_terms(duration_s, factor)}))

    def _call(self, action: str, terms: Mapping[str, str]) -> Element:
        """The action's result."""
        body = urlencode({"Action": action, "Version": VERSION, **terms}).encode()
        signed, _ = sign_v4(
            *(self._credentials, "POST", "/", ""),
            {"host": self._host, "content-type": "application/x-www-form-urlencoded"},
            now=datetime.now(UTC),
            region=self._region,
            service="sts",
            payload_hash=hashlib.sha256(body).hexdigest(),
        )
        try:
            reply = self._pool.urlopen("POST", "/", body=body, headers=signed, timeout=_TIMEOUT_S, redirect=False)
        except urllib3.exceptions.HTTPError as exc:
            raise NoSts(f"nothing answers at {self.endpoint}: {exc}") from exc
        try:
            if reply.status >= 300:
                raise _refusal(parse_xml(reply.data, "ErrorResponse"))
            return _child(parse_xml(reply.data, f"{action}Response"), f"{action}Result")
        except MalformedXML as exc:
            raise NoSts(f"what answers at {self.endpoint} is no STS: status {reply.status}") from exc


def _terms(duration_s: int | None, factor: SecondFactor | None) -> dict[str, str]:
    terms = {} if duration_s is None else {"DurationSeconds": str(duration_s)}
    return terms if factor is None else {**terms, "SerialNumber": factor.user, "TokenCode": factor.code}


def _refusal(document: Element) -> StsRefusal:
    error = _child(document, "Error")
    return StsRefusal(_text(error, "Code"), _text(error, "Message"))


def _issued(result: Element) -> Issued:
    given = _child(result, "Credentials")
    try:
        expires = datetime.fromisoformat(_text(given, "Expiration"))
    except ValueError as exc:
        raise MalformedXML from exc
    return Issued(_text(given, "AccessKeyId"), _text(given, "SecretAccessKey"), _text(given, "SessionToken"), expires)


def _child(parent: Element, name: str) -> Element:
    found = parent.find(name)
    if found is None:
        raise MalformedXML
    return found


def _text(parent: Element, name: str) -> str:
    return _child(parent, name).text
