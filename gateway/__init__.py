"""Caret's gateway: S3 over HTTP in front of a `pfs` store."""
