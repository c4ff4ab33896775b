"""Where a request points: path or virtual-host style → bucket and key; and the Request itself.

Percent-encoding is undone exactly once, and keys are kept as sent: `//`, `..`, `+` and an
encoded `%2F` are all part of a key's name. Nothing here checks a bucket's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from gateway.s3.errors import InvalidBucketName, InvalidURI, KeyTooLongError
from gateway.s3.request import Request, wire_bytes

MAX_KEY_BYTES = 1024

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE_FORM = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)


def percent_decode(text: str) -> str:
    """`text` with its percent-encoding undone once; raises ValueError for a broken escape or bad UTF-8."""
    if text.isascii() and "%" not in text:
        return text
    if _BROKEN_ESCAPE.search(text):
        raise ValueError("broken percent-encoding")
    return unquote_to_bytes(wire_bytes(text)).decode("utf-8")


def address(raw_path: str, host: str, domains: tuple[str, ...]) -> tuple[str | None, str | None]:
    """The bucket and key that a request names; None for what it does not name.

    `domains` are those under which buckets are host names (`bucket.s3.example.com`). Raises
    InvalidURI, KeyTooLongError, and InvalidBucketName where the path begins with `//`.
    """
    if not raw_path.startswith("/"):
        raise InvalidURI(fields={"URI": raw_path})
    bucket = _bucket_of_host(host, domains) if domains else None
    # Split before decoding, so that an encoded slash ends no bucket name.
    raw_bucket, _, raw_key = raw_path[1:].partition("/") if bucket is None else ("", "", raw_path[1:])
    try:
        key = _checked_key(percent_decode(raw_key))
        bucket = bucket or percent_decode(raw_bucket)
    except ValueError as error:
        raise InvalidURI(fields={"URI": raw_path}) from error
    if not bucket and raw_path != "/":
        raise InvalidBucketName(fields={"BucketName": ""})
    return bucket or None, key


def _checked_key(key: str) -> str | None:
    # A character has at most four bytes, so most keys need no encoding to be seen to fit.
    if len(key) * 4 > MAX_KEY_BYTES and (size := len(key.encode())) > MAX_KEY_BYTES:
        raise KeyTooLongError(fields={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_BYTES)})
    return key or None


def _bucket_of_host(host: str, domains: tuple[str, ...]) -> str | None:
    name = _without_port(host).lower().rstrip(".")
    if name in domains:
        return None
    buckets = [name[: -len(domain) - 1] for domain in domains if name.endswith("." + domain)]
    # Of nested domains the longest suffix wins: `b.s3.example.com` is no bucket of `example.com`.
    return min(buckets, key=len, default=None)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def parse_query(raw_query: str) -> tuple[tuple[str, str], ...]:
    """Names and values in order, decoded; `+` is a space, as S3 reads it. Raises InvalidURI."""
    if not raw_query:
        return ()
    pairs = (pair.partition("=") for pair in raw_query.split("&") if pair)
    try:
        return tuple([(_decode_query(name), _decode_query(value)) for name, _, value in pairs])
    except ValueError as error:
        raise InvalidURI(fields={"URI": "?" + raw_query}) from error


def _decode_query(text: str) -> str:
    return percent_decode(text.replace("+", " "))


def build_request(
    method: str,
    raw_target: str,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    secure: bool = False,
    remote: str = "",
    request_id: str = "",
    domains: tuple[str, ...] = (),
) -> Request:
    """A Request from a request line and headers as they came.

    `domains` are in lower case. Raises InvalidURI, KeyTooLongError or InvalidBucketName; such
    a refusal is rendered for an `unaddressed_request`.
    """
    fields = _join_headers(headers)
    authority, raw_path, raw_query = _split_target(raw_target)
    bucket, key = address(raw_path, fields.get("host", "") if authority is None else authority, domains)
    query = parse_query(raw_query)
    params: dict[str, str] = {}
    for name, value in query:
        params.setdefault(name, value)
    return Request(
        method=method,
        raw_path=raw_path,
        raw_query=raw_query,
        headers=fields,
        query=query,
        bucket=bucket,
        key=key,
        secure=secure,
        remote=remote,
        request_id=request_id,
        params=params,
    )


def unaddressed_request(method: str, raw_target: str, *, remote: str = "", request_id: str = "") -> Request:
    """A Request good for an error answer and a log line, where `build_request` raised."""
    _, raw_path, raw_query = _split_target(raw_target)
    return Request(method, raw_path, raw_query, headers={}, remote=remote, request_id=request_id)


def _split_target(raw_target: str) -> tuple[str | None, str, str]:
    """Authority (None unless the target is in absolute form, which outranks Host), path, query."""
    authority = None
    if not raw_target.startswith("/") and (absolute := _ABSOLUTE_FORM.match(raw_target)):
        authority = absolute[1]
        raw_target = raw_target[absolute.end() :]
        if not raw_target.startswith("/"):
            raw_target = "/" + raw_target
    raw_path, _, raw_query = raw_target.partition("?")
    return authority, raw_path, raw_query


def _join_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("utf-8", "surrogateescape").lower()
        value = raw_value.decode("utf-8", "surrogateescape")
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields
