"""Principals and the access keys that speak for them.

Today they are fixed at start: `root`, and the accounts of the configuration file. Nothing
outside this package asks who is calling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.access.credentials import Credentials, Secret, root_credentials
from gateway.access.rights import NO_RIGHTS, Right, Rights
from gateway.config import Account, Config, ConfigError

DEFAULT_PROJECT = "default"
MEMBER: Rights = frozenset({Right.MEMBER})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `id` and `display_name` are what S3 shows as Owner and Initiator. `rights` are those that this
    request comes with; `session` is the access key of the session that it was made in, "" for a plain key.
    `export_buckets` are the project's, by name, None where all are. `is_confined`: whoever has not signed finds nothing
    open in this project, whatever ACLs and policies say. `audits_everything`: all requests are recorded."""

    id: str
    display_name: str
    project: str
    is_anonymous: bool = False
    is_admin: bool = False  # of the project: owns all that is in it, beside its owners
    rights: Rights = MEMBER
    user: str = ""
    session: str = ""
    export_buckets: tuple[str, ...] | None = None
    is_confined: bool = False
    audits_everything: bool = False


# S3's canonical user ids have 64 hex digits; this one is the same in every gateway of a store.
ROOT = Principal(
    hashlib.sha256(b"caret:root").hexdigest(),
    "root",
    DEFAULT_PROJECT,
    is_admin=True,
    rights=frozenset({Right.ADMIN}),
    user="root",
)

# Whoever has not signed. The id is the one that S3 shows as the owner of what such callers put.
ANONYMOUS = Principal(
    "65a011a29cdf8ec533ec3d1ccaae921c", "anonymous", DEFAULT_PROJECT, is_anonymous=True, rights=NO_RIGHTS
)


class Accounts:
    """Access key → secret and principal. Immutable: safe to ask from anywhere, and quick."""

    def __init__(self, root: Credentials, accounts: Iterable[Account] = ()) -> None:
        """Raises ConfigError where an account bears root's access key."""
        self._known: dict[str, tuple[Secret, Principal]] = {root.access_key: (root.secret_key, ROOT)}
        for account in accounts:
            if account.access_key == root.access_key:
                raise ConfigError(f"accounts: the access key {root.access_key!r} is root's")
            principal = Principal(account.id, account.display_name, account.project)
            self._known[account.access_key] = (Secret(account.secret_key), principal)

    @classmethod
    def from_config(cls, config: Config) -> Accounts:
        """Raises CredentialsError or ConfigError. May create the root credentials' file."""
        root = root_credentials(config.data, config.root_access_key, config.root_secret_key)
        return cls(root, config.accounts)

    def secret_for(self, access_key: str) -> Secret | None:
        """The secret that signs for `access_key`; None where nobody has it."""
        known = self._known.get(access_key)
        return known[0] if known else None

    def principal_for(self, access_key: str) -> Principal:
        """Whom `access_key` speaks for. KeyError where `secret_for` would say None."""
        return self._known[access_key][1]
