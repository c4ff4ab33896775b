"""What is kept at home, readable by its owner only: where is registered, and sessions that are in force.

    $XDG_CONFIG_HOME/caret/s3cmd.json
        {"prod": {"endpoint": "https://…", "projects": {"p11": {"user": "p11-ann", "api_key": "…"}}}, "test": …}
    $XDG_CACHE_HOME/caret/s3cmd/<environment>.<project>.<kind>.json
        a session: see `Session`

Files appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import msgspec

from gateway.s3cmd.exits import CONFIG, Leave

ENVIRONMENTS = ("prod", "test")
_MARGIN_S = 60  # less than that is too little to begin with


class Registration(msgspec.Struct, frozen=True):
    user: str
    api_key: str


class Environment(msgspec.Struct, frozen=True):
    endpoint: str
    projects: dict[str, Registration] = {}


class Session(msgspec.Struct, frozen=True):
    """`expires` is in seconds since the epoch."""

    endpoint: str
    token: str
    access_key: str
    secret_key: str
    session_token: str
    expires: float

    def serves(self, endpoint: str) -> bool:
        return self.endpoint == endpoint and time.time() < self.expires - _MARGIN_S


def _home(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / otherwise) / "caret"


def registrations_path() -> Path:
    return _home("XDG_CONFIG_HOME", ".config") / "s3cmd.json"


def registrations() -> dict[str, Environment]:
    """By environment. Raises Leave."""
    path = registrations_path()
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Environment])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as exc:
        raise Leave(CONFIG, f"{path} cannot be read ({exc}); remove it and register again.") from exc


def register(environment: str, endpoint: str, project: str, registration: Registration) -> None:
    """Adds to what is registered, or replaces it; another endpoint leaves nothing of the one before."""
    known = registrations()
    before = known.get(environment)
    projects = before.projects if before is not None and before.endpoint == endpoint else {}
    known[environment] = Environment(endpoint, {**projects, project: registration})
    _write(registrations_path(), msgspec.json.format(msgspec.json.encode(known)) + b"\n")


def kept_session(environment: str, project: str, kind: str) -> Session | None:
    try:
        return msgspec.json.decode(_session_path(environment, project, kind).read_bytes(), type=Session)
    except (FileNotFoundError, msgspec.DecodeError):
        return None  # it is made anew


def keep_session(environment: str, project: str, kind: str, session: Session) -> None:
    _write(_session_path(environment, project, kind), msgspec.json.encode(session))


def forget_session(environment: str, project: str, kind: str) -> None:
    _session_path(environment, project, kind).unlink(missing_ok=True)


def _session_path(environment: str, project: str, kind: str) -> Path:
    return _home("XDG_CACHE_HOME", ".cache") / "s3cmd" / f"{environment}.{project}.{kind}.json"


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
            raise
    except OSError as exc:
        raise Leave(CONFIG, f"{path} cannot be written: {exc}") from exc
