"""Repos, timelines, branches, commits, versions of keys, blobs, uploads."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_BYTES = sa.LargeBinary
_CURRENT = sa.text("until_seq IS NULL")
_UNDELETED = sa.text("deleted_us IS NULL")


def _column(name: str, type_: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=null)


def upgrade() -> None:
    _create_repos()
    _create_history()
    _create_content()
    _create_uploads()


def _create_repos() -> None:
    op.create_table(
        "repos",
        sa.Column("id", _ID, primary_key=True),
        _column("uid", _BYTES),
        _column("project", _NAME),
        _column("name", _NAME),
        _column("default_branch", _NAME),
        _column("created_us", sa.BigInteger),
        _column("deleted_us", sa.BigInteger, null=True),
    )
    _index_where("repos_name", "repos", ["project", "name"], _UNDELETED, unique=True)
    op.create_table(
        "timelines",
        sa.Column("id", _ID, primary_key=True),
        _column("uid", _BYTES),
        _column("repo_id", _ID),
        _column("parent_id", _ID, null=True),
        _column("fork_seq", sa.BigInteger),
        _column("flat", sa.SmallInteger),
    )
    op.create_index("ix_timelines_repo_id", "timelines", ["repo_id"])
    op.create_table(
        "branches",
        sa.Column("id", _ID, primary_key=True),
        _column("project", _NAME),
        _column("repo_id", _ID),
        _column("name", _NAME),
        _column("label", _NAME),
        _column("timeline_id", _ID),
        _column("head_seq", sa.BigInteger),
        _column("created_us", sa.BigInteger),
        _column("deleted_us", sa.BigInteger, null=True),
    )
    _index_where("branches_name", "branches", ["repo_id", "name"], _UNDELETED, unique=True)
    _index_where("branches_label", "branches", ["project", "label"], _UNDELETED)


def _create_history() -> None:
    op.create_table(
        "commits",
        _column("timeline_id", _ID),
        _column("seq", sa.BigInteger),
        _column("id", _BYTES),
        _column("author", sa.Text),
        _column("time_us", sa.BigInteger),
        _column("message", sa.Text),
        _column("metadata", sa.Text),
        _column("change_count", sa.Integer),
        sa.PrimaryKeyConstraint("timeline_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("commits_id", "commits", ["id"], unique=True)
    op.create_table(
        "merge_parents",
        _column("timeline_id", _ID),
        _column("seq", sa.BigInteger),
        _column("number", sa.SmallInteger),
        _column("parent_id", _BYTES),
        sa.PrimaryKeyConstraint("timeline_id", "seq", "number"),
    )
    op.create_table(
        "entries",
        sa.Column("id", _ID, primary_key=True),
        _column("timeline_id", _ID),
        _column("key", _BYTES),
        _column("seq", sa.BigInteger),
        _column("until_seq", sa.BigInteger, null=True),
        _column("kind", sa.SmallInteger),
        _column("size", sa.BigInteger),
        _column("digest", _BYTES),
        _column("layout", sa.SmallInteger),
        _column("etag", sa.Text),
        _column("attrs", sa.Text),
        _column("checksums", sa.Text),
        _column("commit_id", _BYTES),
        _column("time_us", sa.BigInteger),
    )
    op.create_index("entries_key", "entries", ["timeline_id", "key", sa.text("seq DESC")], unique=True)
    _index_where("entries_live", "entries", ["timeline_id", "key"], _CURRENT)
    op.create_index("entries_changes", "entries", ["timeline_id", "seq"])


def _create_content() -> None:
    op.create_table(
        "blobs",
        sa.Column("id", _ID, primary_key=True),
        _column("digest", _BYTES),
        _column("data", _BYTES, null=True),
    )
    op.create_index("blobs_digest", "blobs", ["digest"], unique=True)
    op.create_table(
        "manifests",
        sa.Column("digest", _BYTES, primary_key=True),
        _column("body", _BYTES),
    )


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", _NAME, primary_key=True),
        _column("branch_id", _ID),
        _column("key", _BYTES),
        _column("attrs", sa.Text),
        _column("author", sa.Text),
        _column("initiated_us", sa.BigInteger),
        _column("completed_us", sa.BigInteger, null=True),
        _column("result", sa.Text),
    )
    op.create_index("uploads_key", "uploads", ["branch_id", "key", "id"])
    op.create_table(
        "parts",
        _column("upload_id", _NAME),
        _column("number", sa.Integer),
        _column("size", sa.BigInteger),
        _column("digest", _BYTES),
        _column("extents", _BYTES),
        _column("checksum", sa.Text),
        _column("modified_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("upload_id", "number"),
    )


def _index_where(name: str, table: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
