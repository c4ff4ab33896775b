"""What STS does: sessions for people of the directory, and who a caller is.

    GetSessionToken    all the rights that the user has in the project of his key
    AssumeRole         the one right of the role, in any project in which the user has it

A key may ask for either, with a one-time code where the session's project asks for two factors. A session may not ask
for a session token; a role it may assume with a code given afresh, or in its own project where it has the right
already. What comes from a session without a code ends no later than that one does, and after an hour, as with AWS.

Whether something may be is looked at before the code, so that no code is used up in vain. Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.access.directory import Directory
from gateway.access.errors import Illegal, NotProven, TooMany, Unknown
from gateway.access.keyring import Credential
from gateway.access.model import HOUR_S, NewSession, Project, User
from gateway.access.principals import ROOT, Principal
from gateway.access.rights import Right, Rights
from gateway.sts.errors import NO_CODE, WRONG_CODE, WRONG_DEVICE, AccessDenied, ValidationError
from gateway.sts.operations import (
    AssumedRole,
    AssumeRole,
    GetCallerIdentity,
    GetSessionToken,
    Identity,
    Input,
    Issued,
    Output,
    SecondFactor,
    SessionToken,
)

USUAL_S = HOUR_S
LONGEST_CHAINED_S = HOUR_S

_NO_ACCOUNT = "000000000000"  # of an account of the configuration in a project that the directory does not have


@dataclass(frozen=True, slots=True)
class Caller:
    """Who has signed, with what, and from where."""

    credential: Credential
    address: str

    @property
    def principal(self) -> Principal:
        return self.credential.principal


class TokenService:
    """Thread-safe."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, request: Input, caller: Caller) -> Output:
        """Raises StsError and, where the database fails, StoreError."""
        return _ANSWERS[type(request)](self, request, caller)

    def get_caller_identity(self, request: GetCallerIdentity, caller: Caller) -> Identity:
        who, account = caller.principal, self._account(caller.principal.project)
        if caller.credential.assumed:
            return _assumed(account, who.id, caller.credential.assumed)
        name = "root" if who.id == ROOT.id else f"user/{who.user or who.display_name}"
        return Identity(f"arn:aws:iam::{account}:{name}", who.id, account)

    def get_session_token(self, request: GetSessionToken, caller: Caller) -> SessionToken:
        if caller.credential.is_session:
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        user, project = self._person(caller), self._directory.project(caller.principal.project)
        rights = self._directory.rights(project.name, user.name)
        if not rights:
            raise AccessDenied(f"{user.name} has no rights in the project {project.name}.")
        duration_s = _duration(request.duration_s, project.policy.max_session_s)
        proven = self._prove(user, request.factor, caller)
        if project.policy.requires_session and not proven:
            raise AccessDenied(NO_CODE)
        return SessionToken(self._begin(project, user, rights, duration_s, proven=proven))

    def assume_role(self, request: AssumeRole, caller: Caller) -> AssumedRole:
        user, right = self._person(caller), Right(request.role.name)
        project = self._project_of_role(request, caller, user)
        until_us, longest_s, proven = None, project.policy.max_session_s, False
        if caller.credential.is_session and request.factor is None:
            if project.name != caller.principal.project or right not in caller.principal.rights:
                raise AccessDenied(NO_CODE)
            until_us, longest_s = caller.credential.expires_us, min(longest_s, LONGEST_CHAINED_S)
            proven = caller.credential.is_proven
        duration_s = _duration(request.duration_s, longest_s)
        proven = self._prove(user, request.factor, caller) or proven
        if project.policy.requires_session and not proven:
            raise AccessDenied(NO_CODE)
        assumed = f"{request.role.name}/{request.session_name}"
        issued = self._begin(
            project, user, frozenset({right}), duration_s, assumed=assumed, proven=proven, until_us=until_us
        )
        return AssumedRole(issued, _assumed(project.number, user.canonical_id, assumed))

    # ------------------------------------------------------------ who, and where

    def _person(self, caller: Caller) -> User:
        """Whom the directory knows by the caller's name and id."""
        who = caller.principal
        try:
            user = self._directory.user(who.user)
        except Unknown:
            user = None
        if user is None or user.canonical_id != who.id:
            raise AccessDenied(
                f"{who.display_name} is an account of the gateway's configuration; sessions are for a project's people."
            )
        return user

    def _account(self, project: str) -> str:
        try:
            return self._directory.project(project).number
        except Unknown:
            return _NO_ACCOUNT

    def _project_of_role(self, request: AssumeRole, caller: Caller, user: User) -> Project:
        """Raises AccessDenied, alike where there is no such project and where the user has not that right there."""
        try:
            project = self._directory.project_by_number(request.role.project)
        except Unknown:
            project = None
        if project is None or Right(request.role.name) not in self._directory.rights(project.name, user.name):
            arn = self.get_caller_identity(GetCallerIdentity(), caller).arn
            raise AccessDenied(f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {request.role}")
        return project

    # ------------------------------------------------------------ proof and session

    def _prove(self, user: User, factor: SecondFactor | None, caller: Caller) -> bool:
        """Whether a second factor was given; a wrong one raises AccessDenied. The code is used up, durably."""
        if factor is None:
            return False
        if factor.user != user.name:
            raise AccessDenied(WRONG_DEVICE)
        try:
            self._directory.prove(user.name, factor.code, address=caller.address)
        except TooMany as exc:
            raise AccessDenied(f"{WRONG_CODE} Try again in {exc.retry_s} s.", retry_s=exc.retry_s) from exc
        except NotProven as exc:
            raise AccessDenied(WRONG_CODE) from exc
        return True

    def _begin(self, project: Project, user: User, rights: Rights, duration_s: int, **terms: Any) -> Issued:
        try:
            made = self._directory.begin_session(project.name, user.name, rights, duration_s, **terms)
        except Illegal as exc:  # the project was changed meanwhile
            raise AccessDenied(str(exc)) from exc
        return _issued(made)


_ANSWERS: Mapping[type[Input], Callable[[TokenService, Any, Caller], Output]] = {
    GetCallerIdentity: TokenService.get_caller_identity,
    GetSessionToken: TokenService.get_session_token,
    AssumeRole: TokenService.assume_role,
}


def _duration(asked_s: int | None, longest_s: int) -> int:
    if asked_s is None:
        return min(USUAL_S, longest_s)
    if asked_s > longest_s:
        raise ValidationError(f"The requested DurationSeconds exceeds what is possible here, {longest_s} seconds.")
    return asked_s


def _assumed(account: str, user_id: str, assumed: str) -> Identity:
    session_name = assumed.partition("/")[2]
    return Identity(f"arn:aws:sts::{account}:assumed-role/{assumed}", f"{user_id}:{session_name}", account)


def _issued(made: NewSession) -> Issued:
    expires = datetime.fromtimestamp(made.session.expires_us // 1_000_000, UTC)
    return Issued(made.session.access_key, made.secret, made.token, expires)
