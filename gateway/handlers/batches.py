"""Batches of small files: an archive's members become objects, all of them in one commit or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blake3 import blake3

from gateway.handlers.attributes import dump_checksums, dump_headers, load_checksums, settings_of
from gateway.handlers.authorise import permit_put
from gateway.handlers.context import Context
from gateway.handlers.locate import open_branch
from gateway.handlers.objects import commit
from gateway.handlers.ownership import new_owner
from gateway.s3 import operations as op
from gateway.s3.archive import ArchiveReader
from gateway.s3.errors import EntityTooLarge, InvalidRequest, S3Error
from gateway.s3.parse_batch import file_request, member_headers, member_key
from gateway.s3.parse_headers import object_headers
from gateway.s3.tar import Member
from pfs import Branch, Put, Stage

# A commit is one transaction, for which all other writers wait.
MAX_MEMBERS = 10_000
# Bytes of small contents that wait in memory for their commit; the others wait in files.
MAX_HELD = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """An archive that has come whole. `etag` is its own."""

    etag: str
    puts: Sequence[Put]


async def put_object_extract(ctx: Context, request: op.PutObjectExtractInput) -> op.PutObjectOutput:
    """What is wrong with the archive, or not allowed, is told once all of its body has come and is as announced."""
    branch = await open_branch(ctx, request.bucket)
    batch, checksums = await ctx.body.receive_into(request.payload, Unpacker(ctx, branch, request))
    message = request.message or f"put {len(batch.puts)} keys"
    committed = await commit(ctx, branch, batch.puts, message)
    assert committed.commit is not None  # puts of legal keys and new content, unguarded, are not refused
    return op.PutObjectOutput(batch.etag, committed.commit.id, load_checksums(dump_checksums(checksums)))


class Unpacker:
    """A sink (see `context.Sink`) for an archive: stages each member's content, and gathers what is to be committed.

    An archive that is refused is read on nevertheless: damage on the way is then told as such, by the body's digests.
    """

    def __init__(self, ctx: Context, branch: Branch, request: op.PutObjectExtractInput) -> None:
        self._ctx, self._branch, self._request = ctx, branch, request
        self._owner = new_owner(ctx, branch)
        self._plain = self._kept(request.headers)
        self._reader, self._hash = ArchiveReader(), blake3()
        self._puts: list[Put] = []
        self._members = self._held = 0
        self._current: _File | None = None
        self._error: S3Error | None = None

    def write(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        if self._error is not None:
            return
        try:
            for event in self._reader.feed(data):
                if isinstance(event, Member):
                    self._begin(event)
                else:
                    self._append(event)
        except S3Error as exc:
            self._refuse(exc)

    def finish(self) -> Batch:
        """Raises S3Error for the first thing that is wrong with the archive."""
        if self._error is not None:
            raise self._error
        self._reader.finish()
        if not self._puts:
            raise InvalidRequest("The archive holds nothing to store.")
        return Batch(f"{self._hash.hexdigest()}-1", self._puts)

    def discard(self) -> None:
        """What was staged already is left for the collection of garbage: another upload may have the same bytes."""
        self._puts.clear()
        if self._current is not None:
            self._current.stage.discard()
            self._current = None

    def _refuse(self, error: S3Error) -> None:
        self._error = error
        self.discard()

    def _begin(self, member: Member) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise EntityTooLarge(
                f"The archive holds more than {MAX_MEMBERS} files and directories.",
                fields={"MaxMembersAllowed": str(MAX_MEMBERS)},
            )
        key = member_key(self._request.prefix, member)
        if not key or (member.is_directory and self._request.ignore_dirs):
            return
        own = member_headers(member)
        permit_put(self._ctx, self._branch, key, own)
        attrs, settings = self._plain
        if own:
            attrs, settings = self._kept(object_headers(file_request(self._ctx.request, key, own)))
        stage = self._ctx.store.stage(inline=self._held < MAX_HELD)
        self._current = _File(key, attrs, settings, stage, member.size)
        self._end_if_whole(self._current)

    def _append(self, piece: memoryview) -> None:
        current = self._current
        assert current is not None
        current.stage.write(piece)
        self._end_if_whole(current)

    def _end_if_whole(self, file: _File) -> None:
        if file.stage.size < file.size:
            return
        content = file.stage.finish()
        self._held += len(content.pending or b"")
        self._puts.append(Put(file.key, content, file.attrs, settings=file.settings))
        self._current = None

    def _kept(self, headers: op.ObjectHeaders) -> tuple[str, Mapping[str, str]]:
        """Attributes and settings of what has these headers."""
        return dump_headers(headers), settings_of(headers.tags, headers.acl, self._owner)


@dataclass(frozen=True, slots=True)
class _File:
    """A member whose `size` bytes are on their way into `stage`."""

    key: str
    attrs: str
    settings: Mapping[str, str]
    stage: Stage
    size: int
