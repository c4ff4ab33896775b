"""JSON Web Tokens that name a session: how clients of the original carry their proof of two factors.

A token is signed with HS256, under a key that is derived from the secret keys (`gateway.access.vault`); `kid` says
from which of them. What it says of user, project and rights is for clients to read: what a request may do is decided
by the session that `jti` names, which can be ended.
"""

from __future__ import annotations

import jwt

from gateway.access.model import Session
from gateway.access.vault import Vault

_ALGORITHM = "HS256"
_CONTEXT = "caret 2026-11-21 web tokens"
_CLAIMS = ("exp", "iat", "jti", "user", "project")


class BadToken(Exception):
    """Not a token of ours, or altered."""


class TokenHasExpired(Exception):
    """It was ours, and its time is over."""


class WebTokens:
    """Immutable; safe to use from any thread."""

    def __init__(self, vault: Vault) -> None:
        self._keys = vault.derived(_CONTEXT)

    def issue(self, session: Session, kind: str) -> str:
        """Ends when the session does. `kind` is what it was asked for as: `s3import`, `s3export`."""
        key_id, key = next(iter(self._keys.items()))
        claims = {
            "user": session.user,
            "project": session.project,
            "name": kind,
            "rights": sorted(right.value for right in session.rights),
            "iat": session.created_us // 1_000_000,
            "exp": session.expires_us // 1_000_000,
            "jti": session.access_key,
        }
        return jwt.encode(claims, key, _ALGORITHM, headers={"kid": key_id})

    def session_of(self, token: str) -> str:
        """The access key of the session that it names. Raises BadToken, TokenHasExpired."""
        if not token.isascii():  # PyJWT would fail on the surrogates of headers that are not UTF-8
            raise BadToken
        try:
            key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                raise BadToken
            claims = jwt.decode(token, key, [_ALGORITHM], options={"require": list(_CLAIMS)})
        except jwt.ExpiredSignatureError as exc:
            raise TokenHasExpired from exc
        except jwt.InvalidTokenError as exc:
            raise BadToken from exc
        return str(claims["jti"])
