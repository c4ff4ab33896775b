"""Secrets at rest: encrypted with AES-256-GCM, under a key that is not in the database.

    sealed = key id (4 bytes) ‖ nonce (12 bytes) ‖ ciphertext and tag

A key's id is the beginning of its BLAKE3. `purpose` (which record the secret belongs to) is authenticated: a sealed
secret that was moved to another record does not open. Keys are texts of 64 hex digits, one a line, the newest first:
it seals, all of them open. To rotate, put a new line on top and run `caret key rotate`; then the others can go.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.access.kept import create_once

FILE_NAME = "secret-keys"

_KEY = re.compile(r"[0-9a-fA-F]{64}")
_ID_SIZE, _NONCE_SIZE = 4, 12


class VaultError(Exception):
    """The keys cannot be had, or a secret does not open with any of them; the message says what to do."""


class Vault:
    """Immutable; safe to use from any thread."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: 32 bytes each, at least one; the first one seals."""
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])
        self._keys = {_key_id(key).hex(): key for key in keys}

    def seal(self, secret: str, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE_SIZE)
        return self._newest + nonce + self._ciphers[self._newest].encrypt(nonce, secret.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """Raises VaultError where the key is unknown, or the text or its purpose is another."""
        key_id, rest = sealed[:_ID_SIZE], sealed[_ID_SIZE:]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise VaultError(
                f"the key {key_id.hex()}, which sealed the secret of {purpose}, is not among the secret keys"
            )
        try:
            return cipher.decrypt(rest[:_NONCE_SIZE], rest[_NONCE_SIZE:], purpose.encode()).decode()
        except InvalidTag as exc:
            raise VaultError(f"the secret of {purpose} was altered") from exc

    def derived(self, context: str) -> Mapping[str, bytes]:
        """A key of 32 bytes for another purpose, from each of ours: by key id in hex, the newest first."""
        return {key_id: blake3(key, derive_key_context=context).digest() for key_id, key in self._keys.items()}

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        return sealed[:_ID_SIZE] == self._newest


def open_vault(data: Path, keys: str | None = None) -> Vault:
    """With the keys given as text, else those kept in `<data>/secret-keys`, where one is made if there is none.

    When it returns, a key that was made is on disk. Raises VaultError.
    """
    if keys is not None:
        return Vault(parse_keys(keys, "the setting secret_keys"))
    path = data / FILE_NAME
    try:
        if not path.exists():
            create_once(path, secrets.token_hex(32) + "\n")
        return Vault(parse_keys(path.read_text(encoding="ascii"), str(path)))
    except (OSError, UnicodeDecodeError) as exc:
        raise VaultError(f"the secret keys in {path} cannot be kept or read: {exc}") from exc


def parse_keys(text: str, origin: str) -> Sequence[bytes]:
    """Raises VaultError, which does not repeat the text."""
    lines = [line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()]
    if not lines or not all(_KEY.fullmatch(line) for line in lines):
        raise VaultError(f"{origin} must hold keys of 64 hex digits, one a line, the newest first")
    return [bytes.fromhex(line) for line in lines]


def _key_id(key: bytes) -> bytes:
    return blake3(key).digest(_ID_SIZE)
