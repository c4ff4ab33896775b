"""The store's tables, in SQLAlchemy Core: alembic's source of truth, and the words of every query.

Keys and digests are bytes, which SQLite and PostgreSQL both order by memcmp; a key may hold
any character, NUL too. Times are µs since the epoch. Rows of `entries` are versions of keys:

    seq        the commit of the timeline that wrote it
    until_seq  the commit that replaced it; NULL while it is current

A delete marker that hides nothing further down (see `pfs.commits.transaction`) is closed at
once, `until_seq = seq`, so that listings of the current state never meet it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from pfs.meta.columns import Id, Name, new_metadata

metadata = new_metadata()
_CURRENT = text("until_seq IS NULL")
_UNDELETED = text("deleted_us IS NULL")
_OPEN = text("ended_us IS NULL")


repos = Table(
    "repos",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uid", LargeBinary, nullable=False),
    Column("project", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("default_branch", Name, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("deleted_us", BigInteger),
    Index("repos_name", "project", "name", unique=True, sqlite_where=_UNDELETED, postgresql_where=_UNDELETED),
)

timelines = Table(
    "timelines",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uid", LargeBinary, nullable=False),
    Column("repo_id", Id, nullable=False, index=True),
    Column("parent_id", Id),
    Column("fork_seq", BigInteger, nullable=False),
    # 1 once all that it inherits has been copied into it, at seq = fork_seq
    Column("flat", SmallInteger, nullable=False),
    # the branch that it was made for, which may have moved to another since; once that is gone for good,
    # its commits go when nothing else needs them. NULL: they stay as long as the repo
    Column("branch_id", Id),
)

branches = Table(
    "branches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", Name, nullable=False),
    Column("repo_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("label", Name, nullable=False),
    Column("timeline_id", Id, nullable=False),
    Column("head_seq", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("deleted_us", BigInteger),
    # 1 where a protection of the repo matches the name: kept up to date by whoever changes either
    Column("protected", SmallInteger, nullable=False, server_default=text("0")),
    # the transaction whose writes it takes; such a branch is in no list
    Column("transaction_id", Name),
    Index("branches_name", "repo_id", "name", unique=True, sqlite_where=_UNDELETED, postgresql_where=_UNDELETED),
    Index("branches_label", "project", "label", sqlite_where=_UNDELETED, postgresql_where=_UNDELETED),
)

# A tag is written once; it can be deleted, but never moved.
tags = Table(
    "tags",
    metadata,
    Column("repo_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("commit_id", LargeBinary, nullable=False),
    Column("author", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    PrimaryKeyConstraint("repo_id", "name"),
)

commits = Table(
    "commits",
    metadata,
    Column("timeline_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("id", LargeBinary, nullable=False),
    Column("author", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("change_count", Integer, nullable=False),
    PrimaryKeyConstraint("timeline_id", "seq"),
    Index("commits_id", "id", unique=True),
    sqlite_with_rowid=False,
)

# Parents beside the first, which is the commit before in the timeline (or at its fork).
merge_parents = Table(
    "merge_parents",
    metadata,
    Column("timeline_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("parent_id", LargeBinary, nullable=False),
    PrimaryKeyConstraint("timeline_id", "seq", "number"),
    Index("merge_parents_parent", "parent_id"),
)

entries = Table(
    "entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("timeline_id", Id, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("until_seq", BigInteger),
    Column("kind", SmallInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("layout", SmallInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("attrs", Text, nullable=False),
    Column("checksums", Text, nullable=False),
    Column("commit_id", LargeBinary, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Index("entries_key", "timeline_id", "key", text("seq DESC"), unique=True),
    Index("entries_live", "timeline_id", "key", sqlite_where=_CURRENT, postgresql_where=_CURRENT),
    Index("entries_changes", "timeline_id", "seq"),
)

# `data` is NULL where the bytes are in the blob store.
blobs = Table(
    "blobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("data", LargeBinary),
    Index("blobs_digest", "digest", unique=True),
)

manifests = Table(
    "manifests",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Name, primary_key=True),
    Column("branch_id", Id, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("attrs", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("initiated_us", BigInteger, nullable=False),
    Column("completed_us", BigInteger),
    Column("result", Text, nullable=False),
    Index("uploads_key", "branch_id", "key", "id"),
)

parts = Table(
    "parts",
    metadata,
    Column("upload_id", Name, nullable=False),
    Column("number", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("extents", LargeBinary, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("upload_id", "number"),
)

# Settings lie beside the history: no commit makes or covers them. What they say is their writer's affair.
branch_settings = Table(
    "branch_settings",
    metadata,
    Column("branch_id", Id, nullable=False),
    Column("name", Name, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("branch_id", "name"),
)

# One row per version of a key that has any, found from every copy of that version: {name: value} as canonical JSON.
entry_settings = Table(
    "entry_settings",
    metadata,
    Column("key", LargeBinary, nullable=False),
    Column("commit_id", LargeBinary, nullable=False),
    Column("settings", Text, nullable=False),
    PrimaryKeyConstraint("key", "commit_id"),
)

# Many writes to a branch of their own that become one commit on another, or nothing.
transactions = Table(
    "transactions",
    metadata,
    Column("id", Name, primary_key=True),
    Column("repo_id", Id, nullable=False),
    # the one that takes the writes, named like the transaction; and the one that they are meant for
    Column("branch_id", Id, nullable=False),
    Column("target_id", Id, nullable=False),
    Column("base", LargeBinary, nullable=False),
    Column("author", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("ended_us", BigInteger),
    Column("commit_id", LargeBinary),
    Index("transactions_open", "repo_id", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("transactions_expiry", "expires_us", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

# Names of branches, as glob patterns, that take merges only.
protections = Table(
    "protections",
    metadata,
    Column("repo_id", Id, nullable=False),
    Column("pattern", Name, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("repo_id", "pattern"),
)

# Who is to be told of commits. `branches` is a glob pattern of names.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Name, primary_key=True),
    Column("repo_id", Id, nullable=False),
    Column("branches", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Index("webhooks_repo", "repo_id", "id"),
)

# How far each of them has come on each branch: the commit that was delivered last, and the next attempt.
deliveries = Table(
    "deliveries",
    metadata,
    Column("webhook_id", Name, nullable=False),
    Column("branch_id", Id, nullable=False),
    Column("commit_id", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    PrimaryKeyConstraint("webhook_id", "branch_id"),
)

# Blobs and manifests that nothing referred to when they were last looked at. Whatever refers to one again takes
# it off, in its own transaction.
condemned = Table(
    "condemned",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
)

# Work that one process at a time does, of all that share the store.
leases = Table(
    "leases",
    metadata,
    Column("name", Name, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)
