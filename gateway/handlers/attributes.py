"""What an entry's `attrs` and `checksums` say: the store keeps them as text that only this module reads.

    attrs      {"headers": {lower-case name: value}, "metadata": {name behind x-amz-meta-: value}}
    checksums  {algorithm: base64 value, "type": "FULL_OBJECT" or "COMPOSITE"}

Both are canonical JSON without empty members, "" for none: the commit's id covers them. Beside them,
and outside of the history, a version and a branch have settings:

    tags       {key: value}, canonical JSON; no tags, no setting
    acl        what `format_acl` writes; private, no setting
    owner      {"id": …, "display_name": …}; of a version: its writer, who is the branch's owner
               where there is no setting
    cors       of a branch: the CORSConfiguration, as `render_cors` writes it
    policy     of a branch: the policy document, as it was sent
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from gateway.s3.checksums import COMPOSITE, FULL_OBJECT
from gateway.s3.operations import Checksums, ObjectHeaders, Owner
from pfs import canonical_json

__all__ = [
    "ACL",
    "COMPOSITE",
    "CORS",
    "FULL_OBJECT",
    "OWNER",
    "POLICY",
    "TAGS",
    "dump_checksums",
    "dump_headers",
    "dump_owner",
    "dump_tags",
    "load_checksums",
    "load_headers",
    "load_owner",
    "load_tags",
    "settings_of",
    "tag_settings",
]

TAGS, ACL, CORS, OWNER, POLICY = "tags", "acl", "cors", "owner", "policy"

_NO_HEADERS, _NO_CHECKSUMS = ObjectHeaders(), Checksums()


def dump_headers(headers: ObjectHeaders) -> str:
    document = {"headers": dict(headers.standard), "metadata": dict(headers.metadata)}
    return canonical_json({name: members for name, members in document.items() if members})


def load_headers(attrs: str) -> ObjectHeaders:
    if not attrs:
        return _NO_HEADERS
    document = json.loads(attrs)
    return ObjectHeaders(document.get("headers", {}), document.get("metadata", {}))


def dump_checksums(values: Mapping[str, str], kind: str = FULL_OBJECT) -> str:
    return canonical_json({**values, "type": kind}) if values else ""


def load_checksums(text: str) -> Checksums:
    if not text:
        return _NO_CHECKSUMS
    values = json.loads(text)
    kind = values.pop("type", None)
    return Checksums(values, kind)


def dump_tags(tags: Mapping[str, str]) -> str | None:
    """The value of the setting `tags`, None for no tags."""
    return canonical_json(tags) or None


def load_tags(text: str | None) -> Mapping[str, str]:
    """Sorted by key; `text` None is a setting that is not there."""
    if text is None:
        return {}
    tags: dict[str, str] = json.loads(text)
    return tags


def tag_settings(tags: Mapping[str, str] | None) -> Mapping[str, str]:
    """The settings of a version, or of a branch, that has these tags."""
    text = dump_tags(tags or {})
    return {} if text is None else {TAGS: text}


def settings_of(tags: Mapping[str, str] | None, acl: str, owner: Owner | None = None) -> Mapping[str, str]:
    """The settings of a new version, or branch, that has these tags and this ACL. `owner` None: as the branch's."""
    settings = dict(tag_settings(tags))
    if acl:
        settings[ACL] = acl
    if owner is not None:
        settings[OWNER] = dump_owner(owner)
    return settings


def dump_owner(owner: Owner) -> str:
    return canonical_json({"id": owner.id, "display_name": owner.display_name})


@lru_cache(maxsize=1024)
def load_owner(text: str) -> Owner:
    document = json.loads(text)
    return Owner(document["id"], document["display_name"])
