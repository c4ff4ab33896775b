"""One-time codes by time (RFC 6238): six digits, one every 30 seconds, by SHA-1, as every authenticator app makes."""

from __future__ import annotations

import hmac
import re

import pyotp

ISSUER = "Caret"

_STEP_S = 30
_DRIFT = 1  # steps that a clock may be off, either way (RFC 6238, section 5.2)
_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32(32)


def provisioning_uri(secret: str, user: str) -> str:
    """What an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=ISSUER)


def matching_step(secret: str, code: str, now_s: float, last_step: int) -> int | None:
    """The time step whose code this is, if it is one of now's and later than `last_step`: a code counts once.

    Takes as long for a wrong code as for a right one.
    """
    if not _CODE.fullmatch(code):
        return None
    present, otp, found = int(now_s) // _STEP_S, pyotp.TOTP(secret), None
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        if hmac.compare_digest(otp.at(step * _STEP_S), code) and step > last_step:
            found = step
    return found
