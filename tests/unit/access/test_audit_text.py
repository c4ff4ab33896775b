"""Times and hashes as people write them for the audit log."""

from __future__ import annotations

import pytest

from gateway.access import audit_text


def test_a_time_is_utc_unless_it_says_otherwise() -> None:
    at = audit_text.parse_time("2026-11-21T10:00:00")
    assert at == audit_text.parse_time("2026-11-21T10:00:00Z") == audit_text.parse_time("2026-11-21T12:00:00+02:00")
    assert audit_text.format_time(at) == "2026-11-21T10:00:00.000Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-21T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        audit_text.parse_time(text)


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "a" * 63 + " ", "ab " * 21 + "a"])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no hash"):
        audit_text.parse_hash(text)
    assert audit_text.parse_hash("0f" * 32) == b"\x0f" * 32
