"""Transactions, protected branches, webhooks, and what collecting garbage needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OPEN = sa.text("ended_us IS NULL")


def upgrade() -> None:
    op.add_column("branches", sa.Column("protected", sa.SmallInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("branches", sa.Column("transaction_id", _NAME))
    _collectable()
    _transactions()
    _webhooks()
    op.create_table(
        "protections",
        sa.Column("repo_id", _ID, nullable=False),
        sa.Column("pattern", _NAME, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("repo_id", "pattern"),
    )
    op.create_table(
        "condemned",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("since_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )


def _collectable() -> None:
    """What tells which timelines are nobody's any more."""
    op.add_column("timelines", sa.Column("branch_id", _ID))
    op.execute(
        "UPDATE timelines SET branch_id = (SELECT max(id) FROM branches WHERE branches.timeline_id = timelines.id)"
    )
    op.create_index("merge_parents_parent", "merge_parents", ["parent_id"])


def _transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("repo_id", _ID, nullable=False),
        sa.Column("branch_id", _ID, nullable=False),
        sa.Column("target_id", _ID, nullable=False),
        sa.Column("base", sa.LargeBinary, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("begun_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("commit_id", sa.LargeBinary),
    )
    for name, columns in (("transactions_open", ["repo_id", "id"]), ("transactions_expiry", ["expires_us"])):
        op.create_index(name, "transactions", columns, sqlite_where=_OPEN, postgresql_where=_OPEN)


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("repo_id", _ID, nullable=False),
        sa.Column("branches", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )
    op.create_index("webhooks_repo", "webhooks", ["repo_id", "id"])
    op.create_table(
        "deliveries",
        sa.Column("webhook_id", _NAME, nullable=False),
        sa.Column("branch_id", _ID, nullable=False),
        sa.Column("commit_id", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", "branch_id"),
    )
