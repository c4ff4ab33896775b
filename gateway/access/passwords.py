"""Passwords, hashed with Argon2id (RFC 9106) at argon2-cffi's recommended cost: some 50 ms and 64 MiB each time."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.access.errors import Illegal

_SHORTEST, _LONGEST = 8, 1024

_hasher = PasswordHasher()
# Of nobody's password: checked where there is no user, so that this takes as long as where there is one.
_DECOY = _hasher.hash("nobody's password")


def check_password(password: str) -> None:
    """Raises Illegal for one that is too short, or absurdly long."""
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise Illegal(f"a password has {_SHORTEST} to {_LONGEST} characters")


def hash_password(password: str) -> str:
    """Raises Illegal as `check_password` does."""
    check_password(password)
    return _hasher.hash(password)


def is_password(password: str, digest: str | None) -> bool:
    """Whether it is the one; never where `digest` is None, and in the same time."""
    try:
        _hasher.verify(_DECOY if digest is None else digest, password)
    except (VerificationError, InvalidHashError):
        return False
    return digest is not None
