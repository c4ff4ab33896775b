"""obstore: object_store for Rust, by its Python binding."""

from __future__ import annotations

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tests.clients.programs.given import BUCKET, LARGE, MIB, SMALL


def store() -> S3Store:
    return S3Store(BUCKET, client_options={"allow_http": True})


def objects(s3: S3Store) -> None:
    obstore.put(s3, "dir/small", SMALL)
    assert bytes(obstore.get(s3, "dir/small").bytes()) == SMALL
    assert bytes(obstore.get_range(s3, "dir/small", start=100, length=50)) == SMALL[100:150]
    found = [bytes(data) for data in obstore.get_ranges(s3, "dir/small", starts=[0, 4000], ends=[10, 4096])]
    assert found == [SMALL[:10], SMALL[4000:]]
    obstore.put(s3, "dir/large", LARGE, use_multipart=True, chunk_size=5 * MIB)
    assert bytes(obstore.get(s3, "dir/large").bytes()) == LARGE
    obstore.copy(s3, "dir/large", "copy")
    obstore.rename(s3, "copy", "renamed")
    assert obstore.head(s3, "renamed")["size"] == len(LARGE)
    listed = sorted(meta["path"] for page in obstore.list(s3) for meta in page)
    assert listed == ["dir/large", "dir/small", "renamed"]
    assert obstore.list_with_delimiter(s3)["common_prefixes"] == ["dir"]
    obstore.delete(s3, listed)
    assert not [meta for page in obstore.list(s3) for meta in page]


def compare_and_swap(s3: S3Store) -> None:
    first = obstore.put(s3, "cell", b"1", mode="create")
    try:
        obstore.put(s3, "cell", b"2", mode="create")
    except AlreadyExistsError:
        pass
    else:
        raise AssertionError("it was created twice")
    obstore.put(s3, "cell", b"2", mode={"e_tag": first["e_tag"]})
    try:
        obstore.put(s3, "cell", b"3", mode={"e_tag": first["e_tag"]})
    except PreconditionError:
        pass
    else:
        raise AssertionError("a stale ETag was accepted")
    assert bytes(obstore.get(s3, "cell").bytes()) == b"2"


if __name__ == "__main__":
    usual = store()
    objects(usual)
    compare_and_swap(usual)
