"""Requests for tests of the protocol layer, made as the server makes them."""

from __future__ import annotations

from gateway.s3.address import build_request
from gateway.s3.request import Request


def ask(
    method: str, target: str, headers: dict[str, str] | None = None, *, host: str = "localhost:9000", **more: str
) -> Request:
    """A request; header names may be given as keywords too, `x_amz_acl="private"`."""
    fields = {"Host": host, **(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}
    raw = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in fields.items()]
    return build_request(method, target, raw, request_id="REQ1")
