"""One-time codes."""

from __future__ import annotations

import base64

import pyotp
import pytest

from gateway.access.totp import matching_step, new_secret, provisioning_uri

# RFC 6238, appendix B: its key, and the last six of the eight digits given there.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
]


@pytest.mark.parametrize(("now_s", "code"), VECTORS)
def test_the_rfcs_vectors(now_s: int, code: str) -> None:
    assert matching_step(SECRET, code, now_s, -1) == now_s // 30


def test_a_clock_may_be_one_step_off() -> None:
    code = pyotp.TOTP(SECRET).at(3000)
    assert [matching_step(SECRET, code, 3000 + 30 * off, -1) for off in (-2, -1, 0, 1, 2)] == [
        None,
        100,
        100,
        100,
        None,
    ]


def test_a_code_counts_once() -> None:
    code = pyotp.TOTP(SECRET).at(3000)
    step = matching_step(SECRET, code, 3000, -1)
    assert step == 100
    assert matching_step(SECRET, code, 3000, step) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "\uff11\uff12\uff13\uff14\uff15\uff16", " 287082"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert matching_step(SECRET, code, 59, -1) is None


def test_a_new_secret_can_be_enrolled() -> None:
    secret = new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert pyotp.parse_uri(provisioning_uri(secret, "ann@lab")).secret == secret
