"""An upload that broke off is finished by its id: parts that are there are not sent again.

s3cmd would send all of them, since it looks for MD5s where this gateway has BLAKE3 digests. Here a part counts as sent
when its ETag, `"<BLAKE3 of the part>-1"`, is that of the same piece of the local file.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_plus

from blake3 import blake3

from gateway.s3cmd.exits import FAILED, USAGE, Leave
from gateway.s3cmd.files import Session
from gateway.s3cmd.line import is_remote
from gateway.s3cmd.service import Gateway

MIB = 1024 * 1024
_USUAL_CHUNK = 15 * MIB  # s3cmd's
_READ = MIB


@dataclass(frozen=True, slots=True)
class Target:
    """Where operands of put or sync go: a bucket, and a key or what keys begin with."""

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Found:
    """The file that belongs to an upload; `relative` is how s3cmd calls it in its lists."""

    path: Path
    key: str
    relative: str


def target_of(operands: Sequence[str]) -> Target:
    """Raises Leave."""
    if len(operands) < 2 or not is_remote(operands[-1]) or any(map(is_remote, operands[:-1])) or "-" in operands:
        raise Leave(USAGE, "--upload-id is for: put FILE… s3://BUCKET[/KEY], and sync DIR… s3://BUCKET[/PREFIX].")
    bucket, _, prefix = operands[-1][len("s3://") :].partition("/")
    return Target(bucket, prefix)


def find_local(operands: Sequence[str], target: Target, key: str) -> Found:
    """The file among the operands that s3cmd would put at `key`. Raises Leave."""
    for operand in operands:
        path = Path(operand)
        if path.is_file():
            is_whole_key = target.prefix and not target.prefix.endswith("/")
            if key == (target.prefix if is_whole_key else target.prefix + path.name):
                return Found(path, key, path.name)
        elif path.is_dir() and key.startswith(target.prefix):
            relative = key[len(target.prefix) :]
            name = "" if operand.endswith("/") or path.name == "" else f"{path.name}/"
            inner = relative.removeprefix(name)
            if relative.startswith(name) and ".." not in inner.split("/") and inner and (path / inner).is_file():
                return Found(path / inner, key, relative)
    raise Leave(USAGE, f"the upload belongs to s3://{target.bucket}/{key}, and none of the files named goes there.")


class Uploads:
    """A bucket's unfinished uploads, with one session. `tell` gets a line of progress."""

    def __init__(
        self, gateway: Gateway, session: Session, bucket: str, tell: Callable[[str], None] | None = None
    ) -> None:
        self._gateway, self._session, self._bucket = gateway, session, bucket
        self._tell = tell or (lambda text: print(text, file=sys.stderr))

    def key_of(self, upload_id: str) -> str:
        """The key that an upload belongs to. Raises Leave, Refused."""
        query = {"uploads": "", "encoding-type": "url"}
        while True:
            page = self._gateway.xml(self._session, "ListMultipartUploadsResult", f"/{self._bucket}", query)
            for upload in page.find_all("Upload"):
                if upload.child_text("UploadId") == upload_id:
                    return unquote_plus(upload.child_text("Key") or "")
            if page.child_text("IsTruncated") != "true":
                raise Leave(USAGE, f"there is no unfinished upload {upload_id} of yours in s3://{self._bucket}.")
            query["key-marker"] = unquote_plus(page.child_text("NextKeyMarker") or "")
            query["upload-id-marker"] = page.child_text("NextUploadIdMarker") or ""

    def finish(self, upload_id: str, found: Found, chunk_size: int | None) -> None:
        """When this returns the object is there, whole. `chunk_size` counts where no part tells it.

        Raises Leave, where the upload can be gone on with later; Refused.
        """
        try:
            with found.path.open("rb") as file:
                self._finish(upload_id, found, file, chunk_size)
        except OSError as exc:
            raise Leave(FAILED, f"{found.path} cannot be read: {exc}") from exc

    def _finish(self, upload_id: str, found: Found, file: BinaryIO, chunk_size: int | None) -> None:
        there = self._parts(upload_id, found.key)
        size = os.fstat(file.fileno()).st_size
        step = max((length for _, length in there.values()), default=chunk_size or _USUAL_CHUNK)
        count = max(1, -(-size // step))
        etags = []
        for number in range(1, count + 1):
            piece = Piece(file, (number - 1) * step, min(step, size - (number - 1) * step))
            etag, length = there.get(number, ("", -1))
            is_there = length == piece.size and etag.strip('"') == f"{piece.digest(blake3())}-1"
            self._tell(f"{found.path}: part {number} of {count}, {'already there' if is_there else 'sending'}")
            etags.append(etag if is_there else self._send(upload_id, found.key, number, piece))
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        self._gateway.s3(self._session, "POST", self._path(found.key), {"uploadId": upload_id}, body)

    def _parts(self, upload_id: str, key: str) -> Mapping[int, tuple[str, int]]:
        """Number → ETag and size."""
        parts: dict[int, tuple[str, int]] = {}
        query = {"uploadId": upload_id, "encoding-type": "url"}
        while True:
            page = self._gateway.xml(self._session, "ListPartsResult", self._path(key), query)
            for part in page.find_all("Part"):
                number, size = int(part.child_text("PartNumber") or 0), int(part.child_text("Size") or 0)
                parts[number] = part.child_text("ETag") or "", size
            if page.child_text("IsTruncated") != "true":
                return parts
            query["part-number-marker"] = page.child_text("NextPartNumberMarker") or ""

    def _send(self, upload_id: str, key: str, number: int, piece: Piece) -> str:
        query = {"partNumber": str(number), "uploadId": upload_id}
        digest = piece.digest(hashlib.sha256())
        reply = self._gateway.s3(self._session, "PUT", self._path(key), query, piece, digest=digest, length=piece.size)
        return str(reply.headers["ETag"])

    def _path(self, key: str) -> str:
        return f"/{self._bucket}/{key}"


class Piece:
    """A piece of a file; each iteration reads it from its beginning. Never in memory as a whole."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self.size = file, start, size

    def __iter__(self) -> Iterator[bytes]:
        """Raises Leave where the file has become shorter."""
        at = 0
        while at < self.size:
            data = os.pread(self._file.fileno(), min(_READ, self.size - at), self._start + at)
            if not data:
                raise Leave(FAILED, "the file became shorter while it was sent.")
            at += len(data)
            yield data

    def digest(self, of: blake3 | hashlib._Hash) -> str:
        for data in self:
            of.update(data)
        return of.hexdigest()
