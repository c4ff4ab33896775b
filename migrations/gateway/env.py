"""Alembic's entry point for the gateway's own tables."""

from __future__ import annotations

from alembic import context

import gateway.sync.tables  # noqa: F401 -- it adds its own
from gateway.access.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, version_table="gateway_version"
)
with context.begin_transaction():
    context.run_migrations()
