"""The façade: one object through which a store is read and written.

Reads are plain calls that return what was committed last; they take a short-lived connection
and may be made from any thread. Writes return a `concurrent.futures.Future`: when it resolves, the
write is on disk (see `pfs.commits.group`); `.result()` waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3
from sqlalchemy.engine import URL

from pfs import (
    branches,
    feed,
    flatten,
    gc,
    history,
    leases,
    listing,
    log,
    merge,
    multipart,
    protections,
    transactions,
    webhooks,
)
from pfs.blobs.base import BlobStore
from pfs.blobs.local import LocalBlobs
from pfs.blobs.memory import MemoryBlobs
from pfs.blobs.remote import RemoteBlobs
from pfs.blobs.staging import Stage, etag
from pfs.branches import BranchGuard, RepoGuard
from pfs.bundle.export import export
from pfs.bundle.load import load
from pfs.bundle.records import BundleSummary
from pfs.commits.group import Committer, Observer
from pfs.commits.transaction import Transaction, now_us
from pfs.config import StoreConfig
from pfs.diff import diff
from pfs.errors import (
    HeadMoved,
    MissingBlob,
    NoSuchBranch,
    NoSuchKey,
    NoSuchRepo,
    NoSuchTag,
    NoSuchTransaction,
    StoreClosed,
    StoreError,
)
from pfs.fsck import Report, check
from pfs.manifest import cut, decode_manifest, encode_extents
from pfs.meta import contents, entries, refs, uploads
from pfs.meta.commits import count_commits, timelines_with_commit
from pfs.meta.database import Connection, Database, translated_errors
from pfs.meta.migrate import upgrade
from pfs.meta.protections import protections_of_repo
from pfs.meta.settings import branch_setting, set_branch_setting, set_entry_setting
from pfs.meta.tags import count_tags, find_tag, tags_of_repo
from pfs.meta.transactions import find_transaction, open_transactions
from pfs.meta.webhooks import due, webhooks_of_repo
from pfs.model import (
    BLOB,
    Branch,
    Change,
    Commit,
    CommitId,
    Committed,
    Content,
    Differences,
    Digest,
    Entry,
    Extent,
    Keep,
    Listing,
    Logged,
    Merge,
    Merged,
    Part,
    Position,
    Protection,
    Repo,
    RepoSummary,
    Strategy,
    Tag,
    TransactionInfo,
    Undelivered,
    Upload,
    VersionListing,
    View,
    Webhook,
    WebhookState,
)
from pfs.names import check_name, check_pattern, is_transaction_id, key_bytes
from pfs.repair import repair
from pfs.revision import parse_revision
from pfs.timelines import Timelines

_log = logging.getLogger(__name__)


def _anyone(_: Branch) -> bool:
    return True


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
        self._flattening: set[int] = set()  # timelines; used by the committer's thread alone
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
        guard: BranchGuard | None = None,
    ) -> Future[Branch]:
        """Makes an empty branch, and its repo if need be, whose default branch it becomes.

        It forks from the repo's root commit. `branch` None: the default branch, `main` in a
        new repo. `settings` are what it begins with. `guard` is called inside the transaction with the branch
        that has the name already, if there is one, and all branches of the repo; it raises a StoreError to refuse.
        Raises InvalidName; the future BranchExists, TagExists.
        """
        check_name("repo", repo)
        if branch is not None:
            check_name("branch", branch)
        return self._committer.submit(
            lambda tx: branches.create_branch(
                tx, project, repo, branch, label=label, author=author, settings=settings or {}, guard=guard
            )
        )

    def fork_branch(
        self, source: Branch, rev: str, name: str, *, label: str, settings: Mapping[str, str] | None = None
    ) -> Future[Branch]:
        """A branch of the same repo whose head is `rev`, seen from `source`: one row, at any size. `settings` are
        what it begins with; none are inherited.

        Raises InvalidName; the future BranchExists, TagExists and what `resolve` raises.
        """
        check_name("branch", name)
        future = self._committer.submit(lambda tx: branches.fork_branch(tx, source, rev, name, label, settings or {}))
        future.add_done_callback(self._flatten_if_deep)
        return future

    def reset_branch(self, branch: Branch, rev: str, *, expected_head: CommitId | None = None) -> Future[Branch]:
        """Makes `rev` the branch's head, in O(1); what it held before stays reachable by id.

        The branch goes on in another timeline: reads of its head need the Branch that this returns, or one that
        was looked up since. The future: NoSuchBranch, ProtectedBranch, HeadMoved and what `resolve` raises.
        """
        future = self._committer.submit(lambda tx: branches.reset_branch(tx, branch, rev, expected_head))
        future.add_done_callback(self._flatten_if_deep)
        return future

    def delete_branch(self, branch: Branch, *, expected_head: CommitId | None = None) -> Future[None]:
        """Hides the branch, and with the last one its repo, whose open transactions are abandoned; history stays.

        Deleting the branch of a transaction abandons that. The future: NoSuchBranch, ProtectedBranch, HeadMoved.
        """
        return self._committer.submit(lambda tx: branches.delete_branch(tx, branch, expected_head))

    def deleted_branches(
        self, project: str, repo: str, *, may: Callable[[Branch], bool] = _anyone
    ) -> Sequence[tuple[Branch, int]]:
        """Branches that `restore_branch` would bring back for those who `may`, each with when it was deleted, the
        latest first. Where the repo itself was deleted, those of the deleted ones of its name."""
        with self._database.snapshot() as conn:
            return branches.restorable(conn, project, repo, may)

    def restore_branch(
        self, project: str, repo: str, name: str, *, may: Callable[[Branch], bool] = _anyone
    ) -> Future[Branch]:
        """Brings back the branch of that name that was deleted last, and its repo where that went with it.

        `may`, called inside the transaction, tells which branches count at all. The future: NoSuchBranch,
        BranchExists, TagExists.
        """
        return self._committer.submit(lambda tx: branches.restore_branch(tx, project, repo, name, may))

    def heads(self, of: Sequence[Branch]) -> Sequence[Logged]:
        """The branches' head commits, as they were when the branches were read: two point reads each."""
        with self._database.snapshot() as conn:
            commits = [history.head_commit(conn, self._timelines, branch) for branch in of]
            return [Logged(commit, log.parents(conn, self._timelines, commit)) for commit in commits]

    # ------------------------------------------------------------ repos

    def repos(self, project: str, *, after: str = "", limit: int = 1000) -> Sequence[Repo]:
        """By name, those behind `after`."""
        with self._database.connection() as conn:
            return refs.repos_by_name(conn, project, after, limit)

    def repo(self, project: str, repo: str) -> Repo:
        """Raises NoSuchRepo."""
        with self._database.connection() as conn:
            known = refs.find_repo(conn, project, repo)
            if known is None:
                raise NoSuchRepo(repo)
            return known

    def repo_branches(self, repo: Repo) -> Sequence[Branch]:
        """By name."""
        with self._database.connection() as conn:
            return refs.branches_of_repo(conn, repo.id)

    def repo_summary(self, repo: Repo) -> RepoSummary:
        """Counts all there is in the repo: O(keys) of its default branch, and O(commits)."""
        with self._database.snapshot() as conn:
            branch = refs.find_branch(conn, repo.project, repo.name, None)
            levels = history.head_view(conn, self._timelines, branch).levels if branch else ()
            objects, size = listing.count_visible(conn, levels)
            return RepoSummary(
                repo,
                branches=refs.count_branches(conn, repo.id),
                tags=count_tags(conn, repo.id),
                commits=count_commits(conn, repo.id),
                objects=objects,
                size_bytes=size,
            )

    def rename_repo(
        self,
        project: str,
        repo: str,
        name: str,
        *,
        relabel: Callable[[Branch], str],
        guard: RepoGuard | None = None,
    ) -> Future[Repo]:
        """Gives the repo another name; `relabel` is called in the writer's thread with each branch, deleted ones
        too and already renamed, for its new label. It may raise a StoreError, as `guard` may.

        Raises InvalidName; the future NoSuchRepo, RepoExists.
        """
        check_name("repo", name)
        return self._committer.submit(lambda tx: branches.rename_repo(tx, project, repo, name, relabel, guard))

    def delete_repo(self, project: str, repo: str, *, guard: RepoGuard | None = None) -> Future[None]:
        """Hides the repo with all its branches, which `restore_branch` brings back, and abandons its open
        transactions. The future: NoSuchRepo, ProtectedBranch where any of the branches is protected."""
        return self._committer.submit(lambda tx: branches.delete_repo(tx, project, repo, guard))

    def protections(self, repo: Repo) -> Sequence[Protection]:
        """By pattern."""
        with self._database.connection() as conn:
            return protections_of_repo(conn, repo.id)

    def protect(self, repo: Repo, pattern: str, author: str) -> Future[Protection]:
        """Has all branches, also later ones, whose names match the glob pattern take merges only. One that is there
        stays as it is. Raises InvalidName."""
        check_pattern(pattern)
        return self._committer.submit(lambda tx: protections.protect(tx, repo, pattern, author))

    def unprotect(self, repo: Repo, pattern: str) -> Future[None]:
        """Raises InvalidName; the future NoSuchProtection."""
        check_pattern(pattern)
        return self._committer.submit(lambda tx: protections.unprotect(tx, repo, pattern))

    def export_repo(self, project: str, repo: str, file: BinaryIO) -> BundleSummary:
        """Writes the repo with all its history as a bundle (see `pfs.bundle`): one consistent state, whatever is
        written meanwhile. Blocks. The same state gives the same bytes in any store.

        Raises NoSuchRepo, MissingBlob, BadRecord, and what `file` raises: then what was written is no bundle.
        """
        with translated_errors(), self._database.snapshot() as conn:
            known = refs.find_repo(conn, project, repo)
            if known is None:
                raise NoSuchRepo(repo)
            return export(conn, self._blobs, known, file)

    def import_repo(
        self, file: BinaryIO, project: str, name: str | None = None, *, relabel: Callable[[Branch], str]
    ) -> BundleSummary:
        """Makes the repo that a bundle holds, with all its ids, under its own or another name. Blocks; other writers
        go on meanwhile. The repo appears in one step at the end: durable when this returns. `relabel` is called in the
        writer's thread with each branch, already renamed, for its label (it has its old one).

        Raises RepoExists before much is read, also where the same repo is there under another name; InvalidName;
        BadRecord for whatever is no sound bundle; StoreBusy where a later import of the same repo took over.
        """
        with translated_errors():
            loaded = load(file, project, name, relabel, writes=self._committer, stage=self.stage)
        for branch in self.repo_branches(self.repo(project, loaded.repo)):
            self._flatten_soon(branch)
        return loaded

    # ------------------------------------------------------------ tags

    def tag(self, project: str, repo: str, name: str) -> Tag:
        """Raises NoSuchRepo, NoSuchTag."""
        known = self.repo(project, repo)
        with self._database.connection() as conn:
            found = find_tag(conn, known.id, name)
            if found is None:
                raise NoSuchTag(repo, name)
            return found

    def tags(self, project: str, repo: str, *, after: str = "", limit: int = 1000) -> Sequence[Tag]:
        """By name, those behind `after`. Raises NoSuchRepo."""
        known = self.repo(project, repo)
        with self._database.connection() as conn:
            return tags_of_repo(conn, known.id, after, limit)

    def create_tag(
        self,
        branch: Branch,
        name: str,
        rev: str = "HEAD",
        *,
        author: str,
        message: str = "",
        expected_head: CommitId | None = None,
    ) -> Future[Tag]:
        """Names the commit that `rev` names now, seen from `branch`. A tag can be deleted, but never moved.

        Raises InvalidName; the future TagExists, BranchExists (they share their names), NoSuchBranch, HeadMoved and
        what `resolve` raises.
        """
        check_name("tag", name)
        return self._committer.submit(
            lambda tx: branches.create_tag(tx, branch, name, rev, author, message, expected_head)
        )

    def delete_tag(self, project: str, repo: str, name: str) -> Future[None]:
        """The commit stays. The future: NoSuchRepo, NoSuchTag."""
        return self._committer.submit(lambda tx: branches.delete_tag(tx, project, repo, name))

    # ------------------------------------------------------------ revisions and views

    def head(self, branch: Branch) -> View:
        """The branch's moving head, as long as the branch is not moved to another timeline: then it stays
        where it was, until the branch is looked up again."""
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

    def repos_with_commit(self, project: str, rev: str) -> Sequence[Repo]:
        """The project's repos that have a commit which `rev` names by its id or a prefix of 8 digits or more, once
        per such commit, up to ten: for telling why a revision names nothing in another repo."""
        prefix = parse_revision(rev).id_prefix
        if prefix is None or len(prefix) < _TELLING_PREFIX:
            return ()
        with self._database.snapshot() as conn:
            found = [self._timelines.get(conn, line) for line in timelines_with_commit(conn, prefix, _TOLD_REPOS)]
            return [
                repo
                for repo in (refs.repo_by_id(conn, line.repo_id) for line in found)
                if repo.project == project and refs.find_repo(conn, project, repo.name) == repo
            ]

    def leads_to(self, branch: Branch, commit: Commit) -> bool:
        """Whether the commit is the branch's head or one that it was made upon, by first parents."""
        with self._database.connection() as conn:
            branch = _refreshed(conn, branch)
            if commit.seq > branch.head_seq:
                return False
            return self._timelines.owner(conn, branch.timeline_id, commit.seq) == commit.timeline_id

    def log(
        self,
        branch: Branch,
        rev: str = "HEAD",
        *,
        key: str | None = None,
        all_parents: bool = False,
        after: CommitId | None = None,
        limit: int = 100,
    ) -> Sequence[Logged]:
        """A page of the history of `rev`, newest first, behind the commit `after`: along first parents, or through
        all parents. With a key, only commits that wrote it. Raises InvalidName, and as `at` does."""
        raw = None if key is None else key_bytes(key)
        with self._database.snapshot() as conn:
            branch = _refreshed(conn, branch)
            start = history.resolve(conn, self._timelines, branch, rev)
            behind = None if after is None else history.commit_by_id(conn, branch.repo_id, after)
            return log.log(conn, self._timelines, start, key=raw, all_parents=all_parents, after=behind, limit=limit)

    def commits_since(self, branch: Branch, since: str | None, limit: int = 100) -> Sequence[Logged]:
        """A page of the branch's commits along first parents behind revision `since`, the oldest first.

        None: behind the root commit, which changed nothing. Where `since` is not on that line (any more: the branch
        may have been reset or fast-forwarded), those behind the newest first-parent ancestor that both have.
        Raises as `at` does.
        """
        with self._database.snapshot() as conn:
            branch = _refreshed(conn, branch)
            seen = None if since is None else history.resolve(conn, self._timelines, branch, since)
            head = history.head_commit(conn, self._timelines, branch)
            return feed.commits_behind(conn, self._timelines, head, seen, limit)

    def positions(self, branch_ids: Collection[int]) -> Mapping[int, Position | None]:
        """Where the heads of these branches are now, None for one that was deleted: a seek each, to tell a change."""
        with self._database.connection() as conn:
            return {branch_id: refs.head_of(conn, branch_id) for branch_id in branch_ids}

    def parents(self, commit: Commit) -> Sequence[CommitId]:
        """The first parent's id, then those of what the commit merged."""
        with self._database.connection() as conn:
            return log.parents(conn, self._timelines, commit)

    def diff(
        self, branch: Branch, before: str, after: str, *, prefix: str = "", behind: str = "", limit: int = 1000
    ) -> Differences:
        """A page of what the tree at revision `after` holds otherwise than that at `before`: keys with the
        prefix, behind the key `behind`. What has the same content, attributes and checksums is alike.

        Costs what was written on both sides since their lines of first parents parted, not the trees' sizes.
        Raises as `at` does.
        """
        with self._database.snapshot() as conn:
            branch = _refreshed(conn, branch)
            old, new = (history.resolve(conn, self._timelines, branch, rev) for rev in (before, after))
            return diff(conn, self._timelines, old, new, prefix=prefix, behind=behind, limit=limit)

    def show(
        self, branch: Branch, rev: str, *, prefix: str = "", behind: str = "", limit: int = 1000
    ) -> tuple[Logged, Differences]:
        """A commit with its parents, and a page of what it changed against its first parent. Raises as `at` does."""
        with self._database.snapshot() as conn:
            commit = history.resolve(conn, self._timelines, _refreshed(conn, branch), rev)
            before = history.first_parent(conn, self._timelines, commit) or commit
            changes = diff(conn, self._timelines, before, commit, prefix=prefix, behind=behind, limit=limit)
            return Logged(commit, log.parents(conn, self._timelines, commit)), changes

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

    def list(
        self,
        view: View,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int = 1000,
        keep: Keep | None = None,
    ) -> Listing:
        """A page of keys in byte order; what lies behind a delimiter is folded into prefixes. With `keep` as if there
        were no other entries than those; a page then costs O(all that lie before its end)."""
        with self._database.snapshot() as conn:
            return listing.list_keys(conn, view, prefix, delimiter, after, limit, keep)

    def list_versions(
        self,
        view: View,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str | None] = ("", None),
        limit: int = 1000,
        keep: Keep | None = None,
    ) -> VersionListing:
        """A page of all versions up to the view: by key, newest first, delete markers included; with `keep` of those
        alone, which may all be older than a key's latest.

        `after` is (key, commit id). Raises NoSuchCommit where that id is none of the repo's.
        """
        key, commit_id = after
        with self._database.snapshot() as conn:
            if view.commit is None:
                view = replace(view, branch=_refreshed(conn, view.branch))
            seq = None
            if commit_id is not None:
                seq = history.commit_by_id(conn, view.branch.repo_id, CommitId(commit_id)).seq
            return listing.list_versions(conn, self._timelines, view, prefix, delimiter, (key, seq), limit, keep)

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

    def stage(self, *, inline: bool = True) -> Stage:
        """Begins to take in an object's or part's bytes. Not `inline`: even few go to the blob store, where they need
        no memory while they wait for their commit."""
        return Stage(self._blobs, self._config.inline_threshold if inline else 0)

    def commit(
        self,
        branch: Branch,
        changes: Sequence[Change],
        *,
        author: str,
        message: str = "",
        metadata: str = "",
        expected_head: CommitId | None = None,
    ) -> Future[Committed]:
        """Applies the changes to the branch's head as one commit, atomically. The future: NoSuchBranch,
        ProtectedBranch, HeadMoved.

        `metadata` is canonical JSON of the caller's making (see `canonical_json`), kept and hashed with the commit.

        Guards are called in the writer's thread.
        """

        def operation(tx: Transaction) -> Committed:
            branches.writable(tx, branch, expected_head)
            return tx.commit(branch.id, changes, author=author, message=message, metadata=metadata)

        return self._committer.submit(operation)

    # ------------------------------------------------------------ merging

    def plan_merge(
        self,
        branch: Branch,
        rev: str,
        *,
        strategy: Strategy | None = None,
        fast_forward: bool = True,
        squash: bool = False,
        expected_head: CommitId | None = None,
    ) -> Merge:
        """What `merge` would do, conflicts and all; changes nothing. Raises HeadMoved, and as `at` does."""
        with self._database.snapshot() as conn:
            branch = _refreshed(conn, branch)
            ours = history.head_commit(conn, self._timelines, branch)
            if expected_head not in (None, ours.id):
                raise HeadMoved(branch.name, ours.id)
            theirs = history.resolve(conn, self._timelines, branch, rev)
            return merge.plan_merge(
                conn, self._timelines, ours, theirs, strategy=strategy, fast_forward=fast_forward, squash=squash
            )

    def merge(
        self,
        branch: Branch,
        rev: str,
        *,
        author: str,
        message: str | None = None,
        metadata: str = "",
        strategy: Strategy | None = None,
        fast_forward: bool = True,
        squash: bool = False,
        expected_head: CommitId | None = None,
    ) -> Future[Merged]:
        """Takes into the branch what `rev` has changed since their merge base.

        What is merged already is nothing to do. Where the branch has gone no way of its own its head moves to `rev`
        (see `reset_branch`), unless `fast_forward` is False; otherwise there is one commit with `rev` as its second
        parent, or none with `squash`. `strategy` decides conflicts. The future: Conflicted, NoSuchBranch,
        HeadMoved and what `resolve` raises.
        """
        future = self._committer.submit(
            lambda tx: merge.merge(
                tx,
                branch,
                rev,
                author=author,
                message=message,
                metadata=metadata,
                strategy=strategy,
                fast_forward=fast_forward,
                squash=squash,
                expected_head=expected_head,
            )
        )
        future.add_done_callback(self._flatten_if_deep)
        return future

    def cherry_pick(
        self,
        branch: Branch,
        rev: str,
        *,
        author: str,
        message: str | None = None,
        metadata: str = "",
        strategy: Strategy | None = None,
        expected_head: CommitId | None = None,
    ) -> Future[Merged]:
        """Makes what a commit changed against its first parent, as a new commit with its message.

        A key that the branch holds neither as the commit found nor as it left it is a conflict. The future: as
        `merge`, and ProtectedBranch.
        """
        return self._apply_commit(branch, rev, author, message, metadata, strategy, expected_head, backwards=False)

    def revert(
        self,
        branch: Branch,
        rev: str,
        *,
        author: str,
        message: str | None = None,
        metadata: str = "",
        strategy: Strategy | None = None,
        expected_head: CommitId | None = None,
    ) -> Future[Merged]:
        """Undoes what a commit changed against its first parent, as a new commit.

        A key that the branch no longer holds as the commit left it is a conflict. The future: as `merge`, and
        ProtectedBranch.
        """
        return self._apply_commit(branch, rev, author, message, metadata, strategy, expected_head, backwards=True)

    # ------------------------------------------------------------ transactions

    def begin_transaction(
        self,
        branch: Branch,
        *,
        author: str,
        message: str = "",
        metadata: str = "",
        expires_in_s: int,
        settings: Mapping[str, str] | None = None,
        label: Callable[[str], str],
    ) -> Future[TransactionInfo]:
        """Many writes that are to be one commit on `branch`, or nothing: they go to a branch of the same repo that is
        named like the transaction, begins as `branch` is now, and is in no list.

        `message` and `metadata` are the commit's, unless it gives others. `settings` are what the new branch begins
        with. `label` is called inside the transaction with the id, for the new branch's label; it raises a StoreError
        to refuse. The future: NoSuchBranch, ProtectedBranch.
        """
        return self._committer.submit(
            lambda tx: transactions.begin(
                tx,
                branch,
                author=author,
                message=message,
                metadata=metadata,
                expires_in_s=expires_in_s,
                settings=settings or {},
                label=label,
            )
        )

    def transaction(self, project: str, repo: str, transaction_id: str) -> TransactionInfo:
        """Open or ended. Raises NoSuchRepo, NoSuchTransaction."""
        known = self.repo(project, repo)
        if is_transaction_id(transaction_id):
            with self._database.connection() as conn:
                found = find_transaction(conn, transaction_id, now_us())
            if found is not None and found.repo_id == known.id:
                return found
        raise NoSuchTransaction(repo, transaction_id)

    def transactions(self, repo: Repo, *, after: str = "", limit: int = 1000) -> Sequence[TransactionInfo]:
        """Open ones, by id, which is the order in which they began; those behind the id `after`."""
        with self._database.connection() as conn:
            return open_transactions(conn, repo.id, after, limit, now_us())

    def commit_transaction(
        self, transaction: TransactionInfo, *, author: str, message: str | None = None, metadata: str | None = None
    ) -> Future[TransactionInfo]:
        """Makes one commit on the target of what the transaction wrote, and ends it; with its branch its uploads go.

        What it wrote and took back is left out; where nothing remains there is no commit. The settings of its versions
        come along. The future: TransactionConflict where a key that it touched is not, at the target's head, the
        version that it was when the transaction began: then it stays open. Also TransactionEnded, NoSuchBranch
        (the target is deleted) and ProtectedBranch.
        """
        return self._committer.submit(
            lambda tx: transactions.commit(
                tx, transaction.repo_id, transaction.id, author=author, message=message, metadata=metadata
            )
        )

    def abandon_transaction(self, transaction: TransactionInfo) -> Future[TransactionInfo]:
        """Ends it; what was written to it is in no branch. The future: TransactionEnded."""
        return self._committer.submit(lambda tx: transactions.abandon(tx, transaction.repo_id, transaction.id))

    def expire_transactions(self, now_us: int) -> Future[Sequence[TransactionInfo]]:
        """Ends those that are past their time, the oldest first and some hundred at most; once there are none: ().

        Nothing waits for this: from its time on one can neither be written nor committed.
        """
        return self._committer.submit(lambda tx: transactions.expire(tx, now_us))

    def _apply_commit(
        self,
        branch: Branch,
        rev: str,
        author: str,
        message: str | None,
        metadata: str,
        strategy: Strategy | None,
        expected_head: CommitId | None,
        *,
        backwards: bool,
    ) -> Future[Merged]:
        return self._committer.submit(
            lambda tx: merge.apply_commit(
                tx,
                branch,
                rev,
                backwards=backwards,
                author=author,
                message=message,
                metadata=metadata,
                strategy=strategy,
                expected_head=expected_head,
            )
        )

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

    # ------------------------------------------------------------ webhooks

    def create_webhook(
        self, project: str, repo: str, *, branches: str, url: str, secret: str, author: str
    ) -> Future[Webhook]:
        """Branches whose names match the glob pattern are told of from now on; later ones from where they begin.

        The future: NoSuchRepo.
        """
        return self._committer.submit(
            lambda tx: webhooks.create_webhook(tx, project, repo, branches, url, secret, author)
        )

    def delete_webhook(self, project: str, repo: str, webhook_id: str) -> Future[None]:
        """The future: NoSuchRepo, NoSuchWebhook."""
        return self._committer.submit(lambda tx: webhooks.delete_webhook(tx, project, repo, webhook_id))

    def webhooks(self, repo: Repo) -> Sequence[WebhookState]:
        """The oldest first."""
        with self._database.snapshot() as conn:
            return [webhooks.state(conn, self._timelines, found) for found in webhooks_of_repo(conn, repo.id)]

    def due_deliveries(self, now_us: int) -> Sequence[tuple[str, int]]:
        """Webhook's and branch's ids where there may be something to deliver at this time."""
        with self._database.connection() as conn:
            return due(conn, now_us)

    def undelivered(self, webhook_id: str, branch_id: int) -> Undelivered | None:
        """What the webhook is to be told next of the branch. None where one of them is gone."""
        with self._database.snapshot() as conn:
            return webhooks.undelivered(conn, self._timelines, webhook_id, branch_id)

    def delivered(self, found: Undelivered, commit_id: CommitId, *, error: str = "") -> Future[bool]:
        """The webhook has been told of all up to this commit. False where somebody else has done more meanwhile, or
        the webhook is gone."""
        return self._committer.submit(lambda tx: webhooks.advance(tx, found, commit_id, error))

    def delivery_failed(self, found: Undelivered, *, next_us: int, error: str) -> Future[bool]:
        """One attempt more; not due again before `next_us`. False as for `delivered`."""
        return self._committer.submit(lambda tx: webhooks.retry(tx, found, next_us, error))

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

    def collect_garbage(
        self, *, dry_run: bool = False, now_us: int | None = None, should_stop: Callable[[], bool] = lambda: False
    ) -> gc.Collected:
        """Removes what nobody needs any more (see `pfs.gc`), while others read and write; `now_us` in place of
        the clock. Blocks, for long; `should_stop` is asked often, and what was done then stays done.

        Raises StoreBusy where another process is at it. With `dry_run` it says what would go and changes nothing.
        """
        config = self._config
        periods = gc.Periods(config.retention_s, config.upload_expiry_s, config.gc_grace_s)
        deadlines = gc.deadlines(periods, now_us)
        collector = gc.Collector(self._database, self._committer.submit, self._blobs, deadlines, should_stop)
        return collector.rehearse() if dry_run else collector.run()

    def lease(self, name: str, holder: str, seconds: float) -> bool:
        """Takes or renews a lease over all processes; False while another holder has it. Blocks."""
        return self._committer.submit(lambda tx: leases.lease(tx, name, holder, seconds)).result()

    def release(self, name: str, holder: str) -> None:
        """Gives a lease back, if it still is the holder's. Blocks."""
        self._committer.submit(lambda tx: leases.release(tx, name, holder)).result()

    def fsck(self, *, verify_data: bool = False) -> Report:
        """Re-verifies everything; see `pfs.fsck`."""
        with self._database.snapshot() as conn:
            return check(conn, self._blobs, verify_data=verify_data)

    def repair(self, *, verify_data: bool = False) -> Report:
        """Mends what can be derived from what is whole (see `pfs.repair`): what was done, and what is still wrong."""
        before = self.fsck(verify_data=verify_data)
        done = repair(self._committer.submit, self._blobs, before.problems)
        if not done:
            return before
        self._timelines.forget()
        after = self.fsck(verify_data=verify_data)
        after.repairs.extend(done)
        return after

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

    def _flatten_if_deep(self, done: Future[Branch] | Future[Merged]) -> None:
        """Called in the committer's thread when a branch has got a new timeline.

        The timeline that it forked from is flattened, not its own: all forks from there share the copy.
        """
        if done.cancelled() or done.exception() is not None:
            return
        made = done.result()
        self._flatten_soon(made if isinstance(made, Branch) else made.branch)

    def _flatten_soon(self, branch: Branch) -> None:
        """Queues what is to be done for a branch that is too deep."""
        try:
            if self.needs_flattening(branch):
                with self._database.connection() as conn:
                    parent_id = self._timelines.get(conn, branch.timeline_id).parent_id
                if parent_id is not None and parent_id not in self._flattening:
                    self._flattening.add(parent_id)
                    self._flatten_on(parent_id, None)
        except StoreError as exc:
            _give_up_flattening(exc)

    def _flatten_on(self, timeline_id: int, after: bytes | None) -> None:
        """Queues one batch, and from its callback the next: other writes go in between."""

        def go_on(done: Future[bytes | None]) -> None:
            try:
                copied = done.result()
                if copied is not None:
                    self._flatten_on(timeline_id, copied)
                    return
                self._timelines.forget()
            except StoreError as exc:
                _give_up_flattening(exc)
            self._flattening.discard(timeline_id)

        self._committer.submit(_copy_batch(self._timelines, timeline_id, after)).add_done_callback(go_on)

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
_TELLING_PREFIX = 8  # of shorter ones some other repo has one by chance
_TOLD_REPOS = 10


def _refreshed(conn: Connection, branch: Branch) -> Branch:
    """The branch as it is now: a value that a caller holds knows an older head."""
    found = refs.branch_by_id(conn, branch.id)
    if found is None:
        raise NoSuchBranch(branch.repo, branch.name)
    return found


def _give_up_flattening(exc: StoreError) -> None:
    """The branch reads the same, only more slowly; its next fork tries again."""
    if not isinstance(exc, StoreClosed):
        _log.warning("a chain of forks could not be flattened: %s", exc)


def _copy_batch(timelines: Timelines, timeline_id: int, after: bytes | None) -> Callable[[Transaction], bytes | None]:
    return lambda tx: flatten.copy_batch(tx, timelines, timeline_id, after)
