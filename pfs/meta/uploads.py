"""Queries: multipart uploads and their staged parts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from pfs.meta.database import Connection, Row, Statement
from pfs.meta.tables import parts, uploads
from pfs.model import Upload

_U, _P = uploads.c, parts.c
_columns = (_U.id, _U.branch_id, _U.key, _U.attrs, _U.author, _U.initiated_us, _U.result)
_part_columns = (_P.number, _P.size, _P.digest, _P.extents, _P.checksum, _P.modified_us)

_UPLOAD = Statement(select(*_columns).where(_U.id == bindparam("id")))
_OPEN_UPLOADS = Statement(
    select(*_columns)
    .where(
        _U.branch_id == bindparam("branch"),
        _U.completed_us.is_(None),
        _U.key >= bindparam("first"),
        or_(_U.key > bindparam("key"), and_(_U.key == bindparam("key"), _U.id > bindparam("id"))),
    )
    .order_by(_U.key, _U.id)
    .limit(bindparam("limit"))
)
_INSERT_UPLOAD = Statement(
    insert(uploads).values(
        id=bindparam("id"),
        branch_id=bindparam("branch_id"),
        key=bindparam("key"),
        attrs=bindparam("attrs"),
        author=bindparam("author"),
        initiated_us=bindparam("initiated_us"),
        completed_us=None,
        result="",
    )
)
_COMPLETE = Statement(
    update(uploads)
    .where(_U.id == bindparam("upload"))
    .values(completed_us=bindparam("now"), result=bindparam("outcome"))
)
_DELETE_UPLOAD = Statement(delete(uploads).where(_U.id == bindparam("id")))
_of_branch = _U.branch_id == bindparam("branch")
_DELETE_PARTS_OF_BRANCH = Statement(delete(parts).where(_P.upload_id.in_(select(_U.id).where(_of_branch))))
_DELETE_OF_BRANCH = Statement(delete(uploads).where(_of_branch))
_DELETE_PARTS = Statement(delete(parts).where(_P.upload_id == bindparam("id")))
_DELETE_PART = Statement(delete(parts).where(_P.upload_id == bindparam("upload"), _P.number == bindparam("number")))
_INSERT_PART = Statement(
    insert(parts).values(
        upload_id=bindparam("upload"),
        number=bindparam("number"),
        size=bindparam("size"),
        digest=bindparam("digest"),
        extents=bindparam("extents"),
        checksum=bindparam("checksum"),
        modified_us=bindparam("modified"),
    )
)
_PARTS = Statement(
    select(*_part_columns)
    .where(_P.upload_id == bindparam("upload"), _P.number > bindparam("after"))
    .order_by(_P.number)
    .limit(bindparam("limit"))
)
_ALL_EXTENTS = Statement(select(_P.extents))


def find_upload(conn: Connection, upload_id: str) -> Upload | None:
    """The upload, open or completed."""
    row = conn.one(_UPLOAD, id=upload_id)
    return _upload(row) if row else None


def open_uploads(
    conn: Connection, branch_id: int, first: bytes, after: tuple[bytes, str], limit: int
) -> Sequence[Upload]:
    """Uploads that are not completed, by key and id: keys from `first` on, behind (key, id) `after`."""
    rows = conn.all(_OPEN_UPLOADS, branch=branch_id, first=first, key=after[0], id=after[1], limit=limit)
    return [_upload(row) for row in rows]


def insert_upload(conn: Connection, upload: Upload) -> None:
    conn.run(
        _INSERT_UPLOAD,
        id=upload.id,
        branch_id=upload.branch_id,
        key=upload.key.encode(),
        attrs=upload.attrs,
        author=upload.author,
        initiated_us=upload.initiated_us,
    )


def complete_upload(conn: Connection, upload_id: str, now_us: int, result: str) -> None:
    """Keeps the upload's record and result, drops its parts' records."""
    conn.run(_COMPLETE, upload=upload_id, now=now_us, outcome=result)
    conn.run(_DELETE_PARTS, id=upload_id)


def delete_upload(conn: Connection, upload_id: str) -> None:
    conn.run(_DELETE_PARTS, id=upload_id)
    conn.run(_DELETE_UPLOAD, id=upload_id)


def delete_uploads(conn: Connection, branch_id: int) -> None:
    """All of the branch's, completed ones too."""
    conn.run(_DELETE_PARTS_OF_BRANCH, branch=branch_id)
    conn.run(_DELETE_OF_BRANCH, branch=branch_id)


def put_part(
    conn: Connection,
    upload_id: str,
    *,
    number: int,
    size: int,
    digest: bytes,
    extents: bytes,
    checksum: str,
    modified_us: int,
) -> None:
    """Stages a part in place of an earlier one of its number."""
    conn.run(_DELETE_PART, upload=upload_id, number=number)
    conn.run(
        _INSERT_PART,
        upload=upload_id,
        number=number,
        size=size,
        digest=digest,
        extents=extents,
        checksum=checksum,
        modified=modified_us,
    )


def parts_after(conn: Connection, upload_id: str, after: int, limit: int) -> Sequence[Row]:
    """(number, size, digest, extents, checksum, modified_us), by number."""
    return conn.all(_PARTS, upload=upload_id, after=after, limit=limit)


def all_extents(conn: Connection) -> Sequence[Row]:
    return conn.all(_ALL_EXTENTS)


def _upload(row: Row) -> Upload:
    return Upload(row[0], row[1], row[2].decode(), *row[3:])
