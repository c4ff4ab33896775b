"""minio-py."""

from __future__ import annotations

import io
import ssl
import tempfile
import urllib.request
from datetime import timedelta
from pathlib import Path

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, SnowballObject, Tags
from minio.deleteobjects import DeleteObject

from tests.clients.programs.given import (
    ACCESS_KEY,
    BUCKET,
    CA_FILE,
    HOST,
    LARGE,
    MIB,
    SCHEME,
    SECRET_KEY,
    SMALL,
)


def client() -> Minio:
    pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=CA_FILE) if CA_FILE else None
    return Minio(
        endpoint=HOST, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=SCHEME == "https", http_client=pool
    )


def content(minio: Minio, name: str, **options: object) -> bytes:
    answer = minio.get_object(bucket_name=BUCKET, object_name=name, **options)
    try:
        data: bytes = answer.read()
        return data
    finally:
        answer.close()
        answer.release_conn()


def objects(minio: Minio) -> None:
    assert minio.bucket_exists(bucket_name=BUCKET)
    for text in (b"one", b"two"):
        minio.put_object(bucket_name=BUCKET, object_name="k", data=io.BytesIO(text), length=3, metadata={"by": "minio"})
    assert content(minio, "k", version_id="HEAD^") == b"one"
    assert content(minio, "k", offset=1, length=1) == b"w"
    told = minio.stat_object(bucket_name=BUCKET, object_name="k")
    assert (told.size, told.metadata["x-amz-meta-by"]) == (3, "minio")


def parts(minio: Minio) -> None:
    minio.put_object(bucket_name=BUCKET, object_name="large", data=io.BytesIO(LARGE), length=-1, part_size=5 * MIB)
    assert content(minio, "large") == LARGE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        minio.fget_object(bucket_name=BUCKET, object_name="large", file_path=str(path))
        assert path.read_bytes() == LARGE
        minio.fput_object(bucket_name=BUCKET, object_name="dir/ö +", file_path=str(path), content_type="text/x-own")
    assert minio.stat_object(bucket_name=BUCKET, object_name="dir/ö +").content_type == "text/x-own"


def copies(minio: Minio) -> None:
    minio.copy_object(bucket_name=BUCKET, object_name="copy", source=CopySource(bucket_name=BUCKET, object_name="k"))
    assert content(minio, "copy") == b"two"
    sources = [ComposeSource(bucket_name=BUCKET, object_name=name) for name in ("large", "k")]
    minio.compose_object(bucket_name=BUCKET, object_name="both", sources=sources)
    assert content(minio, "both") == LARGE + b"two"


def tags(minio: Minio) -> None:
    tags = Tags.new_object_tags()
    tags["colour"] = "green"
    minio.set_object_tags(bucket_name=BUCKET, object_name="k", tags=tags)
    assert minio.get_object_tags(bucket_name=BUCKET, object_name="k") == {"colour": "green"}


def links(minio: Minio) -> None:
    context = ssl.create_default_context(cafile=CA_FILE) if CA_FILE else None
    link = minio.presigned_put_object(bucket_name=BUCKET, object_name="by link", expires=timedelta(minutes=5))
    with urllib.request.urlopen(urllib.request.Request(link, SMALL, method="PUT"), context=context):
        pass
    link = minio.presigned_get_object(bucket_name=BUCKET, object_name="by link")
    with urllib.request.urlopen(link, context=context) as answer:
        assert answer.read() == SMALL


def lists_and_deletes(minio: Minio) -> None:
    top = [found.object_name for found in minio.list_objects(bucket_name=BUCKET)]
    assert sorted(top) == ["both", "by link", "copy", "dir/", "k", "large"], top
    everything = [found.object_name for found in minio.list_objects(bucket_name=BUCKET, recursive=True)]
    versions = list(minio.list_objects(bucket_name=BUCKET, recursive=True, include_version=True))
    assert len(versions) == len(everything) + 1
    doomed = [DeleteObject(name=name) for name in everything]
    assert not list(minio.remove_objects(bucket_name=BUCKET, delete_object_list=doomed))
    assert not list(minio.list_objects(bucket_name=BUCKET, recursive=True))


def snowball(minio: Minio) -> None:
    """Many objects by one archive: one commit."""
    for compression in (False, True):
        batch = [
            SnowballObject(object_name=f"many/{number}", data=io.BytesIO(SMALL[number:]), length=len(SMALL) - number)
            for number in range(20)
        ]
        answer = minio.upload_snowball_objects(bucket_name=BUCKET, object_list=batch, compression=compression)
        many = list(minio.list_objects(bucket_name=BUCKET, prefix="many/", include_version=True))
        latest = [found for found in many if found.is_latest == "true"]
        assert {found.version_id for found in latest} == {answer.version_id}, many
        assert len(latest) == 20
        assert content(minio, "many/7") == SMALL[7:]


if __name__ == "__main__":
    usual = client()
    for use in (objects, parts, copies, tags, links, lists_and_deletes, snowball):
        use(usual)
