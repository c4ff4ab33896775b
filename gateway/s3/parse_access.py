"""Request → Input: ACLs, policies, CORS and its preflight; otherwise as `parse`."""

from __future__ import annotations

from gateway.s3 import operations as op
from gateway.s3.cors import METHODS, header_names, parse_cors, render_cors
from gateway.s3.errors import BadRequest, UnexpectedContent
from gateway.s3.parse import bucket_name
from gateway.s3.parse_headers import acl, refuse_unoffered
from gateway.s3.parse_params import version_id
from gateway.s3.request import Request


def put_acl(request: Request, body: bytes) -> op.PutAclInput:
    """PutBucketAcl and PutObjectAcl."""
    refuse_unoffered(request)
    canned = acl(request)
    if canned is not None and body.strip():
        raise UnexpectedContent
    version = None if request.key is None else version_id(request)
    return op.PutAclInput(bucket_name(request), request.key, version, canned, body)


def put_bucket_policy(request: Request, body: bytes) -> op.PutBucketPolicyInput:
    return op.PutBucketPolicyInput(bucket_name(request), body)


def put_bucket_cors(request: Request, body: bytes) -> op.PutBucketCorsInput:
    return op.PutBucketCorsInput(bucket_name(request), render_cors(parse_cors(body)).decode())


def preflight(request: Request, body: bytes) -> op.PreflightInput:
    origin, method = request.header("origin"), request.header("access-control-request-method")
    if not origin:
        raise BadRequest("Insufficient information. Origin request header needed.")
    if method not in METHODS:
        raise BadRequest(f"Invalid Access-Control-Request-Method: {method}")
    headers = header_names(request.header("access-control-request-headers"))
    return op.PreflightInput(bucket_name(request), request.key, origin, method, headers)
