"""Staged parts, and the one object that they become. Functions run inside a transaction.

An upload's parts are durable as soon as `put_part` is, survive restarts, and show in no listing of keys. Completion
writes a manifest and one commit, whatever the size, and keeps its result: completing again
gives the same answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pfs.commits.transaction import Transaction, now_us
from pfs.errors import NoSuchPart, NoSuchUpload, PartTooSmall
from pfs.manifest import compose, decode_extents, encode_extents
from pfs.meta import uploads
from pfs.meta.contents import absolve
from pfs.meta.database import Connection
from pfs.model import Commit, Content, Digest, Entry, Extent, Guard, Part, Put, Upload

MAX_PARTS = 10_000
_ALL = MAX_PARTS + 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """A part that the caller's completion lists. `matches` is asked whether the staged part is the one
    that was meant."""

    number: int
    matches: Callable[[Part], bool]


@dataclass(frozen=True, slots=True)
class Completion:
    """What completes an upload. `attrs` and `settings` become the entry's. `describe` makes its checksums from the
    chosen parts in order, and may refuse with a StoreError; `record` makes the text that is kept as
    the result."""

    chosen: Sequence[Chosen]
    minimum_part_size: int
    describe: Callable[[Sequence[Part], Content], str]
    record: Callable[[Entry], str]
    attrs: str
    guard: Guard | None
    author: str
    message: str
    settings: Mapping[str, str] = field(default_factory=dict)


def create_upload(tx: Transaction, branch_id: int, key: str, attrs: str, author: str) -> Upload:
    tx.unprotected(branch_id)
    upload = Upload(secrets.token_hex(16), branch_id, key, attrs, author, now_us())
    uploads.insert_upload(tx.conn, upload)
    return upload


def find_upload(conn: Connection, branch_id: int, key: str, upload_id: str) -> Upload:
    """The upload, open or completed. Raises NoSuchUpload, also for another branch's or key's."""
    upload = uploads.find_upload(conn, upload_id)
    if upload is None or upload.branch_id != branch_id or upload.key != key:
        raise NoSuchUpload(upload_id)
    return upload


def open_upload(conn: Connection, branch_id: int, key: str, upload_id: str) -> Upload:
    """The upload, which is not completed yet. Raises NoSuchUpload."""
    upload = find_upload(conn, branch_id, key, upload_id)
    if upload.result:
        raise NoSuchUpload(upload_id)
    return upload


def put_part(
    tx: Transaction,
    upload: Upload,
    number: int,
    content: Content,
    extents: Sequence[Extent] | None,
    checksum: str,
) -> Part:
    """Stages a part: fresh bytes, or (with `extents`) a cut of what is stored already."""
    open_upload(tx.conn, upload.branch_id, upload.key, upload.id)
    tx.head(upload.branch_id)
    if extents is None:
        tx.store_content(content)
        extents = (Extent(content.digest, 0, content.size),) if content.size else ()
    else:
        for extent in extents:
            tx.check_recorded(extent.digest)
        for extent in extents:
            absolve(tx.conn, extent.digest)
    part = Part(number, content.size, content.digest, tuple(extents), checksum, now_us())
    uploads.put_part(
        tx.conn,
        upload.id,
        number=number,
        size=part.size,
        digest=part.digest,
        extents=encode_extents(part.extents),
        checksum=checksum,
        modified_us=part.modified_us,
    )
    return part


def parts_of(conn: Connection, upload_id: str, after: int, limit: int) -> Sequence[Part]:
    """Staged parts with numbers above `after`, by number."""
    return [
        Part(number, size, Digest(digest), decode_extents(extents), checksum, modified_us)
        for number, size, digest, extents, checksum, modified_us in uploads.parts_after(conn, upload_id, after, limit)
    ]


def complete_upload(
    tx: Transaction, branch_id: int, key: str, upload_id: str, completion: Completion
) -> tuple[Commit, Entry] | str:
    """The new commit and entry, or the kept result of an upload that was completed before.

    Raises NoSuchUpload, NoSuchPart, PartTooSmall, and what guard and `describe` raise.
    """
    upload = find_upload(tx.conn, branch_id, key, upload_id)
    if upload.result:
        return upload.result
    parts = _chosen_parts(tx.conn, upload_id, completion)
    content = compose(parts)
    checksums = completion.describe(parts, content)
    put = Put(key, content, completion.attrs, checksums, completion.guard, completion.settings)
    committed = tx.commit(branch_id, [put], author=completion.author, message=completion.message)
    (entry,) = committed.results
    if isinstance(entry, Exception):
        raise entry
    assert committed.commit is not None
    uploads.complete_upload(tx.conn, upload_id, now_us(), completion.record(entry))
    return committed.commit, entry


def abort_upload(tx: Transaction, branch_id: int, key: str, upload_id: str) -> None:
    open_upload(tx.conn, branch_id, key, upload_id)
    uploads.delete_upload(tx.conn, upload_id)


def _chosen_parts(conn: Connection, upload_id: str, completion: Completion) -> Sequence[Part]:
    staged = {part.number: part for part in parts_of(conn, upload_id, 0, _ALL)}
    parts = []
    for chosen in completion.chosen:
        part = staged.get(chosen.number)
        if part is None or not chosen.matches(part):
            raise NoSuchPart(chosen.number)
        parts.append(part)
    for part in parts[:-1]:
        if part.size < completion.minimum_part_size:
            raise PartTooSmall(part.number, part.size, completion.minimum_part_size)
    return parts
