"""The values of the directory: projects, users, keys, sessions. All frozen; times are µs since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.access.rights import Right, Rights

HOUR_S, DAY_S = 3600, 86_400

Audits = Literal["everything", "refusals"]


@dataclass(frozen=True, slots=True)
class ProjectPolicy:
    """What a project asks of those who use it.

    `requires_session`: an access key alone is not enough, every S3 request carries a session made with a second
    factor. `max_session_s`: the longest one. `export_buckets`: all that may be exported from; None: every bucket.
    `audits`: whether the audit log keeps every request, or refusals and administration.
    """

    requires_session: bool = False
    max_session_s: int = 12 * HOUR_S
    export_buckets: tuple[str, ...] | None = None
    audits: Audits = "refusals"

    @property
    def audits_everything(self) -> bool:
        return self.audits == "everything"


OPEN = ProjectPolicy()
# What a project is that holds sensitive data.
SENSITIVE = ProjectPolicy(
    requires_session=True, max_session_s=12 * HOUR_S, export_buckets=("export-bucket",), audits="everything"
)


@dataclass(frozen=True, slots=True)
class Project:
    """`number` has 12 digits: ARNs name the project by it."""

    id: int
    number: str
    name: str
    policy: ProjectPolicy
    created_us: int


@dataclass(frozen=True, slots=True)
class User:
    """`canonical_id` has 64 hex digits: S3 shows it as an owner's id."""

    id: int
    name: str
    canonical_id: str
    display_name: str
    has_password: bool
    has_totp: bool
    created_us: int
    disabled_us: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    user: str
    right: Right
    created_us: int


@dataclass(frozen=True, slots=True)
class Key:
    """An access key, without its secret."""

    access_key: str
    user: str
    project: str
    created_us: int
    disabled_us: int | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """The secret is shown once, here."""

    key: Key
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A bearer key of the token endpoint, which is no access by itself. It is shown once, here."""

    user: str
    project: str
    expires_us: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials, without secret and token. `assumed`: `role/session-name` where a role was assumed."""

    access_key: str
    user: str
    project: str
    rights: Rights
    created_us: int
    expires_us: int
    ended_us: int | None = None
    assumed: str = ""


@dataclass(frozen=True, slots=True)
class NewSession:
    """Secret and token are shown once, here."""

    session: Session
    secret: str = field(repr=False)
    token: str = field(repr=False)
