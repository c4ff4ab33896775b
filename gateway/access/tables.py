"""The gateway's own tables, in SQLAlchemy Core: people and projects, keys and sessions, the audit log.

They lie beside the store's: in a database file of their own where the store is embedded, in the same database on
PostgreSQL. Times are µs since the epoch. What is secret is encrypted (`gateway.access.vault`) or hashed.
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

from pfs.sql import Id, Name, new_metadata

metadata = new_metadata()

# `number` has 12 digits, as an AWS account's id: it stands in the ARNs of roles and devices.
projects = Table(
    "projects",
    metadata,
    Column("id", Id, primary_key=True),
    Column("number", Name, nullable=False),
    Column("name", Name, nullable=False),
    # 1: an access key alone is not enough, every S3 request carries a session
    Column("requires_session", SmallInteger, nullable=False),
    Column("max_session_s", Integer, nullable=False),
    # the only buckets that may be exported from, as a JSON list of names; NULL: all
    Column("export_buckets", Text),
    # everything, or refusals: which of its requests the audit log keeps
    Column("audits", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Index("projects_name", "name", unique=True),
    Index("projects_number", "number", unique=True),
)

# `canonical_id` is what S3 shows as an owner's id. `totp_counter` is the time step of the last code that was used.
users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Name, nullable=False),
    Column("canonical_id", Name, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("password_hash", Text),
    Column("totp_secret", LargeBinary),
    Column("totp_counter", BigInteger, nullable=False, server_default=text("-1")),
    Column("created_us", BigInteger, nullable=False),
    Column("disabled_us", BigInteger),
    Index("users_name", "name", unique=True),
    Index("users_canonical_id", "canonical_id", unique=True),
)

memberships = Table(
    "memberships",
    metadata,
    Column("project_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("granted", Name, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("project_id", "user_id", "granted"),
    Index("memberships_user", "user_id"),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("access_key", Name, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("project_id", Id, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("disabled_us", BigInteger),
    Index("access_keys_user", "user_id"),
)

# Bearer keys of the token endpoints; `digest` is the key's BLAKE3.
api_keys = Table(
    "api_keys",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("project_id", Id, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("disabled_us", BigInteger),
    Index("api_keys_user", "user_id"),
)

# Temporary credentials. `granted`: the rights, separated by commas. `assumed`: the role and the session's name, as ARNs
# have them; "" where no role was assumed. `proven`: by a second factor. `digest`: the token's BLAKE3.
sessions = Table(
    "sessions",
    metadata,
    Column("access_key", Name, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("project_id", Id, nullable=False),
    Column("granted", Text, nullable=False),
    Column("assumed", Text, nullable=False),
    Column("proven", SmallInteger, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Index("sessions_user", "user_id"),
    Index("sessions_expiry", "expires_us"),
)

# Failed attempts to prove who one is, by whom or from where: `subject` is user:NAME or address:IP.
attempts = Table(
    "attempts",
    metadata,
    Column("subject", Name, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("blocked_until_us", BigInteger, nullable=False),
)

# Append-only. `hash` = BLAKE3(hash of the record before ‖ `record`): `record` is canonical JSON, and all that counts;
# the other columns repeat it for searching.
audit = Table(
    "audit",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("project", Name, nullable=False),
    Column("who", Name, nullable=False),
    Column("operation", Name, nullable=False),
    Column("outcome", Name, nullable=False),
    Column("record", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_time", "time_us"),
    Index("audit_project", "project", "seq"),
    Index("audit_who", "who", "seq"),
)

# Numbers that change whenever something does that requests are decided by, so that caches can tell.
generations = Table(
    "generations",
    metadata,
    Column("name", Name, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
