"""What no bucket has here (see `gateway.s3.sub_resources`): asked for, or deleted."""

from __future__ import annotations

from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of
from gateway.s3 import operations as op


async def absent(ctx: Context, request: op.AbsentInput) -> op.AbsentOutput:
    """The answer that the request came with, once it is known that there is such a bucket."""
    await branch_of(ctx, request.bucket)
    if isinstance(request.answer, Exception):
        raise request.answer
    return op.AbsentOutput(request.answer)
