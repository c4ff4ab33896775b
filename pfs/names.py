"""Legal repo, branch and key names. Pure.

name = [a-z0-9] ( [a-z0-9-]* [a-z0-9] )?     at most 63 characters
key  = 1 to 1,024 bytes of UTF-8, any characters

Branches and tags are not called as transactions are: "tx-" and 12 hex digits.
"""

from __future__ import annotations

import re

from pfs.errors import InvalidName

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TRANSACTION = re.compile(r"tx-[0-9a-f]{12}")
_PATTERN = re.compile(r"[a-z0-9*?-]{1,128}")
MAX_KEY_BYTES = 1024


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def check_name(what: str, name: str) -> str:
    """Returns `name`; raises InvalidName, with `what` ("repo", "branch", "tag") in its message."""
    if not is_name(name) or (what != "repo" and is_transaction_id(name)):
        raise InvalidName(what, name)
    return name


def is_transaction_id(text: str) -> bool:
    return _TRANSACTION.fullmatch(text) is not None


def format_transaction_id(number: int) -> str:
    return f"tx-{number:012x}"


def check_pattern(pattern: str) -> str:
    """Returns a glob pattern of branch names: `*` is any text, `?` one character. Raises InvalidName."""
    if _PATTERN.fullmatch(pattern) is None:
        raise InvalidName("pattern", pattern)
    return pattern


def key_bytes(key: str) -> bytes:
    """The key as it is stored and ordered: its UTF-8 bytes. Raises InvalidName."""
    try:
        raw = key.encode()
    except UnicodeEncodeError as exc:
        raise InvalidName("key", key) from exc
    if not 1 <= len(raw) <= MAX_KEY_BYTES:
        raise InvalidName("key", key)
    return raw
