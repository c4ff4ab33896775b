"""S3 as the engine uses it: the objects of one bucket, and refusals as what they mean for a sync."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, unquote_plus, urlencode

import urllib3

from gateway.client.connection import Connection, Refusal, SizedBody, Unreachable
from gateway.s3.dates import parse_http_date
from gateway.s3.errors import MalformedXML
from gateway.s3.xml import Element, document, element, group, legible, parse_xml
from gateway.sync.control import Control
from gateway.sync.faults import FileChanged, FileFailed, Halted, Refused, SyncFault
from gateway.sync.manifest import Item
from gateway.sync.model import SyncError
from gateway.sync.progress import Meter

_Result = TypeVar("_Result")

_READ_BYTES = 1024 * 1024
_ANSWER_BYTES = 16 * 1024 * 1024
MOST_DELETIONS = 1000  # S3's limit for a DeleteObjects

# Nobody with these credentials gets any further.
_UNAUTHENTICATED = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
_FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"})
_MOVED = frozenset({"NoSuchKey", "NoSuchVersion", "PreconditionFailed", "InvalidRange", "HTTP 404", "HTTP 412"})
_UNWRITABLE = frozenset({"AccessDenied", "NoSuchBucket", "MethodNotAllowed", "AllAccessDisabled"})


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    size: int
    etag: str


class Objects:
    """One bucket of an endpoint. Requests are tried again while they may yet succeed. Thread-safe.

    With `version_id` objects are read as they were in that version. `signs`: bodies are signed; without, whoever
    puts holds the answered ETag against the content.
    """

    def __init__(
        self, connection: Connection, bucket: str, control: Control, *, version_id: str | None = None, signs: bool
    ) -> None:
        self.connection, self.bucket = connection, bucket
        self.version_id = version_id
        self._control, self._signs = control, signs

    def create(self) -> None:
        """Makes the bucket. Raises Refusal."""
        self._control.persist(lambda: self.connection.send("PUT", f"/{self.bucket}"))

    # ---------------------------------------------------------------- reading

    def list(self, prefix: str) -> Iterator[Item]:
        """All objects whose keys begin with it, by key; paths are what follows. Raises SyncError, Refusal."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        last = ""
        while True:
            page = self._xml("GET", "", query, root="ListBucketResult")
            is_encoded = page.child_text("EncodingType") == "url"
            for found in page.find_all("Contents"):
                key = found.child_text("Key") or ""
                key = unquote_plus(key) if is_encoded else key
                if key <= last:
                    raise SyncError(
                        f"{self.connection.endpoint} lists keys out of their order, as {key!r} behind {last!r}"
                    )
                last = key
                if len(key) > len(prefix):
                    yield Item(
                        key[len(prefix) :],
                        int(found.child_text("Size") or 0),
                        _nanoseconds(found.child_text("LastModified") or ""),
                        etags=((found.child_text("ETag") or "").strip('"'),),
                    )
            token = page.child_text("NextContinuationToken")
            if page.child_text("IsTruncated") != "true" or not token:
                return
            query["continuation-token"] = token

    def head(self, key: str, part: int | None = None) -> Mapping[str, str]:
        """An object's headers, those of one of its parts. Raises FileFault."""
        query = self._versioned({} if part is None else {"partNumber": str(part)})
        return self._reading(lambda: self._send("HEAD", key, query).headers)

    def get(self, key: str, etag: str, start: int, size: int, meter: Meter) -> tuple[bytes, Mapping[str, str]]:
        """So many bytes, and the headers. Raises FileChanged where the object is another by now, FileFailed."""

        def attempt() -> tuple[bytes, Mapping[str, str]]:
            headers = {"if-match": f'"{etag}"'}
            if size:
                headers["range"] = f"bytes={start}-{start + size - 1}"
            reply = self._send("GET", key, self._versioned({}), headers=headers, stream=True)
            pieces, count = [], 0
            try:
                while piece := reply.read(min(_READ_BYTES, self._control.slice_bytes), decode_content=False):
                    meter.move(len(piece))
                    count += len(piece)
                    pieces.append(piece)
            except (urllib3.exceptions.HTTPError, OSError) as exc:
                meter.take_back(count)
                raise Unreachable(f"the content from {self.connection.endpoint} ended before its time: {exc}") from exc
            except BaseException:
                meter.take_back(count)
                raise
            finally:
                reply.close()
                reply.release_conn()
            return b"".join(pieces), reply.headers

        data, headers = self._reading(attempt)
        if len(data) != size:
            raise FileChanged(f"it has {len(data)} bytes in place of {size}")
        return data, headers

    # ---------------------------------------------------------------- writing

    def put(self, key: str, data: bytes, headers: Mapping[str, str], meter: Meter) -> urllib3.BaseHTTPResponse:
        """Raises SyncFault."""
        return self._writing(lambda: self._upload(key, {}, data, headers, meter))

    def copy(self, key: str, bucket: str, source_key: str, version_id: str | None, etag: str) -> str:
        """The ETag of the copy. Raises SyncFault."""
        source = f"/{bucket}/{quote(source_key, safe='/-_.~')}" + (f"?versionId={version_id}" if version_id else "")
        headers = {"x-amz-copy-source": source, "x-amz-copy-source-if-match": f'"{etag}"'}
        found = self._writing(lambda: self._xml("PUT", key, {}, headers=headers, root="CopyObjectResult"))
        return (found.child_text("ETag") or "").strip('"')

    def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """At most `MOST_DELETIONS`; those that could not be deleted, with the reason. Raises SyncFault."""
        told = {key: group("Object", element("Key", key)) for key in keys if legible(key) == key}
        failed: dict[str, str] = {}
        if told:
            body = document("Delete", *told.values(), element("Quiet", "true"))
            digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            answer = self._writing(
                lambda: self._xml(
                    "POST", "", {"delete": ""}, body=body, headers={"content-md5": digest}, root="DeleteResult"
                )
            )
            for error in answer.find_all("Error"):
                failed[error.child_text("Key") or ""] = error.child_text("Message") or error.child_text("Code") or ""
        for key in keys:
            if key not in told:  # XML cannot hold it
                self._writing(lambda key=key: self._send("DELETE", key, {}))  # type: ignore[misc]
        return failed

    # ---------------------------------------------------------------- uploads in parts

    def begin_upload(self, key: str, headers: Mapping[str, str]) -> str:
        """The upload's id. Raises SyncFault."""
        answer = self._writing(
            lambda: self._xml("POST", key, {"uploads": ""}, headers=headers, root="InitiateMultipartUploadResult")
        )
        return answer.child_text("UploadId") or ""

    def parts(self, key: str, upload_id: str) -> Mapping[int, Part] | None:
        """By number; None where there is no such upload. Raises SyncFault."""
        found: dict[int, Part] = {}
        query = {"uploadId": upload_id}
        while True:
            try:
                page = self._xml("GET", key, query, root="ListPartsResult")
            except Refusal as exc:
                if exc.status == 404:
                    return None
                raise _fault_of_writing(exc) from exc
            for part in page.find_all("Part"):
                number = int(part.child_text("PartNumber") or 0)
                etag = (part.child_text("ETag") or "").strip('"')
                found[number] = Part(number, int(part.child_text("Size") or 0), etag)
            if page.child_text("IsTruncated") != "true":
                return found
            query["part-number-marker"] = page.child_text("NextPartNumberMarker") or ""

    def put_part(self, key: str, upload_id: str, number: int, data: bytes, meter: Meter) -> str:
        """The part's ETag. Raises SyncFault."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        reply = self._writing(lambda: self._upload(key, query, data, {}, meter))
        return reply.headers.get("etag", "").strip('"')

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> str:
        """The object's ETag. Raises SyncFault."""
        listed = [
            group("Part", element("PartNumber", str(part.number)), element("ETag", f'"{part.etag}"')) for part in parts
        ]
        body = document("CompleteMultipartUpload", *listed)
        answer = self._writing(
            lambda: self._xml("POST", key, {"uploadId": upload_id}, body=body, root="CompleteMultipartUploadResult")
        )
        return (answer.child_text("ETag") or "").strip('"')

    def abort(self, key: str, upload_id: str) -> None:
        """One that is not there is as good. Raises SyncFault."""
        try:
            self._control.persist(lambda: self._send("DELETE", key, {"uploadId": upload_id}))
        except Refusal as exc:
            if exc.status != 404:
                raise _fault_of_writing(exc) from exc

    # ---------------------------------------------------------------- requests

    def _versioned(self, query: Mapping[str, str]) -> Mapping[str, str]:
        return query if self.version_id is None else {**query, "versionId": self.version_id}

    def _send(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        body: bytes | SizedBody = b"",
        headers: Mapping[str, str] | None = None,
        *,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        path = f"/{self.bucket}/{quote(key, safe='/-_.~')}" if key else f"/{self.bucket}"
        text = urlencode(query, quote_via=quote, safe="-_.~")
        return self.connection.send(method, path, text, body, headers, stream=stream)

    def _upload(
        self, key: str, query: Mapping[str, str], data: bytes, headers: Mapping[str, str], meter: Meter
    ) -> urllib3.BaseHTTPResponse:
        step, moved = self._control.slice_bytes, 0
        view = memoryview(data)

        def slices() -> Iterator[bytes]:
            nonlocal moved
            for at in range(0, len(data), step):
                piece = view[at : at + step]
                meter.move(len(piece))
                moved += len(piece)
                yield piece  # type: ignore[misc]  # a socket takes any buffer

        body: bytes | SizedBody = b""
        if data:
            signed = {"sha256": hashlib.sha256(data).hexdigest()} if self._signs else {}
            body = SizedBody(slices(), len(data), **signed)
        try:
            return self._send("PUT", key, query, body, headers)
        except BaseException:
            meter.take_back(moved)
            raise

    def _xml(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        *,
        root: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Element:
        """An answer's document. Raises SyncError where it is none; Refusal also for an error behind a 200."""
        reply = self._control.persist(lambda: self._send(method, key, query, body, headers))
        try:
            return parse_xml(reply.data, root, max_bytes=_ANSWER_BYTES)
        except MalformedXML as exc:
            if b"<Error>" in reply.data[:4096]:
                error = parse_xml(reply.data, "Error")
                raise Refusal(500, error.child_text("Code") or "", error.child_text("Message") or "", {}, "") from exc
            raise SyncError(f"what answers at {self.connection.endpoint} is no S3 endpoint") from exc

    def _reading(self, request: Callable[[], _Result]) -> _Result:
        try:
            return self._control.persist(request)
        except Refusal as exc:
            raise fault_of_reading(exc) from exc

    def _writing(self, request: Callable[[], _Result]) -> _Result:
        try:
            return self._control.persist(request)
        except Refusal as exc:
            raise _fault_of_writing(exc) from exc


def is_unauthenticated(refusal: Refusal) -> bool:
    return refusal.code in _UNAUTHENTICATED


def fault_of_destination(refusal: Refusal) -> SyncFault:
    """Of a refusal that concerns no single object."""
    return Halted(str(refusal)) if refusal.code in _FULL else Refused(str(refusal))


def fault_of_reading(refusal: Refusal) -> SyncFault | SyncError:
    if is_unauthenticated(refusal) or refusal.code == "NoSuchBucket":
        return SyncError(str(refusal))
    if refusal.code in _MOVED:
        return FileChanged("it vanished" if refusal.status == 404 else "it changed while it was read")
    return FileFailed(str(refusal))


def _fault_of_writing(refusal: Refusal) -> SyncFault | SyncError:
    if is_unauthenticated(refusal):
        return SyncError(str(refusal))
    if refusal.code in _FULL:
        return Halted(str(refusal))
    if refusal.code in _UNWRITABLE:
        return Refused(str(refusal))
    if refusal.code == "PreconditionFailed":  # of a copy's source
        return FileChanged("it changed before it was copied")
    return FileFailed(str(refusal))


def _nanoseconds(text: str) -> int:
    moment = parse_http_date(text)
    return 0 if moment is None else round(moment.timestamp() * 1000) * 1_000_000
