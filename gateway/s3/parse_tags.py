"""Request → Input: the tags of objects and buckets; otherwise as `parse`."""

from __future__ import annotations

from gateway.s3 import operations as op
from gateway.s3.parse import bucket_name, object_name
from gateway.s3.parse_params import version_id
from gateway.s3.request import Request
from gateway.s3.tags import MAX_BUCKET_TAGS, parse_tagging


def put_object_tagging(request: Request, body: bytes) -> op.PutObjectTaggingInput:
    bucket, key = object_name(request)
    return op.PutObjectTaggingInput(bucket, key, parse_tagging(body), version_id(request))


def put_bucket_tagging(request: Request, body: bytes) -> op.PutBucketTaggingInput:
    return op.PutBucketTaggingInput(bucket_name(request), parse_tagging(body, MAX_BUCKET_TAGS))
