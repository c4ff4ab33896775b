"""DuckDB with its httpfs extension: SQL on what lies in a bucket."""

from __future__ import annotations

import duckdb
from duckdb_extensions import import_extension

from tests.clients.programs.given import ACCESS_KEY, BUCKET, CA_FILE, HOST, REGION, SCHEME, SECRET_KEY


def connection() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    import_extension("httpfs", con=db)
    if CA_FILE:
        db.execute(f"SET ca_cert_file = '{CA_FILE}'; SET enable_server_cert_verification = true")
    db.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{ACCESS_KEY}', SECRET '{SECRET_KEY}', REGION '{REGION}', "
        f"ENDPOINT '{HOST}', URL_STYLE 'path', USE_SSL {SCHEME == 'https'})"
    )
    return db


if __name__ == "__main__":
    db = connection()
    db.execute("CREATE TABLE t AS SELECT range AS n, range % 3 AS third FROM range(1000000)")
    db.execute(f"COPY t TO 's3://{BUCKET}/one.parquet'")
    db.execute(f"COPY t TO 's3://{BUCKET}/parts' (FORMAT parquet, PARTITION_BY third)")
    for source in (f"s3://{BUCKET}/one.parquet", f"s3://{BUCKET}/parts/*/*.parquet"):
        found = db.execute(f"SELECT count(*), sum(n) FROM '{source}' WHERE third = 1").fetchone()
        assert found == (333333, sum(range(1, 1000000, 3))), found
    assert len(db.execute(f"FROM glob('s3://{BUCKET}/parts/**')").fetchall()) >= 3
