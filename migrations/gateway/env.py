"""Alembic's entry point for the gateway's own tables."""

from __future__ import annotations

from alembic import context

from gateway.access.tables import metadata
from gateway.sync import tables  # noqa: F401 -- it adds its own

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, version_table="gateway_version"
)
with context.begin_transaction():
    context.run_migrations()
