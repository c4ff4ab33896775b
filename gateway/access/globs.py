"""Wildcards of policies: `*` stands for any text, `?` for any one character; everything else for itself.

No pattern makes matching slow: between two `*` the leftmost place is taken, which is never wrong, so that
nothing is tried twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Glob:
    pattern: str
    _pieces: tuple[re.Pattern[str], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        pieces = [re.sub(r"\\\?", ".", re.escape(piece)) for piece in self.pattern.split("*")]
        object.__setattr__(self, "_pieces", tuple(re.compile(piece, re.DOTALL) for piece in pieces))

    def matches(self, text: str) -> bool:
        if self.pattern == "*":
            return True
        first, *rest = self._pieces
        if not rest:
            return first.fullmatch(text) is not None
        *middle, last = rest
        found = first.match(text)
        for piece in middle:
            if found is None:
                return False
            found = piece.search(text, found.end())
        if found is None:
            return False
        begins = len(text) - _length(last)
        return begins >= found.end() and last.match(text, begins) is not None


def _length(piece: re.Pattern[str]) -> int:
    """How many characters it matches: an escaped one, or a dot, is one."""
    return len(re.sub(r"\\(.)", r"\1", piece.pattern, flags=re.DOTALL))
