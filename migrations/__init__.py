"""Alembic's steps for the store's tables, shipped in the wheel; `pfs.meta.migrate` runs them."""
