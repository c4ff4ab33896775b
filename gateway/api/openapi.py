"""The REST API described: its OpenAPI 3.1 document and the table of docs/rest-api.md, made from `ENDPOINTS`.

An Input is split as a request is: its path's fields, then the query's or the body's. Refusals are one schema; an
operation lists the codes that it may refuse with below their statuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from gateway.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from gateway.api.errors import CODES

PATH = f"{PREFIX}/openapi.json"

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_SIGNING = (
    "AWS signature version 4, with service `s3`, as S3 requests bear it: in the header Authorization or in the query. "
    'curl signs with `--aws-sigv4 "aws:amz:REGION:s3" --user ACCESS_KEY:SECRET_KEY`; before its release 8 it needs '
    "`-H x-amz-content-sha256:UNSIGNED-PAYLOAD` beside."
)
# What any endpoint may refuse with. S3's own codes, of signatures and bodies, come with these statuses too.
_ANY = ("InvalidArgument", "AccessDenied", "NoSuchEndpoint", "InternalError", "Busy")
_OF_BODIES = ("InvalidBody",)
_OF_WRITES = ("InsufficientStorage",)
_NOT_OFFERED = ("NotImplemented",)


def codes_of(endpoint: Endpoint) -> tuple[str, ...]:
    """All codes of `CODES` that the endpoint may refuse with, by status."""
    codes = {*_ANY, *_NOT_OFFERED, *endpoint.errors}
    if endpoint.method != "GET":
        codes.update(_OF_WRITES)
    if endpoint.has_body:
        codes.update(_OF_BODIES)
    return tuple(sorted(codes, key=lambda code: (CODES[code], code)))


def endpoints_table() -> str:
    """The table of docs/rest-api.md, as Markdown."""
    rows = ["| method | path | takes | does |", "|---|---|---|---|"]
    for endpoint in ENDPOINTS.values():
        taken = [f"`{name}`" for name in endpoint.input.__struct_fields__ if name not in endpoint.path_fields]
        rows.append(f"| {endpoint.method} | `{endpoint.path}` | {', '.join(taken)} | {endpoint.summary} |")
    return "\n".join(rows) + "\n"


def openapi() -> Mapping[str, Any]:
    types = {kind for endpoint in ENDPOINTS.values() for kind in (endpoint.input, endpoint.answer) if kind}
    _, schemas = msgspec.json.schema_components(sorted(types, key=lambda kind: kind.__name__), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS.values():
        operations = paths.setdefault(PREFIX + endpoint.path, {})
        operations[endpoint.method.lower()] = _operation(endpoint, schemas[endpoint.input.__name__])
    inputs = {endpoint.input.__name__ for endpoint in ENDPOINTS.values()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Caret",
            "version": "1",
            "summary": "What S3 has no verbs for: branches, history, merges, tags, transactions.",
            "description": "Lists are pages: `next`, where it is not null, is the `after` of the next one.",
        },
        "security": [{"SigV4": []}],
        "paths": paths,
        "components": {
            "schemas": {
                **{name: schema for name, schema in schemas.items() if name not in inputs},
                "Error": _ERROR,
            },
            "securitySchemes": {
                "SigV4": {"type": "apiKey", "in": "header", "name": "Authorization", "description": _SIGNING}
            },
        },
    }


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id", "details"],
            "properties": {
                "code": {"type": "string", "description": "What a program decides by."},
                "message": {"type": "string", "description": "A sentence for people."},
                "request_id": {"type": "string", "description": "By which the log knows the request."},
                "details": {"type": "object", "description": "The facts of the case, as its code has them."},
            },
        }
    },
}


def _operation(endpoint: Endpoint, taken: Mapping[str, Any]) -> Mapping[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        **({"description": taken["description"]} if "description" in taken else {}),
        "parameters": [_parameter(taken, name, "path") for name in endpoint.path_fields],
        "responses": {str(endpoint.status): _answer(endpoint), **_refusals(endpoint)},
    }
    operation["parameters"] += [
        {**_parameter(taken, name, "header"), "name": header} for name, header in endpoint.headers.items()
    ]
    others = [name for name in taken["properties"] if name not in {*endpoint.path_fields, *endpoint.headers}]
    if not endpoint.has_body:
        operation["parameters"] += [_parameter(taken, name, "query") for name in others]
    elif others:
        operation["requestBody"] = _body(taken, others)
    return operation


def _parameter(taken: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    schema = dict(taken["properties"][name])
    if place == "path":
        schema["minLength"] = 1
    return {
        "name": name,
        "in": place,
        "required": place == "path" or name in taken["required"],
        "schema": schema if place == "path" else _given(schema),
    }


def _given(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a parameter that is there: what is null by default is left out."""
    if "anyOf" not in schema:
        return schema
    (kind,) = (kind for kind in schema["anyOf"] if kind != {"type": "null"})
    return dict(kind)


def _body(taken: Mapping[str, Any], members: Sequence[str]) -> Mapping[str, Any]:
    required = [name for name in taken["required"] if name in members]
    schema = {
        "type": "object",
        "properties": {name: taken["properties"][name] for name in members},
        "required": required,
        "additionalProperties": False,
    }
    return {"required": bool(required), "content": {_JSON: {"schema": schema}}}


def _answer(endpoint: Endpoint) -> Mapping[str, Any]:
    if endpoint.answer is None:
        return {"description": "Done."}
    schema = {"$ref": _REF.format(name=endpoint.answer.__name__)}
    if endpoint.streams:
        about = f"Server-sent events without end; the data of each is a {endpoint.answer.__name__}."
        return {"description": about, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {"description": endpoint.answer.__name__, "content": {_JSON: {"schema": schema}}}


def _refusals(endpoint: Endpoint) -> Mapping[str, Any]:
    return {
        str(status): {
            "description": ", ".join(codes),
            "content": {_JSON: {"schema": {"$ref": _REF.format(name="Error")}}},
        }
        for status, codes in groupby(codes_of(endpoint), key=CODES.__getitem__)
    }
