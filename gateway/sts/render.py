"""Output or error → status, headers, XML, in STS's namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from gateway.s3.response import Response
from gateway.s3.xml import document, element, group, legible
from gateway.sts.errors import StsError
from gateway.sts.operations import AssumedRole, Identity, Issued, Output, SessionToken

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

_HEADERS = [("Content-Type", "text/xml"), ("Cache-Control", "no-store")]


def render(action: str, output: Output, request_id: str) -> Response:
    content = _CONTENT[type(output)](output)
    metadata = group("ResponseMetadata", element("RequestId", request_id))
    body = document(f"{action}Response", group(f"{action}Result", *content), metadata, namespace=NAMESPACE)
    return Response(200, _HEADERS, body)


def render_error(error: StsError, request_id: str) -> Response:
    told = group(
        "Error",
        element("Type", "Sender" if error.status < 500 else "Receiver"),
        element("Code", error.code),
        element("Message", legible(error.detail)),
    )
    body = document("ErrorResponse", told, element("RequestId", request_id), namespace=NAMESPACE)
    retry = [] if error.retry_s is None else [("Retry-After", str(error.retry_s))]
    return Response(error.status, [*_HEADERS, *retry], body)


def _credentials(issued: Issued) -> str:
    return group(
        "Credentials",
        element("AccessKeyId", issued.access_key),
        element("SecretAccessKey", issued.secret),
        element("SessionToken", issued.token),
        element("Expiration", issued.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
    )


def _session_token(output: SessionToken) -> list[str]:
    return [_credentials(output.issued)]


def _assumed_role(output: AssumedRole) -> list[str]:
    role = group("AssumedRoleUser", element("AssumedRoleId", output.identity.id), element("Arn", output.identity.arn))
    return [_credentials(output.issued), role]


def _identity(output: Identity) -> list[str]:
    return [element("Arn", output.arn), element("UserId", output.id), element("Account", output.account)]


_CONTENT: Mapping[type[Output], Callable[[Any], list[str]]] = {
    SessionToken: _session_token,
    AssumedRole: _assumed_role,
    Identity: _identity,
}
