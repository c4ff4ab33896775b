"""Logging in as clients of the original do: an API key, a password and a one-time code become a token.

    POST /v1/{project}/auth/tsd/api_key                      {user_name, password, otp}              → {api_key, …}
    POST /v1/{project}/auth/tsd/token?type=s3import|s3export {user_name, password, otp, duration_s?} → {token, …}

The first registers a client; its API key, as `Authorization: Bearer`, is what the second one asks for beside the two
factors. Registering may be a GET too, as the original's client makes it. The token is a JSON Web Token that names a
session; the session's own credentials come with it, for clients that have no header of their own to send.

Whether something may be is looked at before the code, so that no code is used up in vain. Everything here blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from gateway.access.directory import Directory
from gateway.access.errors import Illegal, NotProven, TooMany, Unknown
from gateway.access.model import HOUR_S, NewSession
from gateway.access.rights import Right

BUCKET = "v1"  # what the paths name where a bucket's name would be; it is too short to be one
MAX_BODY = 64 * 1024
KINDS: Mapping[str, Right] = {"s3import": Right.IMPORT, "s3export": Right.EXPORT}

_PATH = re.compile(r"(?P<project>[a-z0-9-]{1,63})/auth/tsd/(?P<what>token|api_key)")
_BEARER = re.compile(r"Bearer +([!-~]+)", re.IGNORECASE)
_Text = Annotated[str, msgspec.Meta(max_length=1024)]


class TsdError(Exception):
    """A refusal. `code` is for the log and the metrics."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})
        super().__init__(message)


class Login(msgspec.Struct, frozen=True):
    user_name: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[!-~]+$")]
    password: _Text
    otp: _Text
    duration_s: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __repr__(self) -> str:
        return f"Login({self.user_name!r})"


class ApiKey(msgspec.Struct, frozen=True):
    api_key: str
    user: str
    project: str
    expires: str


class TemporaryCredentials(msgspec.Struct, frozen=True):
    access_key: str
    secret_key: str
    session_token: str


class Token(msgspec.Struct, frozen=True):
    token: str
    expires: str
    credentials: TemporaryCredentials


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, parsed. `operation` names it in logs."""

    operation: str
    project: str
    login: Login
    api_key: str = field(default="", repr=False)
    kind: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    operation: str
    project: str


def route(method: str, path: str) -> Route:
    """`path`: what follows `/v1/`, decoded. Raises TsdError."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise TsdError(404, "NoSuchEndpoint", "There is nothing at this path.")
    methods = ("POST",) if match["what"] == "token" else ("GET", "POST")
    if method not in methods:
        raise TsdError(
            405, "MethodNotAllowed", f"This path takes {' and '.join(methods)}.", {"Allow": ", ".join(methods)}
        )
    return Route("TsdToken" if match["what"] == "token" else "TsdApiKey", match["project"])


def parse(to: Route, query: Mapping[str, str], authorization: str | None, body: bytes, address: str) -> Asked:
    """Raises TsdError, which repeats nothing of the body."""
    if to.operation == "TsdApiKey":
        return Asked(to.operation, to.project, _login(body), address=address)
    bearer = _BEARER.fullmatch(authorization or "")
    if bearer is None:
        raise TsdError(
            401, "Unauthorized", "Send your API key: Authorization: Bearer KEY.", {"WWW-Authenticate": "Bearer"}
        )
    kind = query.get("type", "")
    if kind not in KINDS:
        raise TsdError(400, "InvalidArgument", f"The parameter type must be one of {', '.join(KINDS)}.")
    return Asked(to.operation, to.project, _login(body), bearer[1], kind, address)


def _login(body: bytes) -> Login:
    try:
        return msgspec.json.decode(body, type=Login)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise TsdError(400, "InvalidBody", f"The body must be JSON with user_name, password and otp: {exc}.") from exc


class LoginService:
    """Thread-safe."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, asked: Asked) -> ApiKey | Token:
        """Raises TsdError and, where the database fails, StoreError."""
        answers: Mapping[str, Callable[[Asked], ApiKey | Token]] = {
            "TsdApiKey": self._register,
            "TsdToken": self._log_in,
        }
        try:
            return answers[asked.operation](asked)
        except TooMany as exc:
            raise TsdError(429, "TooManyAttempts", f"{exc}.", {"Retry-After": str(exc.retry_s)}) from exc
        except NotProven as exc:
            raise TsdError(401, "Unauthorized", f"{exc}.") from exc

    def known(self, user: str) -> str:
        """The name, if it is a user's, else "". Raises StoreError."""
        try:
            return self._directory.user(user).name
        except Unknown:
            return ""

    def _register(self, asked: Asked) -> ApiKey:
        self._prove(asked)
        user = asked.login.user_name
        if not self._is_member(asked.project, user):
            raise TsdError(403, "AccessDenied", f"{user} is no member of a project {asked.project}.")
        made = self._directory.create_api_key(asked.project, user)
        return ApiKey(made.text, made.user, made.project, _time(made.expires_us))

    def _is_member(self, project: str, user: str) -> bool:
        try:
            return bool(self._directory.rights(project, user))
        except Unknown:
            return False

    def _log_in(self, asked: Asked) -> Token:
        user, right = asked.login.user_name, KINDS[asked.kind]
        if self._directory.check_api_key(asked.api_key) != (user, asked.project):
            raise TsdError(403, "AccessDenied", "The API key is another user's, or of another project.")
        if right not in self._directory.rights(asked.project, user):
            raise TsdError(403, "AccessDenied", f"{user} has not the right to {right.value} in {asked.project}.")
        longest_s = self._directory.project(asked.project).policy.max_session_s
        duration_s = asked.login.duration_s or min(HOUR_S, longest_s)
        if duration_s > longest_s:
            raise TsdError(400, "InvalidArgument", f"A session of this project lasts {longest_s} s at most.")
        self._prove(asked)
        try:
            made = self._directory.begin_session(asked.project, user, frozenset({right}), duration_s)
        except Illegal as exc:  # what was looked at above has changed meanwhile
            raise TsdError(403, "AccessDenied", f"{exc}.") from exc
        return self._token(made, asked.kind)

    def _prove(self, asked: Asked) -> None:
        login = asked.login
        self._directory.prove(login.user_name, login.otp, password=login.password, address=asked.address)

    def _token(self, made: NewSession, kind: str) -> Token:
        session = made.session
        return Token(
            self._directory.web_tokens.issue(session, kind),
            _time(session.expires_us),
            TemporaryCredentials(session.access_key, made.secret, made.token),
        )


def _time(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
