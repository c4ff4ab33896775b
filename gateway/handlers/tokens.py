"""Continuation tokens: the last name of the page before, encoded.

They need no state, are good at any worker, and survive restarts and writes.
"""

from __future__ import annotations

import base64
import binascii

from gateway.s3.errors import InvalidArgument


def encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def decode_token(token: str) -> str:
    """Raises InvalidArgument for what `encode_token` did not make."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as exc:
        raise InvalidArgument(
            "The continuation token provided is incorrect",
            fields={"ArgumentName": "continuation-token", "ArgumentValue": token},
        ) from exc
