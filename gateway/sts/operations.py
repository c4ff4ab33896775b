"""An Input and an Output per action of STS. Roles and one-time codes as they are named on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The user whose device made the code, by name, and the code."""

    user: str
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Role:
    """`arn:aws:iam::<project's number>:role/<name>`; `name` is a right."""

    project: str
    name: str

    def __str__(self) -> str:
        return f"arn:aws:iam::{self.project}:role/{self.name}"


@dataclass(frozen=True, slots=True)
class GetSessionToken:
    """`duration_s` None: as long as is usual."""

    duration_s: int | None = None
    factor: SecondFactor | None = None


@dataclass(frozen=True, slots=True)
class AssumeRole:
    role: Role
    session_name: str
    duration_s: int | None = None
    factor: SecondFactor | None = None


@dataclass(frozen=True, slots=True)
class GetCallerIdentity:
    pass


Input = GetSessionToken | AssumeRole | GetCallerIdentity


@dataclass(frozen=True, slots=True)
class Issued:
    """Temporary credentials."""

    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class SessionToken:
    issued: Issued


@dataclass(frozen=True, slots=True)
class AssumedRole:
    issued: Issued
    identity: Identity


@dataclass(frozen=True, slots=True)
class Identity:
    """`arn` names who asks, `id` stays the same when names change, `account` is the project's number."""

    arn: str
    id: str
    account: str


Output = SessionToken | AssumedRole | Identity
