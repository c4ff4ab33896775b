"""POST form → Input. What a form says in fields is what a PUT says in headers, and is read as such.

Source: S3 API reference, "POST Object". `${filename}` in any field stands for the file's name, without folders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

from gateway.s3 import operations as op
from gateway.s3 import parse
from gateway.s3.acl import HEADER as ACL_HEADER
from gateway.s3.address import MAX_KEY_BYTES
from gateway.s3.errors import KeyTooLongError, S3Error
from gateway.s3.multipart_form import FormHead
from gateway.s3.parse_batch import refuse_batch
from gateway.s3.parse_headers import STANDARD_HEADERS
from gateway.s3.post_policy import POLICY, Policy, missing_field, parse_policy
from gateway.s3.request import Request
from gateway.s3.tags import parse_tagging

_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
_SUCCESS = {"200": 200, "201": 201, "204": 204}

# Fields that are headers of a PUT. All others of S3's headers tell of the transfer, which is the form's affair.
_HEADERS = (
    *STANDARD_HEADERS,
    "content-md5",
    "x-amz-acl",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-caret-message",
)
_HEADER_PREFIXES = (
    "x-amz-meta-",
    "x-amz-checksum-",
    "x-amz-sdk-checksum-",
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-",
)


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields by lower-case name, and the policy that is among them: not to be believed before its
    signature has been verified."""

    fields: Mapping[str, str]
    policy: Policy | None


def read_form(head: FormHead) -> Form:
    """Raises InvalidArgument where there is no key, InvalidPolicyDocument where the policy is none."""
    file_name = _FOLDERS.sub("", head.file_name)
    fields = {name: value.replace("${filename}", file_name) for name, value in head.fields.items()}
    if not fields.get("key"):
        raise missing_field("key")
    return Form(fields, parse_policy(fields[POLICY]) if POLICY in fields else None)


def post_object(request: Request, form: Form) -> op.PostObjectInput:
    fields = form.fields
    as_put = _as_put(request, fields)
    refuse_batch(as_put)
    put = parse.put_object(as_put, b"")
    if "tagging" in fields:
        put = replace(put, headers=replace(put.headers, tags=parse_tagging(fields["tagging"].encode())))
    if form.policy is not None:
        put = replace(put, payload=replace(put.payload, sizes=form.policy.sizes))
    return op.PostObjectInput(
        put=put,
        location=_location(request, put.key),
        status=_SUCCESS.get(fields.get("success_action_status", ""), 204),
        redirect=_redirect(fields.get("success_action_redirect") or fields.get("redirect") or ""),
    )


def access_headers(form: Form) -> Mapping[str, str]:
    """Headers of the PUT that the form stands for which decide whether it is allowed: its ACL and its tags. Tags that
    are none stay as they are: they will be refused when the form is carried out."""
    fields, headers = form.fields, {}
    if "acl" in fields:
        headers[ACL_HEADER] = fields["acl"]
    if "x-amz-tagging" in fields:
        headers["x-amz-tagging"] = fields["x-amz-tagging"]
    if "tagging" in fields:
        try:
            headers["x-amz-tagging"] = urlencode(parse_tagging(fields["tagging"].encode()))
        except S3Error:
            headers["x-amz-tagging"] = fields["tagging"]
    return headers


def _as_put(request: Request, fields: Mapping[str, str]) -> Request:
    """The PUT that says what the form does."""
    key = fields["key"]
    if (size := len(key.encode())) > MAX_KEY_BYTES:
        raise KeyTooLongError(fields={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_BYTES)})
    headers = {name: value for name, value in fields.items() if name in _HEADERS or name.startswith(_HEADER_PREFIXES)}
    if "acl" in fields:
        headers[ACL_HEADER] = fields["acl"]
    return replace(request, key=key, headers=headers, params={})


def _location(request: Request, key: str) -> str:
    scheme = "https" if request.secure else "http"
    return f"{scheme}://{request.headers.get('host', '')}{request.raw_path.rstrip('/')}/{quote(key)}"


def _redirect(text: str) -> str | None:
    """Where the browser is to go; what is no URL counts as not sent, as in S3."""
    try:
        url = urlsplit(text)
    except ValueError:
        return None
    return text if url.scheme in ("http", "https") and url.netloc and text.isprintable() else None
