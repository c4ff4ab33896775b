"""Form uploads as browsers send them, for the tests of the parser and of the live gateway."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form_body(
    fields: Mapping[str, str] | Iterable[tuple[str, str]],
    content: bytes | None = b"content",
    *,
    file_name: str = "notes.txt",
    boundary: str = BOUNDARY,
    after: Sequence[tuple[str, str]] = (),
) -> bytes:
    """A multipart/form-data body, the file behind the fields; `content` None: without a file."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    parts = [_part(f'name="{name}"', value.encode()) for name, value in pairs]
    if content is not None:
        parts.append(_part(f'name="file"; filename="{file_name}"', content, "Content-Type: text/plain\r\n"))
    parts += [_part(f'name="{name}"', value.encode()) for name, value in after]
    line = f"--{boundary}\r\n".encode()
    return b"".join(line + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def _part(disposition: str, content: bytes, more: str = "") -> bytes:
    return f"Content-Disposition: form-data; {disposition}\r\n{more}\r\n".encode() + content


def policy_text(*conditions: Any, expires_s: float = 600, **members: Any) -> str:
    """A policy as the form's field has it."""
    expiration = (datetime.now(UTC) + timedelta(seconds=expires_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return encoded({"expiration": expiration, "conditions": conditions, **members})


def encoded(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
