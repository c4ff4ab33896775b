"""What forms send, what is answered to those that cannot be, and where they lead."""

from __future__ import annotations

import re

from aiohttp import web
from multidict import MultiDict

from gateway.client import Refusal

TYPE = "application/x-www-form-urlencoded"
# Codes of the gateway's which mean that the credentials in the cookie are good for nothing any more.
LOGGED_OUT = frozenset({"ExpiredToken", "InvalidToken", "InvalidAccessKeyId"})

# Printable ASCII without the backslash, which browsers take for a slash; two slashes would begin another host's name.
_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")


async def read_form(request: web.Request) -> MultiDict[str]:
    """Of a body of another type, nothing. Raises HTTPBadRequest, HTTPRequestEntityTooLarge."""
    if request.content_type != TYPE:
        return MultiDict()
    try:
        posted = await request.post()
    except (ValueError, LookupError) as exc:  # bytes that are no text, a charset that nobody knows
        raise web.HTTPBadRequest(text="The form cannot be read: it is not in UTF-8.") from exc
    return MultiDict((name, str(value)) for name, value in posted.items())


def told(refusal: Refusal) -> str:
    """What to say beside the form. What is not about what was asked is raised again, for a page of its own."""
    if refusal.status >= 500 or refusal.code in LOGGED_OUT:
        raise refusal
    return refusal.message or refusal.code


def sentence(exc: Exception) -> str:
    text = str(exc)
    return f"{text[:1].upper()}{text[1:]}."


def path_of_ours(there: str, otherwise: str = "/") -> str:
    """`there`, if no browser could take it for a place outside of this server."""
    return there if _PATH.fullmatch(there) else otherwise
