"""The store's way with SQL, public for those who keep tables of their own beside it: one writer at a time, errors
translated, statements compiled once, schemas brought up to date step by step."""

from pfs.grouping import Group, Groups
from pfs.meta.columns import Id, Name, new_metadata
from pfs.meta.database import Connection, Database, Row, Statement
from pfs.meta.migrate import Steps, upgrade

__all__ = [
    "Connection",
    "Database",
    "Group",
    "Groups",
    "Id",
    "Name",
    "Row",
    "Statement",
    "Steps",
    "new_metadata",
    "upgrade",
]
