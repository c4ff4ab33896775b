"""CORS: a bucket's rules, the browser's question before a request, and what answers tell the browser."""

from __future__ import annotations

from functools import lru_cache

from gateway.handlers.attributes import CORS
from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of, writable_branch
from gateway.s3 import operations as op
from gateway.s3.cors import VARY, CorsRule, match, parse_cors
from gateway.s3.errors import AccessDenied, AccessForbidden, InvalidBucketName, NoSuchBucket, NoSuchCORSConfiguration
from gateway.s3.request import Request


async def get_bucket_cors(ctx: Context, request: op.BucketInput) -> op.GetBucketCorsOutput:
    configuration = await _configuration(ctx, request.bucket)
    if configuration is None:
        raise NoSuchCORSConfiguration(fields={"BucketName": request.bucket})
    return op.GetBucketCorsOutput(configuration)


async def put_bucket_cors(ctx: Context, request: op.PutBucketCorsInput) -> op.Empty:
    await _set(ctx, request.bucket, request.configuration)
    return op.Empty(200)


async def delete_bucket_cors(ctx: Context, request: op.BucketInput) -> op.Empty:
    await _set(ctx, request.bucket, None)
    return op.Empty(204)


async def preflight(ctx: Context, request: op.PreflightInput) -> op.PreflightOutput:
    try:
        configuration = await _configuration(ctx, request.bucket)
    except AccessDenied:  # nobody has proven who asks: that there is no such bucket is not told
        configuration = None
    fields = {"Method": request.method, "ResourceType": "BUCKET" if request.key is None else "OBJECT"}
    if configuration is None:
        raise AccessForbidden("CORSResponse: CORS is not enabled for this bucket.", fields=fields)
    found = match(_rules(configuration), request.origin, request.method, request.headers)
    if found is None:
        raise AccessForbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, "
            "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted "
            "by the resource's CORS spec.",
            fields=fields,
        )
    return op.PreflightOutput(tuple(found.response_headers()))


async def response_headers(ctx: Context, request: Request) -> list[tuple[str, str]]:
    """What any answer to this request, which bears an Origin, tells the browser: also one that refuses it."""
    if request.bucket is None or request.method == "OPTIONS":
        return []
    try:
        configuration = await _configuration(ctx, request.bucket)
    except (NoSuchBucket, InvalidBucketName, AccessDenied):
        return []
    if configuration is None:
        return []
    method = request.headers.get("access-control-request-method") or request.method
    found = match(_rules(configuration), request.headers["origin"], method)
    return [("Vary", VARY)] if found is None else found.response_headers()


async def _configuration(ctx: Context, bucket: str) -> str | None:
    return await ctx.read(ctx.store.branch_setting, await branch_of(ctx, bucket), CORS)


async def _set(ctx: Context, bucket: str, configuration: str | None) -> None:
    branch = await writable_branch(ctx, bucket)
    await ctx.durable(ctx.store.set_branch_setting(branch, CORS, configuration))


@lru_cache(maxsize=256)
def _rules(configuration: str) -> tuple[CorsRule, ...]:
    return parse_cors(configuration.encode())
