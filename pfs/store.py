"""The façade: one object through which a store is read and written.

Reads are plain calls that return what was committed last; they take a short-lived connection
and may be made from any thread. Writes return a `concurrent.futures.Future`: when it resolves, the
write is on disk (see `pfs.commits.group`); `.result()` waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from blake3 import blake3
from sqlalchemy.engine import URL

from pfs import flatten, history, listing, multipart
from pfs.blobs.base import BlobStore
from pfs.blobs.local import LocalBlobs
from pfs.blobs.memory import MemoryBlobs
from pfs.blobs.remote import RemoteBlobs
from pfs.blobs.staging import Stage, etag
from pfs.commits.group import Committer, Observer
from pfs.commits.transaction import Transaction, make_repo, new_uid, now_us
from pfs.config import StoreConfig
from pfs.errors import BranchExists, MissingBlob, NoSuchBranch, NoSuchCommit, NoSuchKey, NoSuchRepo
from pfs.fsck import Report, check
from pfs.manifest import cut, decode_manifest, encode_extents
from pfs.meta import contents, entries, refs, uploads
from pfs.meta.database import Connection, Database
from pfs.meta.migrate import upgrade
from pfs.meta.settings import branch_setting, set_branch_setting, set_entry_setting
from pfs.model import (
    BLOB,
    Branch,
    Change,
    Commit,
    CommitId,
    Committed,
    Content,
    Digest,
    Entry,
    Extent,
    Listing,
    Part,
    Upload,
    VersionListing,
    View,
)
from pfs.names import check_name, key_bytes
from pfs.timelines import Timelines

DEFAULT_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes that are at hand."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes from `offset` of a local file, for sendfile."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Stored:
    """`length` bytes from `offset` of a blob that `Store.read_blob` reads."""

    digest: Digest
    offset: int
    length: int


Segment = Inline | FileRange | Stored


def open_store(config: StoreConfig, observer: Observer | None = None) -> Store:
    """Opens a store, making or upgrading it if need be. Several processes may have it open at once."""
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = config.database_url or URL.create("sqlite", database=str(config.data / "caret.db"))
    database = Database(url, config.data / "write.lock")
    try:
        upgrade(database)
        blobs = _open_blobs(config)
    except BaseException:
        database.close()
        raise
    return Store(config, database, blobs, observer)


def _open_blobs(config: StoreConfig) -> BlobStore:
    if config.blob_url is None:
        return LocalBlobs(config.data)
    if config.blob_url == "memory:":
        return MemoryBlobs()
    spool = config.data / "tmp"
    spool.mkdir(exist_ok=True, mode=0o700)
    return RemoteBlobs(config.blob_url, spool, config.blob_options)


class Store:
    """See the module. `reads_are_local` tells whether point reads are short enough to be made in an
    event loop (an embedded database) or cross a network."""

    def __init__(
        self, config: StoreConfig, database: Database, blobs: BlobStore, observer: Observer | None = None
    ) -> None:
        self._config, self._database, self._blobs = config, database, blobs
        self._timelines = Timelines()
        self._committer = Committer(database, self._timelines, observer)
        self._manifest = lru_cache(maxsize=64)(self._read_manifest)
        self.reads_are_local = database.is_sqlite

    def close(self) -> None:
        """Carries out the writes that are queued, then releases everything."""
        self._committer.close()
        self._database.close()
        self._blobs.close()

    def ping(self) -> None:
        """Raises a StoreError where the database does not answer."""
        with self._database.connection() as conn:
            refs.find_repo(conn, "", "")

    # ------------------------------------------------------------ branches

    def branch(self, project: str, repo: str, branch: str | None = None) -> Branch:
        """`branch` None is the repo's default branch. Raises NoSuchRepo, NoSuchBranch."""
        with self._database.connection() as conn:
            found = refs.find_branch(conn, project, repo, branch)
            if found is None:
                known = refs.find_repo(conn, project, repo)
                if known is None:
                    raise NoSuchRepo(repo)
                raise NoSuchBranch(repo, branch or known.default_branch)
            return found

    def branches(self, project: str, *, prefix: str = "", after: str = "", limit: int = 10_000) -> Sequence[Branch]:
        """Branches of all the project's repos by label, those behind `after`."""
        with self._database.connection() as conn:
            return refs.branches_by_label(conn, project, prefix, after, limit)

    def create_branch(
        self,
        project: str,
        repo: str,
        branch: str | None,
        *,
        label: str,
        author: str,
        settings: Mapping[str, str] | None = None,
        guard: Callable[[Branch | None, Sequence[Branch]], None] | None = None,
    ) -> Future[Branch]:
        """Makes an empty branch, and its repo if need be, whose default branch it becomes.

        It forks from the repo's root commit. `branch` None: the default branch, `main` in a
        new repo. `settings` are what it begins with. `guard` is called inside the transaction with the branch
        that has the name already, if there is one, and all branches of the repo; it raises a StoreError to refuse.
        Raises InvalidName; the future BranchExists.
        """
        check_name("repo", repo)
        if branch is not None:
            check_name("branch", branch)

        def operation(tx: Transaction) -> Branch:
            known = refs.find_repo(tx.conn, project, repo)
            if known is None:
                name = branch or DEFAULT_BRANCH
                repo_id = make_repo(tx, project, repo, name, author)
                timeline_id = refs.root_timeline(tx.conn, repo_id).id
            else:
                name, repo_id = branch or known.default_branch, known.id
                existing = refs.find_branch(tx.conn, project, repo, name)
                if guard is not None:
                    guard(existing, refs.branches_of_repo(tx.conn, repo_id))
                if existing is not None:
                    raise BranchExists(repo, name)
                root = refs.root_timeline(tx.conn, repo_id)
                timeline_id = refs.insert_timeline(
                    tx.conn, uid=new_uid(), repo_id=repo_id, parent_id=root.id, fork_seq=0
                )
            made = _insert_branch(tx, project, repo_id, name, label, timeline_id, 0)
            for setting, value in (settings or {}).items():
                set_branch_setting(tx.conn, made.id, setting, value)
            return made

        return self._committer.submit(operation)

    def fork_branch(self, source: Branch, rev: str, name: str, *, label: str) -> Future[Branch]:
        """A branch of the same repo whose head is `rev`, seen from `source`: one row, at any size.

        Raises InvalidName; the future BranchExists and what `resolve` raises.
        """
        check_name("branch", name)

        def operation(tx: Transaction) -> Branch:
            if refs.find_branch(tx.conn, source.project, source.repo, name) is not None:
                raise BranchExists(source.repo, name)
            tx.flush()
            start = history.resolve(tx.conn, self._timelines, tx.head(source.id).branch_now(), rev)
            timeline_id = refs.insert_timeline(
                tx.conn, uid=new_uid(), repo_id=source.repo_id, parent_id=start.timeline_id, fork_seq=start.seq
            )
            return _insert_branch(tx, source.project, source.repo_id, name, label, timeline_id, start.seq)

        return self._committer.submit(operation)

    def delete_branch(self, branch: Branch) -> Future[None]:
        """Hides the branch, and with the last one its repo; history stays. The future: NoSuchBranch."""

        def operation(tx: Transaction) -> None:
            tx.head(branch.id)
            tx.forget(branch.id)
            now = now_us()
            refs.delete_branch(tx.conn, branch.id, now)
            if refs.count_branches(tx.conn, branch.repo_id) == 0:
                refs.delete_repo(tx.conn, branch.repo_id, now)

        return self._committer.submit(operation)

    # ------------------------------------------------------------ revisions and views

    def head(self, branch: Branch) -> View:
        """The branch's moving head."""
        with self._database.connection() as conn:
            return history.head_view(conn, self._timelines, branch)

    def at(self, branch: Branch, rev: str) -> View:
        """The tree at a revision. Raises InvalidRevision, NoSuchCommit, AmbiguousRevision."""
        with self._database.connection() as conn:
            branch = _refreshed(conn, branch)
            commit = history.resolve(conn, self._timelines, branch, rev)
            return history.commit_view(conn, self._timelines, branch, commit)

    def resolve(self, branch: Branch, rev: str) -> Commit:
        """The commit that `rev` names, seen from `branch`. Raises as `at` does."""
        with self._database.connection() as conn:
            return history.resolve(conn, self._timelines, _refreshed(conn, branch), rev)

    def leads_to(self, branch: Branch, commit: Commit) -> bool:
        """Whether the commit is the branch's head or one that it was made upon, by first parents."""
        with self._database.connection() as conn:
            branch = _refreshed(conn, branch)
            if commit.seq > branch.head_seq:
                return False
            return self._timelines.owner(conn, branch.timeline_id, commit.seq) == commit.timeline_id

    # ------------------------------------------------------------ reading

    def entry(self, view: View, key: str) -> Entry:
        """What the key holds. Raises NoSuchKey, with the marker where it was deleted."""
        raw = key_bytes(key)
        with self._database.connection() as conn:
            for level in view.levels:
                found = entries.live(conn, level, raw)
                if found is not None:
                    break
            return self._present(conn, view, key, found if view.levels else None)

    def read(self, view: View, key: str) -> tuple[Entry, bytes | None]:
        """Like `entry`, with the content where it is stored inline, in one query."""
        raw = key_bytes(key)
        with self._database.connection() as conn:
            for level in view.levels:
                found = entries.live_with_data(conn, level, raw)
                if found is not None:
                    return self._present(conn, view, key, found[0]), found[1]
            return self._present(conn, view, key, None), None

    def list(self, view: View, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000) -> Listing:
        """A page of keys in byte order; what lies behind a delimiter is folded into prefixes."""
        with self._database.snapshot() as conn:
            return listing.list_keys(conn, view, prefix, delimiter, after, limit)

    def list_versions(
        self,
        view: View,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str | None] = ("", None),
        limit: int = 1000,
    ) -> VersionListing:
        """A page of all versions up to the view: by key, newest first, delete markers included.

        `after` is (key, commit id). Raises NoSuchCommit where that id is none of the repo's.
        """
        key, commit_id = after
        with self._database.snapshot() as conn:
            if view.commit is None:
                view = replace(view, branch=_refreshed(conn, view.branch))
            seq = None
            if commit_id is not None:
                seq = history.commit_by_id(conn, view.branch.repo_id, CommitId(commit_id)).seq
            return listing.list_versions(conn, self._timelines, view, prefix, delimiter, (key, seq), limit)

    def parts(self, content: Content) -> Sequence[Part]:
        """The parts that an object was completed from; none for one that was put whole."""
        return () if content.layout == BLOB else self._manifest(content.digest)

    def segments(self, content: Content, data: bytes | None, first: int, length: int) -> Sequence[Segment]:
        """Where `length` bytes from byte `first` are, in order. `data`: as `read` gave it.

        Raises MissingBlob, BadRecord.
        """
        if data is not None:
            return (Inline(data[first : first + length]),)
        return self.locate(cut(self.extents(content), first, length))

    def extents(self, content: Content) -> Sequence[Extent]:
        """The ranges of blobs that make up a content, in order."""
        if content.layout == BLOB:
            return (Extent(content.digest, 0, content.size),) if content.size else ()
        return tuple(extent for part in self._manifest(content.digest) for extent in part.extents)

    def locate(self, extents: Sequence[Extent]) -> Sequence[Segment]:
        """Where the bytes of these extents are. Raises MissingBlob."""
        with self._database.connection() as conn:
            return [self._locate(conn, extent) for extent in extents]

    def read_blob(self, digest: Digest, offset: int, length: int) -> bytes:
        """Up to `length` bytes of a blob outside the database; may block. Raises MissingBlob."""
        return self._blobs.read(digest, offset, length)

    # ------------------------------------------------------------ writing

    def stage(self) -> Stage:
        """Begins to take in an object's or part's bytes."""
        return Stage(self._blobs, self._config.inline_threshold)

    def commit(self, branch: Branch, changes: Sequence[Change], *, author: str, message: str = "") -> Future[Committed]:
        """Applies the changes to the branch's head as one commit, atomically. The future: NoSuchBranch.

        Guards are called in the writer's thread.
        """
        return self._committer.submit(lambda tx: tx.commit(branch.id, changes, author=author, message=message))

    # ------------------------------------------------------------ settings, beside the history

    def branch_setting(self, branch: Branch, name: str) -> str | None:
        """The value of a branch's setting, None where it is not set."""
        with self._database.connection() as conn:
            return branch_setting(conn, branch.id, name)

    def set_branch_setting(self, branch: Branch, name: str, value: str | None) -> Future[None]:
        """Sets it, or with None takes it away. No commit, nothing of the branch's tree; a fork inherits
        none of it. The future: NoSuchBranch."""

        def operation(tx: Transaction) -> None:
            tx.head(branch.id)
            set_branch_setting(tx.conn, branch.id, name, value)

        return self._committer.submit(operation)

    def set_entry_setting(self, branch: Branch, entry: Entry, name: str, value: str | None) -> Future[None]:
        """Sets it for the version that `entry`, read through `branch`, is; None takes it away.

        The version shows it in every branch and commit that holds it, older ones too: this is no
        commit. What is read of a version is `Entry.settings`. The future: NoSuchBranch.
        """

        def operation(tx: Transaction) -> None:
            tx.head(branch.id)
            set_entry_setting(tx.conn, entry.key.encode(), entry.commit_id, name, value)

        return self._committer.submit(operation)

    # ------------------------------------------------------------ multipart uploads

    def create_upload(self, branch: Branch, key: str, attrs: str, author: str) -> Future[Upload]:
        key_bytes(key)
        return self._committer.submit(lambda tx: multipart.create_upload(tx, branch.id, key, attrs, author))

    def upload(self, branch: Branch, key: str, upload_id: str, *, completed: bool = False) -> Upload:
        """An upload that is open, or (where asked) completed. Raises NoSuchUpload."""
        with self._database.connection() as conn:
            find = multipart.find_upload if completed else multipart.open_upload
            return find(conn, branch.id, key, upload_id)

    def uploads(
        self, branch: Branch, *, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> Sequence[Upload]:
        """Open uploads by key and id, those behind (key, id) `after`."""
        with self._database.connection() as conn:
            marker = (after[0].encode(), after[1])
            found = uploads.open_uploads(conn, branch.id, prefix.encode(), marker, limit)
            return [upload for upload in found if upload.key.startswith(prefix)]

    def staged_parts(self, upload: Upload, *, after: int = 0, limit: int = 1000) -> Sequence[Part]:
        """The upload's parts with numbers above `after`, by number."""
        with self._database.connection() as conn:
            return multipart.parts_of(conn, upload.id, after, limit)

    def put_part(
        self,
        upload: Upload,
        number: int,
        content: Content,
        *,
        extents: Sequence[Extent] | None = None,
        checksum: str = "",
    ) -> Future[Part]:
        """Stages a part. The future: NoSuchUpload, NoSuchBranch."""
        return self._committer.submit(lambda tx: multipart.put_part(tx, upload, number, content, extents, checksum))

    def cut(self, content: Content, first: int, length: int) -> tuple[Content, Sequence[Extent]]:
        """A range of what is stored (as much of it as there is), as a part for `put_part`, with its
        extents: no byte moves.

        A whole blob keeps its digest; anything else is named by the digest of its extents.
        """
        whole = self.extents(content)
        extents = cut(whole, first, length)
        if extents == whole and content.layout == BLOB:
            return content, extents
        digest = Digest(blake3(encode_extents(extents)).digest())
        return Content(sum(extent.length for extent in extents), digest, etag(digest)), extents

    def complete_upload(
        self, branch: Branch, key: str, upload_id: str, completion: multipart.Completion
    ) -> Future[tuple[Commit, Entry] | str]:
        """One commit with the parts' object, or the kept result of an earlier completion."""
        return self._committer.submit(lambda tx: multipart.complete_upload(tx, branch.id, key, upload_id, completion))

    def abort_upload(self, branch: Branch, key: str, upload_id: str) -> Future[None]:
        """Forgets the upload and its parts. The future: NoSuchUpload."""
        return self._committer.submit(lambda tx: multipart.abort_upload(tx, branch.id, key, upload_id))

    # ------------------------------------------------------------ upkeep

    def fsck(self, *, verify_data: bool = False) -> Report:
        """Re-verifies everything; see `pfs.fsck`."""
        with self._database.snapshot() as conn:
            return check(conn, self._blobs, verify_data=verify_data)

    def needs_flattening(self, branch: Branch) -> bool:
        """Whether reads of the branch walk more forks than `flatten_depth`."""
        return len(self.head(branch).levels) > self._config.flatten_depth

    def flatten(self, branch: Branch) -> None:
        """Gives the branch its own copy of what it inherits, in small transactions; blocks meanwhile."""
        after: bytes | None = None
        while True:
            copied = self._committer.submit(_copy_batch(self._timelines, branch.timeline_id, after)).result()
            if copied is None:
                self._timelines.forget()
                return
            after = copied

    # ------------------------------------------------------------ inner workings

    def _present(self, conn: Connection, view: View, key: str, found: Entry | None) -> Entry:
        if found is None or found.is_marker:
            raise NoSuchKey(key, self._closed_marker(conn, view, key) or found)
        return found

    def _closed_marker(self, conn: Connection, view: View, key: str) -> Entry | None:
        """The deletion that a live level does not show, since its marker was closed at once."""
        if view.commit is not None or not view.levels:
            return None
        level = view.levels[0]
        found = entries.latest(conn, level.timeline_id, key.encode(), _LAST_SEQ)
        return found if found is not None and found.is_marker else None

    def _read_manifest(self, digest: Digest) -> Sequence[Part]:
        with self._database.connection() as conn:
            body = contents.find_manifest(conn, digest)
        if body is None:
            raise MissingBlob(digest.hex())
        return decode_manifest(body)

    def _locate(self, conn: Connection, extent: Extent) -> Segment:
        row = contents.find_blob(conn, extent.digest)
        if row is None:
            raise MissingBlob(extent.digest.hex())
        if row[1] is not None:
            return Inline(row[1][extent.offset : extent.offset + extent.length])
        path = self._blobs.path(extent.digest)
        if path is not None:
            return FileRange(path, extent.offset, extent.length)
        return Stored(extent.digest, extent.offset, extent.length)


_LAST_SEQ = 2**63 - 1


def _refreshed(conn: Connection, branch: Branch) -> Branch:
    """The branch as it is now: a value that a caller holds knows an older head."""
    found = refs.branch_by_id(conn, branch.id)
    if found is None:
        raise NoSuchBranch(branch.repo, branch.name)
    return found


def _insert_branch(
    tx: Transaction, project: str, repo_id: int, name: str, label: str, timeline_id: int, head_seq: int
) -> Branch:
    branch_id = refs.insert_branch(
        tx.conn,
        project=project,
        repo_id=repo_id,
        name=name,
        label=label,
        timeline_id=timeline_id,
        head_seq=head_seq,
        created_us=now_us(),
    )
    branch = refs.branch_by_id(tx.conn, branch_id)
    if branch is None:
        raise NoSuchCommit(name)
    return branch


def _copy_batch(timelines: Timelines, timeline_id: int, after: bytes | None) -> Callable[[Transaction], bytes | None]:
    return lambda tx: flatten.copy_batch(tx, timelines, timeline_id, after)
