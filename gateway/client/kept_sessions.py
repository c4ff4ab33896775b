"""Sessions kept between commands, so that a one-time code is asked for once per session.

    $XDG_CACHE_HOME/caret/sessions/<digest>.json    0600, in a folder that is the user's alone

A session is found by the endpoint, the long-lived key and the role that it was made with: the digest is theirs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.sts.operations import Issued

# One that is about to end is as good as none: whoever gets it has yet to use it.
_LEAST_LEFT = timedelta(seconds=60)


def cache_folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "caret" / "sessions"


class KeptSession:
    """The place of one session."""

    def __init__(self, folder: Path, *names: str) -> None:
        """`names`: all that tells it from others."""
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()
        self._path = folder / f"{digest}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Of commands that begin at once, one asks for the code; the others wait, and find what it has kept."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self) -> Issued | None:
        """None where there is none that can still be used."""
        try:
            issued = parse_process(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:  # written by another version, or damaged: it is made anew
            return None
        return issued if issued.expires - datetime.now(UTC) > _LEAST_LEFT else None

    def write(self, issued: Issued) -> None:
        """Whole or not at all."""
        descriptor, name = tempfile.mkstemp(dir=self._path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(format_process(issued))
            os.replace(name, self._path)
        except BaseException:
            os.unlink(name)
            raise


def format_process(issued: Issued) -> str:
    """As the AWS tools expect it of a `credential_process`."""
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": issued.access_key,
            "SecretAccessKey": issued.secret,
            "SessionToken": issued.token,
            "Expiration": issued.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        indent=2,
    )


def parse_process(text: str) -> Issued:
    """Raises ValueError."""
    document = json.loads(text)
    try:
        expires = datetime.fromisoformat(document["Expiration"])
        return Issued(document["AccessKeyId"], document["SecretAccessKey"], document["SessionToken"], expires)
    except (KeyError, TypeError) as exc:
        raise ValueError("this is no session") from exc
