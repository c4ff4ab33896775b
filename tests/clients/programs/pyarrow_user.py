"""Arrow's own S3 filesystem, which is the AWS SDK for C++, and a dataset on it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from tests.clients.programs.given import (
    ACCESS_KEY,
    BUCKET,
    CA_FILE,
    HOST,
    LARGE,
    REGION,
    SCHEME,
    SECRET_KEY,
    SMALL,
)


def filesystem() -> fs.S3FileSystem:
    trusted = {"tls_ca_file_path": CA_FILE} if CA_FILE else {}
    return fs.S3FileSystem(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        endpoint_override=HOST,
        scheme=SCHEME,
        region=REGION,
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
        **trusted,
    )


def files(s3: fs.S3FileSystem) -> None:
    for name, content in (("small", SMALL), ("large", LARGE)):
        with s3.open_output_stream(f"{BUCKET}/dir/{name}", metadata={"Content-Type": "text/x-own"}) as out:
            out.write(content)
        with s3.open_input_file(f"{BUCKET}/dir/{name}") as file:
            assert file.read_at(100, 1000) == content[1000:1100]
            assert file.read() == content
    s3.copy_file(f"{BUCKET}/dir/large", f"{BUCKET}/copy")
    s3.move(f"{BUCKET}/copy", f"{BUCKET}/moved")
    with s3.open_input_stream(f"{BUCKET}/moved") as stream:
        assert stream.read() == LARGE
        assert stream.metadata()["Content-Type"] == b"text/x-own"


def folders(s3: fs.S3FileSystem) -> None:
    s3.create_dir(f"{BUCKET}/empty/nested")
    assert s3.get_file_info(f"{BUCKET}/empty/nested").type == fs.FileType.Directory
    found = s3.get_file_info(fs.FileSelector(BUCKET, recursive=True))
    kinds = {info.path.removeprefix(f"{BUCKET}/"): (info.type.name, info.size) for info in found}
    assert kinds == {
        "dir": ("Directory", None),
        "dir/small": ("File", len(SMALL)),
        "dir/large": ("File", len(LARGE)),
        "moved": ("File", len(LARGE)),
        "empty": ("Directory", None),
        "empty/nested": ("Directory", None),
    }
    s3.delete_dir(f"{BUCKET}/empty")
    s3.delete_file(f"{BUCKET}/moved")
    assert s3.get_file_info(f"{BUCKET}/empty").type == fs.FileType.NotFound
    assert s3.get_file_info(f"{BUCKET}/moved").type == fs.FileType.NotFound


def dataset(s3: fs.S3FileSystem) -> None:
    table = pa.table({"year": [2024, 2025, 2025, 2026], "value": [1.0, 2.0, 3.0, 4.0]})
    ds.write_dataset(
        table,
        f"{BUCKET}/table",
        filesystem=s3,
        format="parquet",
        partitioning=["year"],
        existing_data_behavior="delete_matching",
    )
    read = ds.dataset(f"{BUCKET}/table", filesystem=s3, format="parquet", partitioning=["year"])
    assert read.to_table(filter=ds.field("year") == 2025)["value"].to_pylist() == [2.0, 3.0]
    big = pa.table({"n": pa.array(range(2_000_000))})
    pq.write_table(big, f"{BUCKET}/big.parquet", filesystem=s3, compression="none")
    assert pq.read_table(f"{BUCKET}/big.parquet", filesystem=s3).equals(big)


def buckets(s3: fs.S3FileSystem) -> None:
    name = f"arrow.{BUCKET}"
    s3.create_dir(name)
    assert name in [info.path for info in s3.get_file_info(fs.FileSelector(""))]
    s3.delete_dir(name)
    assert s3.get_file_info(name).type == fs.FileType.NotFound


if __name__ == "__main__":
    usual = filesystem()
    for use in (files, folders, dataset, buckets):
        use(usual)
