"""Alembic's entry point: runs the steps on the connection that `pfs.meta.migrate` opened."""

from __future__ import annotations

from alembic import context

from pfs.meta.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
