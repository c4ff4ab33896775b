"""How a test says that a request is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.api.errors import CODES
from gateway.client.connection import Refusal


@contextmanager
def refused(code: str, status: int) -> Iterator[dict[str, Any]]:
    """The block's boto3 call fails with this code and status; the whole answer can be read afterwards.

    A HEAD's answer has no body, so its code is the status as text.
    """
    answer: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield answer
    answer.update(caught.value.response)
    got = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
    assert got == (code, status), answer["Error"]


@contextmanager
def refusal(code: str) -> Iterator[dict[str, Any]]:
    """The block's call of the REST API is refused with this code and its status; the details can be read afterwards."""
    details: dict[str, Any] = {}
    with pytest.raises(Refusal) as caught:
        yield details
    details.update(caught.value.details)
    assert (caught.value.code, caught.value.status) == (code, CODES[code]), caught.value
