"""polars: tables scanned from and sunk into a bucket."""

from __future__ import annotations

import polars as pl

from tests.clients.programs.given import BUCKET

OPTIONS = {"aws_allow_http": "true"}

if __name__ == "__main__":
    table = pl.DataFrame({"n": range(2_000_000)}).with_columns(third=pl.col("n") % 3)
    table.write_parquet(f"s3://{BUCKET}/one/table.parquet", storage_options=OPTIONS, compression="uncompressed")
    table.lazy().sink_parquet(f"s3://{BUCKET}/two/table.parquet", storage_options=OPTIONS)
    table.head(100).write_csv(f"s3://{BUCKET}/table.csv", storage_options=OPTIONS)
    assert pl.read_parquet(f"s3://{BUCKET}/one/table.parquet", storage_options=OPTIONS).equals(table)
    scanned = pl.scan_parquet(f"s3://{BUCKET}/*/*.parquet", storage_options=OPTIONS)
    assert scanned.filter(pl.col("n") >= 1_999_990).select(pl.len()).collect().item() == 20
    assert pl.scan_csv(f"s3://{BUCKET}/table.csv", storage_options=OPTIONS).collect().equals(table.head(100))
