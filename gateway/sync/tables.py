"""The table of sync jobs, one of the gateway's own. Times are µs since the epoch.

A job that is `running` is held by one console process until `lease_us`; one that nobody holds waits for its turn.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, SmallInteger, Table, Text, text

from gateway.access.tables import metadata
from pfs.sql import Id, Name

_RUNNING = text("state = 'running'")

# `target` names the destination alike however a request spells it. `storage_url`: "" for this gateway; `address` is the
# one that another's name led to when the job was asked for. `deletes`: its source was absent or empty then.
# `credentials` are sealed, and gone when the job has ended. `failures`: JSON, the first of them; `failed` counts all.
jobs = Table(
    "sync_jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("state", Name, nullable=False),
    Column("source", Text, nullable=False),
    Column("dest", Name, nullable=False),
    Column("storage_url", Text, nullable=False),
    Column("target", Name, nullable=False),
    Column("address", Text),
    Column("deletes", SmallInteger, nullable=False),
    Column("wait_s", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("credentials", LargeBinary),
    Column("created_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("files_done", BigInteger, nullable=False, server_default=text("0")),
    Column("files_total", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_done", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_total", BigInteger, nullable=False, server_default=text("0")),
    Column("path", Text, nullable=False, server_default=text("''")),
    Column("failed", Integer, nullable=False, server_default=text("0")),
    Column("failures", Text, nullable=False, server_default=text("'[]'")),
    Column("commit_id", Name),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("cancelled", SmallInteger, nullable=False, server_default=text("0")),
    Column("holder", Name),
    Column("lease_us", BigInteger, nullable=False, server_default=text("0")),
    Index("sync_jobs_target", "target", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING),
    Index("sync_jobs_state", "state", "id"),
)
