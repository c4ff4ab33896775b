"""People and projects, keys and sessions, the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _people()
    _keys()
    _records()


def _people() -> None:
    op.create_table(
        "projects",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("number", _NAME, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("requires_session", sa.SmallInteger, nullable=False),
        sa.Column("max_session_s", sa.Integer, nullable=False),
        sa.Column("export_buckets", sa.Text),
        sa.Column("audits", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )
    op.create_index("projects_name", "projects", ["name"], unique=True)
    op.create_index("projects_number", "projects", ["number"], unique=True)
    op.create_table(
        "users",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("canonical_id", _NAME, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("totp_secret", sa.LargeBinary),
        sa.Column("totp_counter", sa.BigInteger, nullable=False, server_default=sa.text("-1")),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("disabled_us", sa.BigInteger),
    )
    op.create_index("users_canonical_id", "users", ["canonical_id"], unique=True)
    op.create_index("users_name", "users", ["name"], unique=True)
    op.create_table(
        "memberships",
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("granted", _NAME, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "granted"),
    )
    op.create_index("memberships_user", "memberships", ["user_id"])


def _keys() -> None:
    op.create_table(
        "access_keys",
        sa.Column("access_key", _NAME, primary_key=True),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("disabled_us", sa.BigInteger),
    )
    op.create_index("access_keys_user", "access_keys", ["user_id"])
    op.create_table(
        "api_keys",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("disabled_us", sa.BigInteger),
    )
    op.create_index("api_keys_user", "api_keys", ["user_id"])
    op.create_table(
        "sessions",
        sa.Column("access_key", _NAME, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("project_id", _ID, nullable=False),
        sa.Column("granted", sa.Text, nullable=False),
        sa.Column("assumed", sa.Text, nullable=False),
        sa.Column("proven", sa.SmallInteger, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
    )
    op.create_index("sessions_expiry", "sessions", ["expires_us"])
    op.create_index("sessions_user", "sessions", ["user_id"])
    op.create_table(
        "attempts",
        sa.Column("subject", _NAME, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("blocked_until_us", sa.BigInteger, nullable=False),
    )


def _records() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", _ID, primary_key=True, autoincrement=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("project", _NAME, nullable=False),
        sa.Column("who", _NAME, nullable=False),
        sa.Column("operation", _NAME, nullable=False),
        sa.Column("outcome", _NAME, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("audit_project", "audit", ["project", "seq"])
    op.create_index("audit_time", "audit", ["time_us"])
    op.create_index("audit_who", "audit", ["who", "seq"])
    _keep_records()
    op.create_table(
        "generations",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )


def _keep_records() -> None:
    """Has the database itself refuse to change or delete records of the audit log."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'records of the audit log are kept as they are'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'records of the audit log are kept as they are'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
    )
