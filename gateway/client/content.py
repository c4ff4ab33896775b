"""What keys hold, through S3: read as a stream, written from bytes or a file. Memory stays constant at any size."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import BinaryIO
from urllib.parse import quote

import urllib3

from gateway.api.model import CommitId
from gateway.client.connection import Connection, Refusal, SizedBody, Unreachable

CHUNK_BYTES = 1024 * 1024
_SPOOL_BYTES = 8 * 1024 * 1024
_METADATA_PREFIX = "x-amz-meta-"


def bucket_name(repo: str, branch: str | None = None) -> str:
    """What S3 calls a branch; without one, the repo's default branch."""
    return repo if branch is None else f"{branch}.{repo}"


class Content:
    """A key's content while it comes in: a readable binary file, and a context manager that ends the transfer.

    Unreachable is raised where the connection ends before the content does: what was read then is not all.
    """

    def __init__(self, reply: urllib3.BaseHTTPResponse) -> None:
        self._reply = reply
        self.size = int(reply.headers["content-length"])
        self.etag = reply.headers["etag"].strip('"')
        self.version_id: CommitId = reply.headers["x-amz-version-id"]
        self.content_type = reply.headers.get("content-type", "")
        self.metadata: Mapping[str, str] = {
            name.lower().removeprefix(_METADATA_PREFIX): value
            for name, value in reply.headers.items()
            if name.lower().startswith(_METADATA_PREFIX)
        }

    def read(self, size: int | None = None) -> bytes:
        """At most `size` bytes; all that is left, where it is None or negative."""
        try:
            return self._reply.read(None if size is None or size < 0 else size)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise Unreachable(f"the content ended before its time: {exc}") from exc

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self._reply.close()
        self._reply.release_conn()

    def __enter__(self) -> Content:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(connection: Connection, repo: str, key: str, branch: str | None, rev: str) -> Content:
    query = "" if rev == "HEAD" else f"versionId={quote(rev, safe='-_.~')}"
    return Content(connection.send("GET", object_path(bucket_name(repo, branch), key), query, stream=True))


def write(
    connection: Connection,
    repo: str,
    key: str,
    content: bytes | BinaryIO,
    branch: str | None,
    headers: Mapping[str, str],
) -> CommitId:
    with _spooled(content) as file:
        start = file.tell()
        digest, size = _digest(file)
        file.seek(start)
        path = object_path(bucket_name(repo, branch), key)
        reply = connection.send("PUT", path, body=SizedBody(file, size, digest) if size else b"", headers=headers)
    return reply.headers["x-amz-version-id"]


def write_headers(
    content_type: str | None, metadata: Mapping[str, str], message: str | None, if_match: str | None, only_new: bool
) -> dict[str, str]:
    headers = {f"{_METADATA_PREFIX}{name.lower()}": value for name, value in metadata.items()}
    if content_type is not None:
        headers["content-type"] = content_type
    if message is not None:
        headers["x-caret-message"] = message
    if if_match is not None:
        headers["if-match"] = f'"{if_match}"'
    if only_new:
        headers["if-none-match"] = "*"
    return headers


def object_path(bucket: str, key: str) -> str:
    """Raises Refusal for no key at all: the path would be the bucket's, which to delete, say, means another thing."""
    if not key:
        raise Refusal(400, "InvalidName", "A key has 1 to 1024 bytes.", {"what": "key", "name": key}, "")
    return f"/{bucket}/{quote(key, safe='/-_.~')}"


class _Kept:
    """A file that is the caller's to close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __enter__(self) -> BinaryIO:
        return self._file

    def __exit__(self, *_: object) -> None:
        """Leaves it open."""


def _spooled(content: bytes | BinaryIO) -> _Kept | BinaryIO:
    """The content as a file that can be read twice: once for its digest, once to be sent."""
    if isinstance(content, bytes | bytearray | memoryview):
        return io.BytesIO(content)
    if content.seekable():
        return _Kept(content)
    spool: BinaryIO = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # type: ignore[assignment] # noqa: SIM115
    try:
        shutil.copyfileobj(content, spool, CHUNK_BYTES)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return spool


def _digest(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
