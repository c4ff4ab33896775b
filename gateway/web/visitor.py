"""Who is logged in, as a cookie holds it: sealed, so that the console keeps nothing and a restart logs nobody out.

    cookie = base64url(sealed JSON)

The browser can neither read nor alter it. It holds the credentials that the gateway is asked with: for people those of
a session, which an administrator can end, and for accounts their access key.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time

import msgspec
from aiohttp import web

from gateway.access.model import NewSession
from gateway.access.vault import Vault, VaultError
from gateway.client import Credentials

COOKIE = "caret_console"
_PURPOSE = "console visitor"
_CSRF_BYTES = 16


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """`name` and `project` are what pages show; what is allowed the gateway says. `is_operator`: root; both marks are
    made anew for each request. `csrf`: what every form and script of his must send back. `expires_s`: seconds since the
    epoch."""

    name: str
    project: str
    access_key: str
    secret_key: str
    expires_s: int
    token: str | None = None
    is_admin: bool = False
    is_operator: bool = False
    csrf: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(_CSRF_BYTES))

    def __repr__(self) -> str:
        return f"Visitor({self.name!r}, {self.project!r})"

    @classmethod
    def of_session(cls, made: NewSession) -> Visitor:
        return cls(
            name=made.session.user,
            project=made.session.project,
            access_key=made.session.access_key,
            secret_key=made.secret,
            token=made.token,
            expires_s=made.session.expires_us // 1_000_000,
        )

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.access_key, self.secret_key, self.token)


_decoder = msgspec.json.Decoder(Visitor)


def seal(visitor: Visitor, vault: Vault) -> str:
    sealed = vault.seal(msgspec.json.encode(visitor).decode(), _PURPOSE)
    return base64.urlsafe_b64encode(sealed).decode()


def keep(response: web.StreamResponse, visitor: Visitor, vault: Vault, *, is_secure: bool) -> None:
    """Has the browser send him back with each request, but for those that another site makes it send."""
    response.set_cookie(
        COOKIE,
        seal(visitor, vault),
        max_age=max(0, visitor.expires_s - int(time.time())),
        httponly=True,
        samesite="Strict",
        secure=is_secure,
        path="/",
    )


def unseal(cookie: str, vault: Vault, now_s: float) -> Visitor | None:
    """None for what is no cookie of ours, or one that has expired."""
    try:
        visitor = _decoder.decode(vault.open(base64.urlsafe_b64decode(cookie), _PURPOSE))
    except (binascii.Error, ValueError, VaultError):  # msgspec's errors are ValueErrors
        return None
    return visitor if now_s < visitor.expires_s else None
