"""Sync jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    op.create_table(
        "sync_jobs",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("state", _NAME, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("dest", _NAME, nullable=False),
        sa.Column("storage_url", sa.Text, nullable=False),
        sa.Column("target", _NAME, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("deletes", sa.SmallInteger, nullable=False),
        sa.Column("wait_s", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("credentials", sa.LargeBinary),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("ended_us", sa.BigInteger),
        _count("files_done", sa.BigInteger),
        _count("files_total", sa.BigInteger),
        _count("bytes_done", sa.BigInteger),
        _count("bytes_total", sa.BigInteger),
        sa.Column("path", sa.Text, nullable=False, server_default=sa.text("''")),
        _count("failed", sa.Integer),
        sa.Column("failures", sa.Text, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("commit_id", _NAME),
        sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
        _count("cancelled", sa.SmallInteger),
        sa.Column("holder", _NAME),
        _count("lease_us", sa.BigInteger),
    )
    op.create_index(
        "sync_jobs_target", "sync_jobs", ["target"], unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING
    )
    op.create_index("sync_jobs_state", "sync_jobs", ["state", "id"])


def _count(name: str, kind: type[sa.Integer]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text("0"))
