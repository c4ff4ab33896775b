"""Alembic's steps for the gateway's own tables: people, keys, the audit log."""
