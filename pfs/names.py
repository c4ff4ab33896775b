"""Legal repo, branch and key names. Pure.

name = [a-z0-9] ( [a-z0-9-]* [a-z0-9] )?     at most 63 characters
key  = 1 to 1,024 bytes of UTF-8, any characters
"""

from __future__ import annotations

import re

from pfs.errors import InvalidName

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MAX_KEY_BYTES = 1024


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def check_name(what: str, name: str) -> str:
    """Returns `name`; raises InvalidName, with `what` ("repo", "branch", "tag") in its message."""
    if not is_name(name):
        raise InvalidName(what, name)
    return name


def key_bytes(key: str) -> bytes:
    """The key as it is stored and ordered: its UTF-8 bytes. Raises InvalidName."""
    try:
        raw = key.encode()
    except UnicodeEncodeError as exc:
        raise InvalidName("key", key) from exc
    if not 1 <= len(raw) <= MAX_KEY_BYTES:
        raise InvalidName("key", key)
    return raw
