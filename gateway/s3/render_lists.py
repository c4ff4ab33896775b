"""Output → Response: ListObjects (1 and 2), ListObjectVersions, ListMultipartUploads, ListParts.

A page of 1,000 entries is the gateway's largest computation per answer, so an entry is one
f-string of escaped text, and a page is joined once. With encoding-type=url all that comes
from clients (keys, prefixes, delimiters, markers) is percent-encoded: a space is `%20`, `+` is
`%2B`, and `/` stays; but for the prefix that version 1 echoes. ETags and version ids are
hexadecimal and go in as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import quote

from gateway.s3 import operations as op
from gateway.s3.dates import format_iso
from gateway.s3.render import STORAGE_CLASS, checksum_elements, owner, xml_response
from gateway.s3.response import Response
from gateway.s3.xml import document, element, escape, legible, optional

Encode = Callable[[str], str]

_UNSAFE = re.compile(r"[^A-Za-z0-9_.~/-]")


def url_encode(text: str) -> str:
    """`text` as encoding-type=url sends it; the result needs no escaping in XML."""
    return _UNSAFE.sub(_percent_match, text) if _UNSAFE.search(text) else text


def _percent_match(match: re.Match[str]) -> str:
    return _percent(match[0])


@lru_cache(maxsize=1024)
def _percent(character: str) -> str:
    return quote(character, safe="")


def _encoder(encoding_type: str | None) -> Encode:
    """What turns a key into element content: percent-encoding, or escaping alone."""
    return url_encode if encoding_type == "url" else escape


def _echo(name: str, text: str | None, encode: Encode) -> str:
    """A request's value given back; nothing where it was not sent."""
    return "" if text is None else f"<{name}>{encode(text)}</{name}>"


def _common_prefixes(prefixes: Iterable[str], encode: Encode) -> str:
    return "".join([f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes])


def _truncated(is_truncated: bool) -> str:
    return f"<IsTruncated>{_boolean(is_truncated)}</IsTruncated>"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _checksum_kinds(algorithms: Iterable[str], kind: str | None) -> str:
    names = [f"<ChecksumAlgorithm>{name.upper()}</ChecksumAlgorithm>" for name in algorithms]
    return "".join([*names, optional("ChecksumType", kind)]) if names else ""


# ---------------------------------------------------------------- objects


def list_objects(output: op.ListObjectsOutput) -> Response:
    """ListObjects and ListObjectsV2, by the version that was asked for."""
    request = output.request
    encode = _encoder(request.encoding_type)
    head = _v1_head(output, encode) if request.version == 1 else _v2_head(output, encode)
    shown = output.owner if request.version == 1 or request.fetch_owner else None
    body = document(
        "ListBucketResult",
        element("Name", output.name),
        head,
        f"<MaxKeys>{request.max_keys}</MaxKeys>",
        _echo("Delimiter", request.delimiter, encode),
        optional("EncodingType", request.encoding_type),
        _truncated(output.is_truncated),
        _contents(output.contents, owner("Owner", shown) if shown else "", encode),
        _common_prefixes(output.common_prefixes, encode),
    )
    return xml_response(body)


def _v1_head(output: op.ListObjectsOutput, encode: Encode) -> str:
    prefix = output.request.prefix or ""
    # As it is if XML can hold it, whatever the encoding: botocore decodes all of this answer but the prefix.
    prefix = f"<Prefix>{escape(prefix) if legible(prefix) == prefix else encode(prefix)}</Prefix>"
    marker = f"<Marker>{encode(output.request.marker or '')}</Marker>"
    return prefix + marker + _echo("NextMarker", output.next_marker, encode)


def _v2_head(output: op.ListObjectsOutput, encode: Encode) -> str:
    request = output.request
    return "".join(
        (
            f"<Prefix>{encode(request.prefix or '')}</Prefix>",
            optional("ContinuationToken", request.continuation_token),
            optional("NextContinuationToken", output.next_continuation_token),
            _echo("StartAfter", request.start_after, encode),
            f"<KeyCount>{len(output.contents) + len(output.common_prefixes)}</KeyCount>",
        )
    )


def _contents(objects: Iterable[op.ObjectSummary], owner_xml: str, encode: Encode) -> str:
    tail = f"{owner_xml}<StorageClass>{STORAGE_CLASS}</StorageClass></Contents>"
    return "".join(
        [
            f"<Contents><Key>{encode(entry.key)}</Key>"
            f"<LastModified>{format_iso(entry.last_modified)}</LastModified>"
            f"<ETag>&quot;{entry.etag}&quot;</ETag>"
            f"{_checksum_kinds(entry.checksum_algorithms, entry.checksum_type) if entry.checksum_algorithms else ''}"
            f"<Size>{entry.size}</Size>{tail}"
            for entry in objects
        ]
    )


# ---------------------------------------------------------------- versions


def list_object_versions(output: op.ListObjectVersionsOutput) -> Response:
    request = output.request
    encode = _encoder(request.encoding_type)
    owner_xml = owner("Owner", output.owner)
    body = document(
        "ListVersionsResult",
        element("Name", output.name),
        f"<Prefix>{encode(request.prefix or '')}</Prefix>",
        f"<KeyMarker>{encode(request.key_marker or '')}</KeyMarker>",
        element("VersionIdMarker", request.version_id_marker or ""),
        _echo("NextKeyMarker", output.next_key_marker, encode),
        optional("NextVersionIdMarker", output.next_version_id_marker),
        f"<MaxKeys>{request.max_keys}</MaxKeys>",
        _echo("Delimiter", request.delimiter, encode),
        optional("EncodingType", request.encoding_type),
        _truncated(output.is_truncated),
        "".join([_version(entry, owner_xml, encode) for entry in output.versions]),
        _common_prefixes(output.common_prefixes, encode),
    )
    return xml_response(body)


def _version(entry: op.VersionSummary, owner_xml: str, encode: Encode) -> str:
    shared = (
        f"<Key>{encode(entry.key)}</Key>"
        f"<VersionId>{entry.version_id}</VersionId>"
        f"<IsLatest>{_boolean(entry.is_latest)}</IsLatest>"
        f"<LastModified>{format_iso(entry.last_modified)}</LastModified>"
    )
    if entry.is_delete_marker:
        return f"<DeleteMarker>{shared}{owner_xml}</DeleteMarker>"
    return (
        f"<Version>{shared}<ETag>&quot;{entry.etag}&quot;</ETag>"
        f"{_checksum_kinds(entry.checksum_algorithms, entry.checksum_type)}"
        f"<Size>{entry.size}</Size>{owner_xml}<StorageClass>{STORAGE_CLASS}</StorageClass></Version>"
    )


# ---------------------------------------------------------------- uploads and parts


def list_multipart_uploads(output: op.ListMultipartUploadsOutput) -> Response:
    request = output.request
    encode = _encoder(request.encoding_type)
    body = document(
        "ListMultipartUploadsResult",
        element("Bucket", request.bucket),
        f"<KeyMarker>{encode(request.key_marker or '')}</KeyMarker>",
        element("UploadIdMarker", request.upload_id_marker or ""),
        _echo("NextKeyMarker", output.next_key_marker, encode),
        optional("NextUploadIdMarker", output.next_upload_id_marker),
        f"<Prefix>{encode(request.prefix or '')}</Prefix>",
        _echo("Delimiter", request.delimiter, encode),
        optional("EncodingType", request.encoding_type),
        f"<MaxUploads>{request.max_uploads}</MaxUploads>",
        _truncated(output.is_truncated),
        "".join([_upload(entry, encode) for entry in output.uploads]),
        _common_prefixes(output.common_prefixes, encode),
    )
    return xml_response(body)


def _upload(entry: op.UploadSummary, encode: Encode) -> str:
    algorithms = (entry.checksum_algorithm,) if entry.checksum_algorithm else ()
    return (
        f"<Upload><Key>{encode(entry.key)}</Key>{element('UploadId', entry.upload_id)}"
        f"{owner('Initiator', entry.owner)}{owner('Owner', entry.owner)}"
        f"<StorageClass>{STORAGE_CLASS}</StorageClass>"
        f"<Initiated>{format_iso(entry.initiated)}</Initiated>"
        f"{_checksum_kinds(algorithms, entry.checksum_type)}</Upload>"
    )


def list_parts(output: op.ListPartsOutput) -> Response:
    request = output.request
    encode = _encoder(request.encoding_type)
    algorithms = (output.checksum_algorithm,) if output.checksum_algorithm else ()
    body = document(
        "ListPartsResult",
        element("Bucket", request.bucket),
        f"<Key>{encode(request.key)}</Key>",
        element("UploadId", request.upload_id),
        owner("Initiator", output.owner),
        owner("Owner", output.owner),
        f"<StorageClass>{STORAGE_CLASS}</StorageClass>",
        f"<PartNumberMarker>{request.part_number_marker}</PartNumberMarker>",
        f"<NextPartNumberMarker>{output.next_part_number_marker}</NextPartNumberMarker>",
        f"<MaxParts>{request.max_parts}</MaxParts>",
        optional("EncodingType", request.encoding_type),
        _truncated(output.is_truncated),
        _checksum_kinds(algorithms, output.checksum_type),
        "".join([_part(part) for part in output.parts]),
    )
    return xml_response(body)


def _part(part: op.PartSummary) -> str:
    return (
        f"<Part><PartNumber>{part.part_number}</PartNumber>"
        f"<LastModified>{format_iso(part.last_modified)}</LastModified>"
        f"<ETag>&quot;{part.etag}&quot;</ETag><Size>{part.size}</Size>{checksum_elements(part.checksums)}</Part>"
    )
