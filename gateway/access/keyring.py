"""Access key → secret and principal, for every request: quick, and never older than `FRESH_S`.

Answers are kept for as long as the directory's generation stays the same, which is looked at once per `FRESH_S`: a
key that was disabled, a right that was revoked, a session that was ended stops working everywhere within that time.
Expiry is looked at on every request.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.access.directory import Directory, token_digest
from gateway.access.errors import Unknown
from gateway.access.model import OPEN, ProjectPolicy
from gateway.access.principals import ANONYMOUS, DEFAULT_PROJECT, ROOT, Accounts, Principal
from gateway.access.rights import Right, parse_rights

FRESH_S = 1.0

_MOST = 10_000  # keys, known or not: a flood of guesses takes no more memory than this


@dataclass(frozen=True, slots=True)
class Credential:
    """What an access key is good for. A session's has the digest of the token that must come with it, and an end;
    it may be `is_proven` by a second factor, and have `assumed` a role (`role/session-name`)."""

    secret: str = field(repr=False)
    principal: Principal
    policy: ProjectPolicy = OPEN
    digest: bytes | None = None
    expires_us: int | None = None
    is_proven: bool = False
    assumed: str = ""

    @property
    def is_session(self) -> bool:
        return self.digest is not None

    def is_its(self, token: str) -> bool:
        """Whether this is the session's token."""
        return self.digest is not None and hmac.compare_digest(token_digest(token), self.digest)

    def has_expired(self, now_us: int) -> bool:
        return self.expires_us is not None and now_us >= self.expires_us


class Keyring:
    """The accounts of the configuration, then the directory. One per process, used by one thread at a time."""

    def __init__(self, accounts: Accounts, directory: Directory, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts, self._directory, self._clock = accounts, directory, clock
        self._known: dict[str, Credential | None] = {}
        self._anonymous: Principal | None = None
        self._generation, self._looked_at = -1, -FRESH_S

    def find(self, access_key: str) -> Credential | None:
        """None where nobody has the key, it was disabled, its user was, or its session was ended."""
        self._refresh()
        try:
            return self._known[access_key]
        except KeyError:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[access_key] = self._look_up(access_key)
            return found

    def find_by_token(self, token: str) -> Credential | None:
        """The session that a web token names; None where there is none. Raises BadToken, TokenHasExpired."""
        found = self.find(self._directory.web_tokens.session_of(token))
        return found if found is not None and found.is_session else None

    def anonymous(self) -> Principal:
        """Whoever has not signed, who asks in the default project: nothing is open to him where that is one of two
        factors."""
        self._refresh()
        if self._anonymous is None:
            policy = self._directory.project(DEFAULT_PROJECT).policy
            self._anonymous = replace(
                ANONYMOUS, is_confined=policy.requires_session, audits_everything=policy.audits_everything
            )
        return self._anonymous

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._looked_at >= FRESH_S:
            self._looked_at = now
            generation = self._directory.generation()
            if generation != self._generation:
                self._generation = generation
                self._known.clear()
                self._anonymous = None

    def _policy_for(self, account: Principal) -> ProjectPolicy:
        """Of its project, where the directory has that."""
        try:
            return self._directory.project(account.project).policy
        except Unknown:
            return OPEN

    def _look_up(self, access_key: str) -> Credential | None:
        secret = self._accounts.secret_for(access_key)
        if secret is not None:
            principal = self._accounts.principal_for(access_key)
            policy = self._policy_for(principal)
            audited = replace(principal, audits_everything=policy.audits_everything)
            # root is never locked out: it has no second factor
            return Credential(secret, audited, OPEN if principal is ROOT else policy)
        found = self._directory.held(access_key)
        if found is None:
            return None
        held, user, project, rights, sealed = found
        if held.disabled_us is not None or held.user_disabled_us is not None:
            return None
        if held.granted is not None:
            rights &= parse_rights(held.granted)
        principal = Principal(
            user.canonical_id,
            user.display_name,
            project.name,
            is_admin=Right.ADMIN in rights,
            rights=rights,
            user=user.name,
            session=access_key if held.digest is not None else "",
            export_buckets=project.policy.export_buckets,
            audits_everything=project.policy.audits_everything,
        )
        return Credential(
            sealed, principal, project.policy, held.digest, held.expires_us, bool(held.proven), held.assumed
        )
