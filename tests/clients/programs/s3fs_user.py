"""s3fs, the S3 part of fsspec: what pandas, dask and zarr go through."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import s3fs

from tests.clients.programs.given import BUCKET, CA_FILE, LARGE, MIB, SMALL


def filesystem(**options: Any) -> Any:
    trusted = {"client_kwargs": {"verify": CA_FILE}} if CA_FILE else {}
    return s3fs.S3FileSystem(**trusted, **options)


def files(fs: Any) -> None:
    with fs.open(f"{BUCKET}/dir/small", "wb") as file:
        file.write(SMALL)
    with fs.open(f"{BUCKET}/dir/large", "wb", block_size=5 * MIB) as file:
        for start in range(0, len(LARGE), MIB):
            file.write(LARGE[start : start + MIB])
    with fs.open(f"{BUCKET}/dir/large", "rb", block_size=MIB) as file:
        file.seek(7 * MIB + 3)
        assert file.read(1000) == LARGE[7 * MIB + 3 :][:1000]
        file.seek(-10, 2)
        assert file.read() == LARGE[-10:]
    with fs.open(f"{BUCKET}/dir/small", "ab") as file:
        file.write(b"more")
    assert fs.cat_file(f"{BUCKET}/dir/small", start=-8) == SMALL[-4:] + b"more"
    fs.pipe({f"{BUCKET}/many/{number}": b"%d" % number for number in range(20)})
    assert fs.cat(f"{BUCKET}/many/*")[f"{BUCKET}/many/7"] == b"7"


def folders(fs: Any) -> None:
    assert fs.ls(f"{BUCKET}/dir", detail=False) == [f"{BUCKET}/dir/large", f"{BUCKET}/dir/small"]
    assert fs.info(f"{BUCKET}/dir")["type"] == "directory"
    assert fs.du(f"{BUCKET}/dir") == len(LARGE) + len(SMALL) + 4
    assert len(fs.find(f"{BUCKET}/many")) == 20
    assert fs.glob(f"{BUCKET}/many/1?") == [f"{BUCKET}/many/{number}" for number in range(10, 20)]
    with tempfile.TemporaryDirectory() as folder:
        fs.get(f"{BUCKET}/dir/", folder, recursive=True)
        assert Path(folder, "large").read_bytes() == LARGE
        fs.put(f"{folder}/", f"{BUCKET}/again/", recursive=True)
    fs.mv(f"{BUCKET}/again/large", f"{BUCKET}/moved/large")
    fs.cp_file(f"{BUCKET}/moved/large", f"{BUCKET}/copied")
    assert fs.cat(f"{BUCKET}/copied") == LARGE
    fs.rm(f"{BUCKET}/many", recursive=True)
    assert not fs.exists(f"{BUCKET}/many")
    assert not fs.exists(f"{BUCKET}/again/large")


def conditions_and_metadata(fs: Any) -> None:
    fs.pipe_file(f"{BUCKET}/once", b"first", mode="create")
    try:
        fs.pipe_file(f"{BUCKET}/once", b"second", mode="create")
    except FileExistsError:
        pass
    else:
        raise AssertionError("it was written twice")
    fs.setxattr(f"{BUCKET}/once", colour="green")
    assert fs.getxattr(f"{BUCKET}/once", "colour") == "green"
    fs.put_tags(f"{BUCKET}/once", {"size": "7"})
    assert fs.get_tags(f"{BUCKET}/once") == {"size": "7"}


def history() -> None:
    fs = filesystem(version_aware=True)
    path = f"{BUCKET}/versioned"
    for text in (b"one", b"two"):
        fs.pipe_file(path, text)
    newest, oldest = fs.object_version_info(path)
    assert fs.cat_file(path, version_id=oldest["VersionId"]) == b"one"
    with fs.open(path, "rb", version_id="HEAD^") as file:
        assert file.read() == b"one"
    assert newest["IsLatest"]


if __name__ == "__main__":
    usual = filesystem()
    for use in (files, folders, conditions_and_metadata):
        use(usual)
    history()
