"""Which paths take part."""

from __future__ import annotations

import pytest

from gateway.sync import Filter
from gateway.sync.filters import compile_filters


@pytest.mark.parametrize(
    ("rules", "path", "takes_part"),
    [
        ("", "anything", True),
        ("-*.tmp", "a/b.tmp", False),
        ("-*.tmp", "a/b.tmpx", True),
        ("-*", "a/b", False),
        ("-* +*.txt", "deep/down/a.txt", True),
        ("+*.txt -*", "a.txt", False),
        ("-build/*", "build/x/y", False),
        ("-build/*", "src/build/x", True),
        ("-build", "build/x", True),
        ("-?.txt", "a.txt", False),
        ("-[ab].txt", "c.txt", True),
        ("-*.TMP", "a.tmp", True),
        ("-a*", "a\nb", False),
    ],
)
def test_the_last_match_decides(rules: str, path: str, takes_part: bool) -> None:
    given = [Filter(rule[1:], rule[0] == "+") for rule in rules.split()]
    assert compile_filters(given)(path) is takes_part
