"""Rights: what members of a project may do there (see `gateway.access.policy` for how they decide)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Right(Enum):
    """member   creates buckets and owns them; others' through ACLs and policies only
    import   creates buckets, writes, and sees what he wrote himself; reads no content
    export   reads and lists, from export buckets only where the project has named some
    admin    everything
    """

    MEMBER = "member"
    IMPORT = "import"
    EXPORT = "export"
    ADMIN = "admin"


Rights = frozenset[Right]
NO_RIGHTS: Rights = frozenset()


def parse_rights(text: str) -> Rights:
    """`import,export` and the like; "" is none. Raises ValueError."""
    return frozenset(Right(name) for name in text.split(",") if name)


def format_rights(rights: Iterable[Right]) -> str:
    return ",".join(sorted(right.value for right in rights))
