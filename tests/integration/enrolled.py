"""Somebody with two factors and a key in a project that asks for both, as the original's clients log in."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pyotp
from botocore.config import Config

from gateway.access.directory import Directory
from gateway.access.model import NewKey, ProjectPolicy
from gateway.access.rights import Right

from .server import Server

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    document: dict[str, Any]


@dataclass
class Enrolled:
    server: Server
    directory: Directory
    project: str
    name: str
    key: NewKey
    api_key: str = ""

    def code(self) -> str:
        """A code that was not used yet, of a device enrolled just now: codes of one device come twice a minute."""
        return pyotp.TOTP(self.directory.enrol_totp(self.name)).now()

    def login(self, **changed: Any) -> dict[str, Any]:
        return {"user_name": self.name, "password": PASSWORD, "otp": changed.get("otp") or self.code(), **changed}

    def register(self) -> str:
        answer = call(self.server, "POST", f"/v1/{self.project}/auth/tsd/api_key", self.login())
        assert answer.status == 201, answer
        self.api_key = answer.document["api_key"]
        return self.api_key

    def ask_for_token(self, kind: str = "s3import", **changed: Any) -> Answer:
        bearer = {"Authorization": f"Bearer {self.api_key or self.register()}"}
        return call(
            self.server, "POST", f"/v1/{self.project}/auth/tsd/token?type={kind}", self.login(**changed), bearer
        )

    def token(self, kind: str = "s3import", **changed: Any) -> str:
        answer = self.ask_for_token(kind, **changed)
        assert answer.status == 201, answer
        return str(answer.document["token"])

    def s3(self, headers: Mapping[str, str], key: NewKey | None = None) -> Any:
        """boto3 with the long-lived key, and these headers on each request."""
        signed = key or self.key
        s3 = client_of(self.server, signed.key.access_key, signed.secret)
        s3.meta.events.register("before-sign.s3", lambda request, **_: _add(request.headers, headers))
        return s3

    def s3_with(self, token: str, **more: Any) -> Any:
        return self.s3({"token": token, "x-project-select": self.project}, **more)


def client_of(server: Server, access_key: str, secret_key: str, session_token: str | None = None) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=server.region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=session_token,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def _add(headers: Any, more: Mapping[str, str]) -> None:
    for name, value in more.items():
        headers[name] = value


def enrol(server: Server, directory: Directory, project: str, who: str, *rights: Right) -> Enrolled:
    """A new user `PROJECT-WHO`; the project is made where there is none."""
    if project not in [found.name for found in directory.projects()]:
        directory.create_project(project, ProjectPolicy(requires_session=True))
    name = f"{project}-{who}"
    directory.create_user(name, password=PASSWORD)
    for right in rights or (Right.IMPORT, Right.EXPORT):
        directory.grant(project, name, right)
    return Enrolled(server, directory, project, name, directory.create_key(project, name))


def call(
    server: Server, method: str, target: str, document: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """A request with a JSON body, bytes as they are."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with contextlib.closing(server.http()) as connection:
        connection.request(method, target, body, {"Content-Type": "application/json", **(headers or {})})
        reply: http.client.HTTPResponse = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, found, json.loads(reply.read() or b"{}"))
