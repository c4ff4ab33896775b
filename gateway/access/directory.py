"""The directory: projects, people, their rights and keys. One object through which they are read and changed.

Calls are synchronous and may be made from any thread; what changes something is on disk when it returns. Whatever
requests are decided by changes the directory's generation, so that caches of other processes can tell
(`gateway.access.keyring`). Raises DirectoryError and, where the database fails, StoreError.
"""

from __future__ import annotations

import copy
import hashlib
import os
import pwd
import re
import secrets
import string
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from blake3 import blake3
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import URL, make_url

from gateway.access import attempts, chain, keys, projects, totp, users
from gateway.access.chain import Record
from gateway.access.errors import Exists, Illegal, NotProven, TooMany, Unknown
from gateway.access.keys import Held
from gateway.access.model import (
    DAY_S,
    Key,
    Member,
    NewApiKey,
    NewKey,
    NewSession,
    Project,
    ProjectPolicy,
    Session,
    User,
)
from gateway.access.passwords import hash_password, is_password
from gateway.access.principals import DEFAULT_PROJECT
from gateway.access.rights import NO_RIGHTS, Right, Rights
from gateway.access.tables import generations
from gateway.access.vault import Vault
from gateway.access.web_tokens import WebTokens
from pfs.sql import Connection, Database, Statement, Steps, upgrade

KEEP_EXPIRED_S = 7 * DAY_S

STEPS = Steps("migrations.gateway", "gateway_version")

_WRITER_LOCK = 0x67617465  # "gate"
_KEY_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits  # no '/', no '+': some tools put secrets into URLs unescaped
_API_KEY_S = 365 * 86_400
_PROJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_USER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?")
_LONGEST_DISPLAY_NAME = 128
_GENERATION = Statement(select(generations.c.number).where(generations.c.name == "directory"))
_NEXT_GENERATION = Statement(
    update(generations).where(generations.c.name == "directory").values(number=generations.c.number + 1)
)
_FIRST_GENERATION = Statement(insert(generations).values(name="directory", number=bindparam("number")))


def open_directory(data: Path, database_url: str | None, vault: Vault) -> Directory:
    """Opens it, making or upgrading its tables if need be; the project `default` is always there."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = make_url(database_url) if database_url else None
    if url is None or url.get_backend_name() == "sqlite":
        url = URL.create("sqlite", database=str(data / "gateway.db"))
    database = Database(url, data / "gateway.lock", _WRITER_LOCK)
    try:
        upgrade(database, STEPS)
        directory = Directory(database, vault)
        directory.ensure_default()
    except BaseException:
        database.close()
        raise
    return directory


class Directory:
    """`now_us` is the clock: µs since the epoch.

    Every change is in the audit log, written with it or not at all: as the act of the machine's account that this
    process runs under, or of whomever `acting_as` names.
    """

    def __init__(self, database: Database, vault: Vault, now_us: Callable[[], int] | None = None) -> None:
        self.database, self._vault = database, vault
        self.web_tokens = WebTokens(vault)
        self._now_us = now_us or (lambda: time.time_ns() // 1000)
        self._actor = Record("", who=_account())

    def close(self) -> None:
        self.database.close()

    def acting_as(self, actor: Record) -> Directory:
        """The same directory, for changes that are somebody's: records of them say so as `actor` does, which has who he
        is, and where he asked from. It is closed with this one."""
        twin = copy.copy(self)
        twin._actor = actor
        return twin

    @contextmanager
    def _change(self, operation: str, *, project: str = "", **about: object) -> Iterator[Connection]:
        """A write transaction that others' caches learn of, and the audit log: what was done, to whom. No secrets."""
        act = replace(self._actor, operation=operation, outcome="allowed", project=project, about=about)
        with self.database.transaction() as conn:
            yield conn
            conn.run(_NEXT_GENERATION)
            chain.add(conn, [chain.prepare(act, self._now_us())])

    def generation(self) -> int:
        """Another number whenever something has changed that requests are decided by."""
        with self.database.connection() as conn:
            row = conn.one(_GENERATION)
            return int(row[0]) if row else 0

    def ensure_default(self) -> None:
        with self.database.connection() as conn:
            if projects.find_project(conn, DEFAULT_PROJECT) is not None:
                return
        with self.database.transaction() as conn:
            if projects.find_project(conn, DEFAULT_PROJECT) is None:
                conn.run(_FIRST_GENERATION, number=1)
                projects.insert_project(conn, DEFAULT_PROJECT, ProjectPolicy(), self._now_us())

    # ------------------------------------------------------------ projects

    def create_project(self, name: str, policy: ProjectPolicy) -> Project:
        """Raises Illegal, Exists."""
        if not _PROJECT_NAME.fullmatch(name):
            raise Illegal(f"{name!r} is no project name: a-z, 0-9 and '-', at most 63 characters")
        _check_policy(policy)
        with self._change("create_project", project=name, policy=_policy_facts(policy)) as conn:
            if projects.find_project(conn, name) is not None:
                raise Exists("project", name)
            projects.insert_project(conn, name, policy, self._now_us())
            return projects.project_named(conn, name)

    def project(self, name: str) -> Project:
        with self.database.connection() as conn:
            return projects.project_named(conn, name)

    def project_by_number(self, number: str) -> Project:
        """Raises Unknown."""
        with self.database.connection() as conn:
            found = projects.project_by_number(conn, number)
            if found is None:
                raise Unknown("project", number)
            return found

    def projects(self) -> Sequence[Project]:
        """By name."""
        with self.database.connection() as conn:
            return projects.all_projects(conn)

    def set_policy(self, name: str, policy: ProjectPolicy) -> Project:
        _check_policy(policy)
        with self._change("set_policy", project=name, policy=_policy_facts(policy)) as conn:
            project = projects.project_named(conn, name)
            projects.set_policy(conn, project.id, policy)
            return replace(project, policy=policy)

    def change_policy(self, name: str, changes: Mapping[str, Any]) -> Project:
        """Gives these members of the policy other values; what others change at the same time stays. Raises Illegal."""
        with self._change("set_policy", project=name, policy=dict(changes)) as conn:
            project = projects.project_named(conn, name)
            policy = replace(project.policy, **changes)
            _check_policy(policy)
            projects.set_policy(conn, project.id, policy)
            return replace(project, policy=policy)

    # ------------------------------------------------------------ people

    def create_user(
        self,
        name: str,
        *,
        display_name: str = "",
        password: str | None = None,
        project: str = "",
        rights: Rights = NO_RIGHTS,
    ) -> User:
        """With rights in a project from the beginning, where these are given. Raises Illegal, Exists, Unknown."""
        if not _USER_NAME.fullmatch(name):
            raise Illegal(f"{name!r} is no user name: letters, digits, '.', '_', '@' and '-', at most 64 characters")
        if not display_name.isprintable() or len(display_name) > _LONGEST_DISPLAY_NAME:
            raise Illegal(f"a display name has at most {_LONGEST_DISPLAY_NAME} characters, all of them printable")
        digest = None if password is None else hash_password(password)
        with self._change("create_user", user=name) as conn:
            if users.find_user(conn, name) is not None:
                raise Exists("user", name)
            users.insert_user(
                conn,
                name=name,
                canonical_id=hashlib.sha256(b"caret:user:" + secrets.token_bytes(16)).hexdigest(),
                display_name=display_name or name,
                password_hash=digest,
                created_us=self._now_us(),
            )
            user = users.user_named(conn, name)
            for right in rights:
                projects.grant(conn, projects.project_named(conn, project).id, user.id, right, self._now_us())
            return user

    def user(self, name: str) -> User:
        with self.database.connection() as conn:
            return users.user_named(conn, name)

    def users(self) -> Sequence[User]:
        """By name."""
        with self.database.connection() as conn:
            return users.all_users(conn)

    def set_password(self, name: str, password: str) -> None:
        digest = hash_password(password)
        with self._change("set_password", user=name) as conn:
            users.set_password(conn, users.user_named(conn, name).id, digest)

    def enrol_totp(self, name: str) -> str:
        """A new secret in place of an old one, in base32; told once, here. Codes of the old one count no more."""
        secret = totp.new_secret()
        with self._change("enrol_totp", user=name) as conn:
            user = users.user_named(conn, name)
            users.set_totp(conn, user.id, self._vault.seal(secret, _totp_purpose(user.id)), -1)
        return secret

    def disable_user(self, name: str) -> None:
        """Keys and sessions stop working; what was written stays."""
        self._set_disabled("disable_user", name, self._now_us())

    def enable_user(self, name: str) -> None:
        self._set_disabled("enable_user", name, None)

    def _set_disabled(self, operation: str, name: str, when_us: int | None) -> None:
        with self._change(operation, user=name) as conn:
            users.set_disabled(conn, users.user_named(conn, name).id, when_us)

    # ------------------------------------------------------------ members

    def grant(self, project: str, user: str, right: Right) -> None:
        """Again is no error."""
        with self._change("grant", project=project, user=user, right=right.value) as conn:
            project_id, user_id = _ids(conn, project, user)
            projects.grant(conn, project_id, user_id, right, self._now_us())

    def revoke(self, project: str, user: str, right: Right) -> None:
        """Raises Unknown where he does not have it."""
        with self._change("revoke", project=project, user=user, right=right.value) as conn:
            project_id, user_id = _ids(conn, project, user)
            if not projects.revoke(conn, project_id, user_id, right):
                raise Unknown("member", f"{user} with the right {right.value}")

    def members(self, project: str) -> Sequence[Member]:
        """By user and right."""
        with self.database.connection() as conn:
            return projects.members_of(conn, projects.project_named(conn, project).id)

    def memberships(self, user: str) -> Sequence[tuple[str, Right]]:
        """(project, right), by both."""
        with self.database.connection() as conn:
            return projects.memberships_of(conn, users.user_named(conn, user).id)

    def rights(self, project: str, user: str) -> Rights:
        with self.database.connection() as conn:
            return projects.rights_of(conn, *_ids(conn, project, user))

    # ------------------------------------------------------------ keys

    def create_key(self, project: str, user: str) -> NewKey:
        access_key, secret = new_access_key("CARET"), new_secret_key()
        now_us = self._now_us()
        with self._change("create_key", project=project, user=user, access_key=access_key) as conn:
            project_id, user_id = _ids(conn, project, user)
            sealed = self._vault.seal(secret, access_key)
            keys.insert_key(
                conn,
                access_key=access_key,
                user_id=user_id,
                project_id=project_id,
                secret=sealed,
                created_us=now_us,
            )
        return NewKey(Key(access_key, user, project, now_us), secret)

    def keys(self, *, user: str = "", project: str = "") -> Sequence[Key]:
        """The oldest first; "" for any."""
        with self.database.connection() as conn:
            return keys.keys_of(conn, user, project)

    def disable_key(self, access_key: str) -> None:
        """Raises Unknown, also where it is disabled already."""
        with self._change("disable_key", access_key=access_key, **self._whose(access_key)) as conn:
            if not keys.disable_key(conn, access_key, self._now_us()):
                raise Unknown("access key", access_key)

    def create_api_key(self, project: str, user: str) -> NewApiKey:
        """Good for a year; to ask for proof is the caller's affair. Raises Unknown."""
        text, now_us = "caret-" + secrets.token_urlsafe(36), self._now_us()
        made = NewApiKey(user, project, now_us + _API_KEY_S * 1_000_000, text)
        with self.database.transaction() as conn:
            project_id, user_id = _ids(conn, project, user)
            keys.insert_api_key(
                conn,
                digest=token_digest(text),
                user_id=user_id,
                project_id=project_id,
                created_us=now_us,
                expires_us=made.expires_us,
            )
        return made

    def check_api_key(self, text: str) -> tuple[str, str]:
        """Whose API key this is, and of which project. Raises NotProven."""
        with self.database.connection() as conn:
            row = keys.find_api_key(conn, token_digest(text))
            if row is None or row[3] is not None:
                raise NotProven("the API key is unknown or was disabled: register for a new one")
            user_id, project_id, expires_us, _ = row
            if expires_us is not None and self._now_us() >= expires_us:
                raise NotProven("the API key has expired: register for a new one")
            return users.user_by_id(conn, user_id).name, projects.project_by_id(conn, project_id).name

    def rotate(self) -> int:
        """Seals with the newest key whatever an older one has sealed; how many secrets that were."""
        with self._change("rotate_secrets") as conn:
            return (
                self._reseal(conn, keys.sealed_keys(conn), keys.reseal_key)
                + self._reseal(conn, keys.sealed_sessions(conn), keys.reseal_session)
                + self._reseal_totp(conn)
            )

    def _reseal(
        self, conn: Connection, rows: Sequence[tuple[str, bytes]], keep: Callable[[Connection, str, bytes], None]
    ) -> int:
        stale = [(name, sealed) for name, sealed in rows if not self._vault.is_current(sealed)]
        for name, sealed in stale:
            keep(conn, name, self._vault.seal(self._vault.open(sealed, name), name))
        return len(stale)

    def _reseal_totp(self, conn: Connection) -> int:
        stale = [row for row in users.sealed_secrets(conn) if not self._vault.is_current(row[2])]
        for user_id, _, sealed in stale:
            purpose = _totp_purpose(user_id)
            counter = users.factors_of(conn, user_id).totp_counter
            users.set_totp(conn, user_id, self._vault.seal(self._vault.open(sealed, purpose), purpose), counter)
        return len(stale)

    # ------------------------------------------------------------ proofs

    def prove(self, user: str, code: str, *, password: str | None = None, address: str = "") -> User:
        """The user whose code (and password, where given) this is; the code is used up, durably.

        Raises NotProven, which does not tell what was wrong, and TooMany before anything is looked at where the
        user or the address has failed too often.
        """
        subjects = [f"user:{user}", *([f"address:{address}"] if address else [])]
        now_us = self._now_us()
        with self.database.connection() as conn:
            _check_blocks(conn, subjects, now_us)
            found = users.find_user(conn, user)
            digest = users.factors_of(conn, found.id).password_hash if found is not None else None
        knows = password is None or is_password(password, digest)  # outside of the transaction: it takes long
        with self.database.transaction() as conn:
            _check_blocks(conn, subjects, now_us)  # once more: others may have guessed meanwhile
            if knows and found is not None and found.disabled_us is None and self._use_code(conn, found, code, now_us):
                attempts.succeeded(conn, f"user:{user}")
                return found
            for subject in subjects:
                attempts.failed(conn, subject, now_us)
        raise NotProven

    def count_guess(self, address: str, *, is_right: bool) -> None:
        """For secrets that are proven elsewhere, as those of access keys: counts a wrong one for its address.

        Not for the key, which nobody is to be locked out of by others' guesses; it is too long to be guessed, and S3
        takes guesses too. Raises NotProven for a wrong one; TooMany, for a right one as well, where the address has
        failed too often.
        """
        subject, now_us = f"address:{address}", self._now_us()
        if is_right:
            with self.database.connection() as conn:
                return _check_blocks(conn, [subject], now_us)
        with self.database.transaction() as conn:
            _check_blocks(conn, [subject], now_us)
            attempts.failed(conn, subject, now_us)
        raise NotProven

    def _use_code(self, conn: Connection, user: User, code: str, now_us: int) -> bool:
        factors = users.factors_of(conn, user.id)
        if factors.totp_secret is None:
            return False
        secret = self._vault.open(factors.totp_secret, _totp_purpose(user.id))
        step = totp.matching_step(secret, code, now_us / 1_000_000, factors.totp_counter)
        if step is None:
            return False
        users.set_totp_counter(conn, user.id, step)
        return True

    # ------------------------------------------------------------ sessions

    def begin_session(
        self,
        project: str,
        user: str,
        rights: Rights,
        duration_s: int,
        *,
        assumed: str = "",
        proven: bool = True,
        until_us: int | None = None,
    ) -> NewSession:
        """Temporary credentials with these rights, for no longer than `until_us`.

        To ask for proof is the caller's affair: `proven` says whether a second factor was given. Raises Illegal where
        the rights are not all the user's, or where the project's sessions do not last so long.
        """
        now_us = self._now_us()
        access_key, secret, token = new_access_key("CARETTMP"), new_secret_key(), secrets.token_urlsafe(48)
        with self.database.transaction() as conn:
            project_id, user_id = _ids(conn, project, user)
            if not rights or not rights <= projects.rights_of(conn, project_id, user_id):
                raise Illegal(f"{user} has not all of the rights that are asked for")
            longest_s = projects.project_by_id(conn, project_id).policy.max_session_s
            if not 0 < duration_s <= longest_s:
                raise Illegal(f"a session of this project lasts {longest_s} s at most")
            end_us = now_us + duration_s * 1_000_000
            end_us = end_us if until_us is None else min(end_us, until_us)
            session = Session(access_key, user, project, rights, now_us, end_us, assumed=assumed)
            sealed, digest = self._vault.seal(secret, access_key), token_digest(token)
            held = Held(user_id, project_id, sealed, None, None, digest, proven=int(proven))
            keys.insert_session(conn, session, held)
        return NewSession(session, secret, token)

    def sessions(self, *, user: str = "", project: str = "") -> Sequence[Session]:
        """Those in force, the oldest first; "" for any."""
        with self.database.connection() as conn:
            return keys.sessions_of(conn, user, project, self._now_us())

    def end_session(self, access_key: str) -> None:
        """Raises Unknown, also where it has ended already."""
        with self._change("end_session", access_key=access_key, **self._whose(access_key)) as conn:
            if not keys.end_session(conn, access_key, self._now_us()):
                raise Unknown("session", access_key)

    def forget_sessions(self) -> int:
        """Removes those that ran out `KEEP_EXPIRED_S` ago or longer; how many. Until then they are told expired, from
        then on they are as if they had never been."""
        with self.database.transaction() as conn:
            return keys.forget_sessions(conn, self._now_us() - KEEP_EXPIRED_S * 1_000_000)

    def _whose(self, access_key: str) -> dict[str, str]:
        """The project and the user of a key or a session, for its record; neither ever changes."""
        with self.database.connection() as conn:
            held = keys.find_key(conn, access_key) or keys.find_session(conn, access_key)
            if held is None:
                return {}
            project, user = projects.project_by_id(conn, held.project_id), users.user_by_id(conn, held.user_id)
        return {"project": project.name, "user": user.name}

    # ------------------------------------------------------------ for the keyring

    def held(self, access_key: str) -> tuple[Held, User, Project, Rights, str] | None:
        """What there is to know of an access key or a session: with its user, project, present rights and secret."""
        with self.database.connection() as conn:
            held = keys.find_key(conn, access_key) or keys.find_session(conn, access_key)
            if held is None:
                return None
            rights = projects.rights_of(conn, held.project_id, held.user_id)
            user, project = users.user_by_id(conn, held.user_id), projects.project_by_id(conn, held.project_id)
        return held, user, project, rights, self._vault.open(held.secret, access_key)


def _account() -> str:
    """The account of the machine that this process runs under. No user's name has a colon."""
    try:
        return f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # as in a container, under a number that nobody has
        return f"os:{os.getuid()}"


def _policy_facts(policy: ProjectPolicy) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(policy).items()}


def new_access_key(prefix: str) -> str:
    """20 characters, as AWS's have."""
    return prefix + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(20 - len(prefix)))


def new_secret_key() -> str:
    return "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))


def token_digest(token: str) -> bytes:
    return blake3(token.encode()).digest()


def _check_policy(policy: ProjectPolicy) -> None:
    if not 900 <= policy.max_session_s <= 7 * 86_400:
        raise Illegal("max_session_s is from 900 (15 minutes) to 604,800 (7 days)")


def _check_blocks(conn: Connection, subjects: Sequence[str], now_us: int) -> None:
    """Raises TooMany."""
    retry_s = max(attempts.blocked_for_s(conn, subject, now_us) for subject in subjects)
    if retry_s:
        raise TooMany(retry_s)


def _ids(conn: Connection, project: str, user: str) -> tuple[int, int]:
    return projects.project_named(conn, project).id, users.user_named(conn, user).id


def _totp_purpose(user_id: int) -> str:
    return f"totp:{user_id}"
