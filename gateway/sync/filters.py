"""Which paths take part. Globs match whole paths: `*` any text with its slashes, `?` one character, `[…]` a set."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

from gateway.sync.model import Filter

IsIncluded = Callable[[str], bool]


def compile_filters(filters: Sequence[Filter]) -> IsIncluded:
    """Of all filters that match a path the last one decides; what none matches takes part."""
    if not filters:
        return _everything
    rules = [(re.compile(translate(rule.pattern)).match, rule.is_included) for rule in reversed(filters)]

    def is_included(path: str) -> bool:
        return next((included for match, included in rules if match(path)), True)

    return is_included


def _everything(path: str) -> bool:
    return True
