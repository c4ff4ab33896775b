"""Types of columns that mean the same on SQLite and on PostgreSQL, and the names that constraints get."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, Text

# SQLite numbers rows by itself only where the type is INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
# Compared and ordered by bytes, as SQLite does by itself.
Name = Text().with_variant(Text(collation="C"), "postgresql")


def new_metadata() -> MetaData:
    return MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
