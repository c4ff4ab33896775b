"""The store's values as the REST API's documents."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pfs
from gateway.api import model
from gateway.handlers.attributes import TAGS, load_checksums, load_headers, load_tags
from pfs import CommitId, to_datetime


def commit(found: pfs.Commit, parents: Sequence[CommitId]) -> model.Commit:
    return model.Commit(
        id=found.id,
        parents=list(parents),
        author=found.author,
        time=to_datetime(found.time_us),
        message=found.message,
        metadata=json.loads(found.metadata) if found.metadata else {},
        changes=found.change_count,
    )


def version(entry: pfs.Entry | None) -> model.Version | None:
    if entry is None:
        return None
    return model.Version(
        size=entry.size, etag=entry.etag, version_id=entry.commit_id, modified=to_datetime(entry.time_us)
    )


def change(difference: pfs.Difference) -> model.Change:
    return model.Change(
        key=difference.key,
        kind=difference.kind,
        before=version(difference.before),
        after=version(difference.after),
    )


def conflict(found: pfs.Conflict) -> model.Conflict:
    return model.Conflict(
        key=found.key, base=version(found.base), ours=version(found.ours), theirs=version(found.theirs)
    )


def entry(found: pfs.Entry) -> model.Entry:
    return model.Entry(
        key=found.key,
        size=found.size,
        etag=found.etag,
        version_id=found.commit_id,
        modified=to_datetime(found.time_us),
    )


def object_detail(found: pfs.Entry, parts: Sequence[pfs.Part]) -> model.ObjectDetail:
    """`parts` as the store tells them: none of an object that was put whole."""
    headers, checksums = load_headers(found.attrs), load_checksums(found.checksums)
    return model.ObjectDetail(
        key=found.key,
        size=found.size,
        etag=found.etag,
        version_id=found.commit_id,
        modified=to_datetime(found.time_us),
        headers=dict(headers.standard),
        metadata=dict(headers.metadata),
        tags=dict(load_tags(found.settings.get(TAGS))),
        checksums=dict(checksums.values),
        parts=max(len(parts), 1),
    )


def merged(done: pfs.Merge, head: pfs.Commit, parents: Sequence[CommitId], *, dry_run: bool = False) -> model.Merged:
    return model.Merged(
        kind=done.kind,
        head=commit(head, parents),
        base=done.base.id,
        changes=[change(difference) for difference in done.changes],
        conflicts=[conflict(found) for found in done.conflicts],
        dry_run=dry_run,
    )


def branch(found: pfs.Branch, head: pfs.Commit, parents: Sequence[CommitId]) -> model.Branch:
    return model.Branch(
        repo=found.repo,
        name=found.name,
        bucket=found.label,
        head=commit(head, parents),
        created=to_datetime(found.created_us),
        protected=found.protected,
    )


def repo(found: pfs.Repo) -> model.Repo:
    return model.Repo(name=found.name, default_branch=found.default_branch, created=to_datetime(found.created_us))


def repo_detail(found: pfs.RepoSummary) -> model.RepoDetail:
    return model.RepoDetail(
        name=found.repo.name,
        default_branch=found.repo.default_branch,
        created=to_datetime(found.repo.created_us),
        branches=found.branches,
        tags=found.tags,
        commits=found.commits,
        objects=found.objects,
        size_bytes=found.size_bytes,
    )


def protection(found: pfs.Protection) -> model.Protection:
    return model.Protection(pattern=found.pattern, author=found.author, created=to_datetime(found.created_us))


def transaction(found: pfs.TransactionInfo) -> model.Transaction:
    return model.Transaction(
        id=found.id,
        repo=found.repo,
        branch=found.target,
        bucket=found.label,
        base=found.base,
        author=found.author,
        message=found.message,
        metadata=json.loads(found.metadata) if found.metadata else {},
        begun=to_datetime(found.begun_us),
        expires=to_datetime(found.expires_us),
        state=found.state,
        ended=None if found.ended_us is None else to_datetime(found.ended_us),
        commit_id=found.commit_id,
    )


def tag(found: pfs.Tag) -> model.Tag:
    return model.Tag(
        name=found.name,
        commit_id=found.commit_id,
        author=found.author,
        time=to_datetime(found.time_us),
        message=found.message,
    )
