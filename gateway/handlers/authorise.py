"""Whether the caller may do what is asked: the facts come from the store, decisions from `access.policy`.

Every operation passes `authorise` before its body is read. Of an object it cannot know enough: the version that
is read is also the one whose ACL decides, so `permit_read` is asked when that is at hand.
"""

from __future__ import annotations

from gateway.access.policy import NEEDS, Target, may
from gateway.handlers.attributes import ACL
from gateway.handlers.context import Context
from gateway.handlers.locate import branch_of
from gateway.s3.acl import Permission, parse_acl
from gateway.s3.errors import AccessDenied
from pfs import Entry


async def authorise(ctx: Context, operation: str, bucket: str | None) -> None:
    """AccessDenied unless the caller may try; NoSuchBucket comes first."""
    if not ctx.caller.is_anonymous:
        return
    needs = NEEDS.get(operation)
    if bucket is None or needs is None:
        raise _denied()
    if needs.target is Target.BUCKET:
        await _require(ctx, bucket, needs.permission)


def permit_read(ctx: Context, entry: Entry) -> None:
    """AccessDenied unless the caller may read this version."""
    if ctx.caller.is_anonymous and not may(ctx.caller, Permission.READ, parse_acl(entry.settings.get(ACL, ""))):
        raise _denied()


async def permit_knowing(ctx: Context, bucket: str) -> None:
    """AccessDenied unless the caller may learn what is in the bucket, and so what is not."""
    if ctx.caller.is_anonymous:
        await _require(ctx, bucket, Permission.READ)


async def _require(ctx: Context, bucket: str, permission: Permission) -> None:
    granted = await ctx.read(ctx.store.branch_setting, await branch_of(ctx, bucket), ACL)
    if not may(ctx.caller, permission, parse_acl(granted or "")):
        raise _denied()


def _denied() -> AccessDenied:
    return AccessDenied("Access Denied: the request is not signed, and this is not open to all users.")
