"""What people may do for themselves: another password, another device, a session in another of their projects, and an
end to any session of theirs.

The first two take the present password and a present code, which is used up: a browser that was left alone, or a stolen
session, changes neither. A session of another project takes the present session, in whose place it comes. It has all
the rights that its user has there; it ends no later than the present one would have, and is as proven as that is, so
that a project of two factors is open to whoever gave both at his log-in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.access.directory import Directory
from gateway.access.errors import Forbidden, NotProven, Unknown
from gateway.access.keys import Held
from gateway.access.model import NewSession, Session
from gateway.access.passwords import check_password


@dataclass(frozen=True, slots=True)
class Oneself:
    """`directory` acts as the user. `address`: where he asks from; failures are counted for both."""

    directory: Directory
    user: str
    address: str

    def change_password(self, present: str, code: str, new: str) -> None:
        """Raises Illegal for what can be no password, before the code is looked at; NotProven."""
        check_password(new)
        self._prove(present, code)
        self.directory.set_password(self.user, new)

    def enrol_device(self, present: str, code: str) -> str:
        """The secret of a new device, in base32; told once, here. Codes of the old one count no more. Raises
        NotProven."""
        self._prove(present, code)
        return self.directory.enrol_totp(self.user)

    def _prove(self, password: str, code: str) -> None:
        self.directory.prove(self.user, code, password=password, address=self.address)

    def sessions(self) -> Sequence[Session]:
        """In force, in all projects; the oldest first."""
        return self.directory.sessions(user=self.user)

    def end_session(self, access_key: str) -> None:
        """Raises Unknown for those of others as for those that are over."""
        if not any(session.access_key == access_key for session in self.sessions()):
            raise Unknown("session", access_key)
        self.directory.end_session(access_key)

    def switch(self, access_key: str, project: str) -> NewSession:
        """Ends the session of this access key, and begins one in the project.

        Raises NotProven where the session is not his, or in force no more, Unknown where he has no rights in the
        project, Forbidden where that asks for more than the session has proven. If what was looked at changes in this
        very moment, the session has ended and none has begun: Illegal.
        """
        held, rights = self._held(access_key), self.directory.rights(project, self.user)
        if not rights:
            raise Unknown("project", project)
        policy = self.directory.project(project).policy
        if policy.requires_session and not held.proven:
            raise Forbidden(f"the project {project} asks for two factors: log out, and log in to it")
        try:
            self.directory.end_session(access_key)  # first: one that has just been ended by others begins none
        except Unknown as exc:
            raise _over() from exc
        return self.directory.begin_session(
            project,
            self.user,
            rights,
            policy.max_session_s,
            proven=bool(held.proven),
            until_us=held.expires_us,
        )

    def _held(self, access_key: str) -> Held:
        found = self.directory.held(access_key)
        if found is None:
            raise _over()
        held, user, *_ = found
        is_over = held.expires_us is None or held.expires_us <= time.time_ns() // 1000
        if user.name != self.user or is_over or held.disabled_us is not None or held.user_disabled_us is not None:
            raise _over()
        return held


def _over() -> NotProven:
    return NotProven("the session has ended: log in again")
