"""multipart/form-data (RFC 7578, RFC 2046 §5.1.1) of a POST upload: fields first, then the file, bytes in, content out.

    head = FormHead(boundary)
    while not head.feed(data): …            the fields are complete, the file begins
    file = FileContent(boundary)
    for piece in file.feed(head.rest): …    and so on with all that follows
    file.finish()

The fields are kept in memory, and bounded; the file passes through. What follows the file is read over, as S3
does. A field is told from the file by its name alone: some clients send a file name with every field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.s3.errors import (
    InvalidArgument,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceededError,
    PreconditionFailed,
)
from gateway.s3.request import Request

MAX_HEAD_BYTES = 64 * 1024

_FILE = "file"
_BOUNDARY = re.compile(
    r"""multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;.*)?""", re.IGNORECASE
)
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_ESCAPED = re.compile(r'\\(["\\])')


def form_boundary(request: Request) -> bytes:
    """What separates the parts of a form; PreconditionFailed where the request's body is none."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().lstrip().startswith("multipart/form-data"):
        condition = "Bucket POST must be of the enclosure-type multipart/form-data"
        raise PreconditionFailed(fields={"Condition": condition})
    match = _BOUNDARY.fullmatch(content_type.strip())
    if match is None:
        raise MalformedPOSTRequest
    return (match[1] or match[2]).encode("utf-8", "surrogateescape")


class FormHead:
    """What precedes the file's content. `fields`: lower-case name → value; `file_name`: of the file, or "".

    Once `feed` has said True, `rest` is what it was fed beyond that.
    """

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self.rest = b""
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter begins a line; as with all others, the line break before it is part of it.
        self._buffer = bytearray(b"\r\n")
        self._at = -1  # where the value of the field `_name` begins; -1: before the first delimiter
        self._name = ""

    def feed(self, data: bytes) -> bool:
        """Whether the file's content has begun. Raises S3Error for what is no form with one file."""
        self._buffer += data
        while (part := self._next_part()) is not None:
            name, file_name = part
            if name == _FILE:
                self.file_name = file_name
                self.rest = bytes(self._buffer[self._at :])
                self._buffer.clear()
                return True
            if name in self.fields:
                raise InvalidArgument(f"The form has more than one field {name!r}.", fields={"ArgumentName": name})
            self._name = name
        if len(self._buffer) > MAX_HEAD_BYTES:
            raise MaxPostPreDataLengthExceededError
        return False

    def _next_part(self) -> tuple[str, str] | None:
        """Ends the field that is open, and begins the next part: its name and file name. None: more is needed."""
        end = self._buffer.find(self._delimiter, max(self._at, 0))
        if end < 0:
            return None
        line_end = self._buffer.find(b"\r\n", end + len(self._delimiter))
        if self._buffer.startswith(b"--", end + len(self._delimiter)):
            raise InvalidArgument("POST requires exactly one file upload per request.", fields={"ArgumentName": _FILE})
        if line_end < 0:
            return None
        head_end = self._buffer.find(b"\r\n\r\n", line_end)
        if head_end < 0:
            return None
        if head_end > MAX_HEAD_BYTES:
            raise MaxPostPreDataLengthExceededError
        if self._at >= 0:
            self.fields[self._name] = _text(self._buffer[self._at : end])
        head = _text(self._buffer[line_end:head_end])
        self._at = head_end + 4
        return _disposition(head)


def _text(data: bytes | bytearray) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPOSTRequest("The fields of your POST request are not UTF-8.") from error


def _disposition(head: str) -> tuple[str, str]:
    """The name and the file name that a part's Content-Disposition gives it."""
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition" and value.strip().lower().startswith("form-data"):
            found = {match[1].lower(): _unescaped(match[2]) or match[3] or "" for match in _PARAMETER.finditer(value)}
            if "name" in found:
                return found["name"].lower(), found.get("filename", "")
    raise MalformedPOSTRequest


def _unescaped(text: str | None) -> str:
    # Only these two: browsers used to send Windows paths with their backslashes as they are.
    return _ESCAPED.sub(r"\1", text or "")


class FileContent:
    """The file's content, out of what follows the form's head."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._held = b""
        self._done = False

    def feed(self, data: bytes) -> Iterator[bytes | memoryview]:
        """The content as far as it is known to be none of the delimiter."""
        if self._done:
            return
        buffer = self._held + data
        end = buffer.find(self._delimiter)
        self._done = end >= 0
        if not self._done:
            end = max(len(buffer) - len(self._delimiter) + 1, 0)
            self._held = buffer[end:]
        if end:
            yield memoryview(buffer)[:end]

    def finish(self) -> None:
        """The body has ended: MalformedPOSTRequest unless the file had."""
        if not self._done:
            raise MalformedPOSTRequest
