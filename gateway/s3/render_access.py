"""Output → Response: ACLs, CORS and its preflight, form uploads, and what a bucket has not."""

from __future__ import annotations

from urllib.parse import urlencode

from gateway.s3 import operations as op
from gateway.s3.acl import parse_acl, render_acl
from gateway.s3.render import checksum_headers, quoted, xml_response
from gateway.s3.response import Response
from gateway.s3.xml import document, element


def get_acl(output: op.GetAclOutput) -> Response:
    """GetBucketAcl and GetObjectAcl."""
    return xml_response(render_acl(parse_acl(output.acl), output.owner, output.bucket_owner))


def get_bucket_policy(output: op.GetBucketPolicyOutput) -> Response:
    """The document itself, as it was put."""
    return Response(200, [("Content-Type", "application/json")], output.document.encode())


def get_bucket_policy_status(output: op.GetBucketPolicyStatusOutput) -> Response:
    return xml_response(document("PolicyStatus", element("IsPublic", "TRUE" if output.is_public else "FALSE")))


def get_bucket_cors(output: op.GetBucketCorsOutput) -> Response:
    return xml_response(output.configuration.encode())


def preflight(output: op.PreflightOutput) -> Response:
    return Response(200, list(output.headers))


def absent(output: op.AbsentOutput) -> Response:
    return xml_response(output.document) if output.document else Response(204, [])


def post_object(output: op.PostObjectOutput) -> Response:
    request, put = output.request, output.put
    headers = [
        ("ETag", quoted(put.etag)),
        ("x-amz-version-id", put.version_id),
        *checksum_headers(put.checksums),
    ]
    if request.redirect is not None:
        return Response(303, [("Location", _landing(output)), *headers])
    headers.append(("Location", request.location))
    if request.status != 201:
        return Response(request.status, headers)
    body = document(
        "PostResponse",
        element("Location", request.location),
        element("Bucket", request.put.bucket),
        element("Key", request.put.key),
        element("ETag", quoted(put.etag)),
        namespace=None,
    )
    return Response(201, [("Content-Type", "application/xml"), *headers], body)


def _landing(output: op.PostObjectOutput) -> str:
    """Where the browser is sent, told what was uploaded."""
    put = output.request.put
    redirect = output.request.redirect or ""
    query = urlencode({"bucket": put.bucket, "key": put.key, "etag": quoted(output.put.etag)})
    address, mark, fragment = redirect.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{query}{mark}{fragment}"
